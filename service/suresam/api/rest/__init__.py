"""JSON over HTTP: routes, uploads, and what wraps them."""
