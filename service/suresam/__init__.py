"""suresam: Segment Anything masks that say how far they can be trusted."""

from typing import TYPE_CHECKING

from suresam.version import __version__

if TYPE_CHECKING:
    from suresam.segmenter import Segmenter as Segmenter

__all__ = ["Segmenter", "__version__"]


def __getattr__(name: str) -> object:
    """`suresam.Segmenter` is imported when asked for, since it brings torch along."""
    if name == "Segmenter":
        from suresam.segmenter import Segmenter

        return Segmenter
    raise AttributeError(f"module 'suresam' has no attribute {name!r}")
