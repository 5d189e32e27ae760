"""Pictures with exact masks, whoever made them: procedural scenes, label maps, COCO.

Whatever trains or measures a model reads pictures through `dataset.Dataset` alone, so that a
user's folder can stand wherever our own scenes do. Training and evaluation both need these
readers, which is why they are a package of their own below them.
"""
