"""Bool masks (H, W) and the forms in which they leave the service: runs, pictures, outlines."""
