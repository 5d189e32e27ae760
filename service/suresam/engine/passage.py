"""What became of a request that is traced, in milliseconds before its answer."""

import time
from collections import defaultdict
from collections.abc import Sequence

from suresam.domain import Prediction
from suresam.engine.engine import Failed
from suresam.engine.job import Done, Ran
from suresam.engine.pixels import PixelLoader
from suresam.segmentation.backbone import ImageEmbedding
from suresam.tracing.passage import Lookup, Passage, Stage


def passage_of(
    encoded: Sequence[Done[ImageEmbedding | None]],
    decoded: Sequence[Done[Prediction] | Failed],
    pixels: Sequence[PixelLoader],
    tier: str | None = None,
) -> Passage:
    """The way of a request that is answered now.

    Rows that were in one launch are one stage, and so is their waiting for it.

    Args:
        encoded: how its images were embedded.
        decoded: what became of its prompts.
        pixels: of its images.
        tier: of the cache, where its image was found; None where it was not.
    """
    now = time.monotonic()

    def ms_ago(moment: float) -> float:
        return (now - moment) * 1000

    stages = []
    for loader in pixels:
        if loader.spent_ms:
            began_ms = ms_ago(loader.began_at)
            stages.append(Stage("decode_image", began_ms, began_ms - loader.spent_ms))
    launches: dict[int, list[Ran]] = defaultdict(list)
    for row in (*encoded, *decoded):
        if row.ran is not None:
            launches[row.ran.launch.number].append(row.ran)
    for rows in launches.values():
        one = rows[0]
        came_ms = ms_ago(min(ran.submitted_at for ran in rows))
        started_ms, ended_ms = ms_ago(one.started_at), ms_ago(one.ended_at)
        error = next((ran.error for ran in rows if ran.error is not None), None)
        stages += [
            Stage("queue", came_ms, started_ms, len(rows), one.launch),
            Stage(one.launch.stage, started_ms, ended_ms, len(rows), one.launch, error),
        ]
    return Passage(_lookup(encoded), tier, tuple(sorted(stages, key=lambda s: -s.began_ms)))


def _lookup(encoded: Sequence[Done[ImageEmbedding | None]]) -> Lookup:
    """Of the image that took longest to find."""
    made = [done for done in encoded if done.launch_ms]
    if not made:
        return "hit"
    return "shared" if all(done.is_paid for done in made) else "miss"
