"""The two wire forms, JSON and proto, to and from the domain; server and client share them."""
