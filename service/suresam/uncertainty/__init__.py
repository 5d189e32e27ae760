"""How far a mask can be trusted: one file per method, each in its own unit and range."""
