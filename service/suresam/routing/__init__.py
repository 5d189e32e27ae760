"""From a request to the member that answers it, and back to encoded masks."""
