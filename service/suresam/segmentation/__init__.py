"""From pixels and prompts to mask logits: the SAM 2 image path, functional and batched."""
