"""The two transports. A handler converts in, calls the router and converts out."""
