"""Who may come in: API keys, what they allow, and how much of it. Knows no transport."""
