"""The part of our REST API that a load generator uses, round any way to make masks."""

import secrets
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Protocol

import numpy as np
from fastapi import Body, FastAPI, HTTPException, UploadFile
from fastapi.responses import JSONResponse, Response
from numpy.typing import NDArray
from PIL import Image

from suresam.masks.rle import encode_rle

Masks = tuple[NDArray[np.bool_], Sequence[float]]
"""Three candidates (3, H, W) and the IoU that the decoder predicts for each."""


class Annotation(Protocol):
    """What an annotation tool's back end does with a model."""

    def add(self, session_id: str, image: NDArray[np.uint8]) -> None:
        """Take an RGB image."""

    def click(self, session_id: str, points: Any, labels: Any) -> Masks:
        """Segment it; KeyError if it is not there."""

    def forget(self, session_id: str) -> None:
        """Drop an image."""


def read_image(data: bytes) -> NDArray[np.uint8]:
    """RGB pixels of an image file."""
    with Image.open(BytesIO(data)) as image:
        return np.array(image.convert("RGB"))


def answer(masks: NDArray[np.bool_], predicted_iou: Sequence[float]) -> dict[str, Any]:
    """What our `SegmentResponse` says of masks, without uncertainty.

    With our own run lengths, which are quicker than `coco.encode(np.asfortranarray(mask))`: what
    is compared is the serving.
    """
    runs = map(encode_rle, masks)
    written = [
        {"rle": {"size": run.size, "counts": run.counts}, "predicted_iou": float(iou)}
        for run, iou in zip(runs, predicted_iou, strict=True)
    ]
    return {"results": [{"masks": written, "best": int(np.argmax(predicted_iou))}]}


def build_app(annotation: Annotation) -> FastAPI:
    """Sessions of one image, and clicks on them; handlers run in FastAPI's thread pool."""
    app = FastAPI()

    @app.get("/readyz")
    def readyz() -> str:
        return "ready"

    @app.post("/v1/sessions", status_code=201)
    def create_session(image: UploadFile) -> dict[str, str]:
        session_id = secrets.token_hex(16)
        annotation.add(session_id, read_image(image.file.read()))
        return {"session_id": session_id}

    @app.post("/v1/sessions/{session_id}/segment")
    def segment(session_id: str, request: dict = Body()) -> Response:  # noqa: B008  (FastAPI's way)
        prompt = request["prompts"][0]
        points = np.array(prompt["points"], dtype=np.float32)
        labels = np.array(prompt.get("labels") or [1] * len(points), dtype=np.int32)
        try:
            masks, predicted_iou = annotation.click(session_id, points, labels)
        except KeyError:
            raise HTTPException(404) from None
        return JSONResponse(answer(masks, predicted_iou))

    @app.delete("/v1/sessions/{session_id}", status_code=204)
    def delete_session(session_id: str) -> None:
        annotation.forget(session_id)

    return app
