"""Whether two servers give the same masks for the same click."""

import json

import numpy as np

from suresam.benchmarks.serve.pictures import Picture, Pictures
from suresam.benchmarks.serve.rest_server import RestServer
from suresam.benchmarks.serve.target import Target
from suresam.domain import Point, Rle
from suresam.masks.rle import decode_rle

PLACES = ((0.5, 0.5), (0.2, 0.3), (0.75, 0.6), (0.4, 0.85))


def trial_pictures() -> list[Picture]:
    """The same for every contestant, one of each size."""
    pictures = Pictures(((640, 480), (1024, 768)), seed=5)
    return [pictures.another() for _ in range(2)]


async def trial_masks(server: RestServer, pictures: list[Picture]) -> list[np.ndarray]:
    """Three candidates for every place of every picture."""
    masks = []
    for picture in pictures:
        session_id = await Target(server, server).upload_surely(picture)
        for x, y in PLACES:
            point = Point(round(x * picture.width), round(y * picture.height))
            body = json.loads(await server.click_body(session_id, point))
            rles = [mask["rle"] for mask in body["results"][0]["masks"]]
            assert len(rles) == 3, f"{len(rles)} masks in place of three candidates"
            masks += [decode_rle(Rle(tuple(rle["size"]), rle["counts"])) for rle in rles]
        await server.delete(session_id)
    return masks


def least_iou(masks: list[np.ndarray], others: list[np.ndarray]) -> float:
    """Of all pairs; two empty masks agree."""
    ious = []
    for mask, other in zip(masks, others, strict=True):
        union = (mask | other).sum()
        ious.append((mask & other).sum() / union if union else 1.0)
    return float(min(ious))
