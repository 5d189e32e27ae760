"""LitServe with its own batching, as its documentation would have it done well.

One worker keeps the embeddings of its sessions; a batch holds the uploads and clicks that came
within `batch_timeout`, encoded in one forward and decoded in another. `python -m bench.lit
--port P`, from a checkout with `tests` on PYTHONPATH.

The model is our `Sam2Backbone`, because upstream's `predict_batch` decodes image by image: what
is compared is the serving, not who found out how to batch SAM 2.
"""

import argparse
import json
import secrets
from collections import OrderedDict
from typing import Annotated, Any

import litserve
import numpy as np
import torch
from bench.subset import answer, read_image
from fastapi import Depends, Request
from fastapi.responses import Response

from suresam.domain import ImageSize, Point, Prompt
from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.manifests import load_family
from suresam.segmentation.prompts import prompt_row
from suresam.segmentation.sam2 import Sam2Backbone

_KEEP = 1000
"""Sessions whose embeddings stay; about a MiB each."""


async def read_call(request: Request) -> dict[str, Any]:
    """What the worker needs of a request; both routes go to one worker, which has the sessions."""
    parts = request.path_params["path"].split("/")
    if parts == ["sessions"]:
        form = await request.form()
        return {"upload": await form["image"].read()}
    return {"session_id": parts[1], "request": await request.json()}


class SegmentApi(litserve.LitAPI):
    def __init__(self, member: str, **options: Any) -> None:
        super().__init__(**options)
        self._member = member

    def setup(self, device: str) -> None:
        manifest = load_family("demo").member(self._member)
        self._backbone = Sam2Backbone(self._member, load_model(manifest), device, box=manifest.box)
        self._sessions: OrderedDict[str, tuple[Any, ImageSize]] = OrderedDict()
        image = np.zeros((64, 64, 3), np.uint8)
        self._backbone.encode([image])

    def decode_request(self, request: Annotated[dict, Depends(read_call)]) -> dict[str, Any]:
        if "upload" in request:
            return {"image": read_image(request["upload"])}
        [prompt] = request["request"]["prompts"]
        points = tuple(Point(*point) for point in prompt["points"])
        labels = tuple(prompt.get("labels") or [1] * len(points))
        return {"session_id": request["session_id"], "prompt": Prompt(points, labels)}

    def batch(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return inputs

    @torch.inference_mode()
    def predict(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        outputs: list[dict[str, Any]] = [{} for _ in inputs]
        uploads = [i for i, call in enumerate(inputs) if "image" in call]
        if uploads:
            images = [inputs[i]["image"] for i in uploads]
            for i, image, embedding in zip(
                uploads, images, self._backbone.encode(images), strict=True
            ):
                session_id = secrets.token_hex(16)
                size = ImageSize(image.shape[1], image.shape[0])
                self._sessions[session_id] = embedding, size
                outputs[i] = {"session_id": session_id}
            while len(self._sessions) > _KEEP:
                self._sessions.popitem(last=False)
        # Rows of one forward have one length.
        by_length: dict[int, list[int]] = {}
        for i, call in enumerate(inputs):
            if call.get("session_id") in self._sessions:
                by_length.setdefault(len(call["prompt"].points), []).append(i)
        for group in by_length.values():
            self._decode(inputs, group, outputs)
        return outputs

    def _decode(
        self, inputs: list[dict[str, Any]], group: list[int], outputs: list[dict[str, Any]]
    ) -> None:
        sessions = [self._sessions[inputs[i]["session_id"]] for i in group]
        rows = [
            prompt_row(inputs[i]["prompt"], size, embedding, self._backbone)
            for i, (embedding, size) in zip(group, sessions, strict=True)
        ]
        decoded = self._backbone.decode(rows)
        for row, i in enumerate(group):
            size = sessions[row][1]
            logits = torch.nn.functional.interpolate(
                decoded.low_res_logits[row : row + 1, 1:], (size.height, size.width),
                mode="bilinear", align_corners=False,
            )  # fmt: skip
            iou = decoded.predicted_iou[row, 1:].tolist()
            # Written at once, so that a batch never holds all its large masks.
            outputs[i] = answer((logits[0] > 0).cpu().numpy(), iou)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return output

    def encode_response(self, output: dict[str, Any]) -> Response:
        status = 200 if output else 404  # an exception would end the whole batch
        return Response(json.dumps(output), status, media_type="application/json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--member", default="demo-small", help="whose weights")
    parser.add_argument("--batch-timeout", type=float, default=0.005, help="seconds")
    options = parser.parse_args()
    api = SegmentApi(
        options.member,
        api_path="/v1/{path:path}",
        max_batch_size=16,
        batch_timeout=options.batch_timeout,
    )
    server = litserve.LitServer(api, accelerator="cpu", healthcheck_path="/readyz", fast_queue=True)
    server.run(host="127.0.0.1", port=options.port, log_level="error", generate_client_file=False)


if __name__ == "__main__":
    main()
