"""The composition root: settings -> backbones -> engine -> router -> servers."""

from suresam.app.checks import check_named
from suresam.app.in_process import segment_in_process
from suresam.app.serve import serve

__all__ = ["check_named", "segment_in_process", "serve"]
