"""What the members of a family say of many prompts, beside the truth: tokens, scores and IoUs.

Heads are trained on observations and judged by them. `plan` says which prompts a target gets,
`observing` asks, `store` keeps the answers on disk, `collecting` fills a store in parallel.
"""
