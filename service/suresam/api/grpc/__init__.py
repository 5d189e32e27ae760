"""The `Segmentation` service of protos/segmentation.proto."""
