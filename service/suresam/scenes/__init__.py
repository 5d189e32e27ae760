"""Procedural scenes: pictures drawn from a seed, with exact masks of everything in them.

The demo family learns from these alone, and every published figure on scenes is measured on
seeds that no training may use (`scene.TEST_SEEDS`). From the outside in: `scene` puts one
together, `backdrop` and `things` paint into `painting.Canvas` with `shapes` and `textures`,
`photography` takes the picture, `targets` lists what can be asked for.
"""
