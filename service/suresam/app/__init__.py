"""The composition root: settings -> backbones -> engine -> router -> servers."""

from suresam.app.in_process import segment_in_process
from suresam.app.serve import serve

__all__ = ["segment_in_process", "serve"]
