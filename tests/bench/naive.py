"""What annotation back ends do today: upstream's predictor behind a lock.

`python -m bench.naive --port P` computes the image's features on every click; `--keep 100` keeps
those of the last 100 images. Run from a checkout with `tests` on PYTHONPATH.
"""

import argparse
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import uvicorn
from bench.subset import Masks, build_app
from numpy.typing import NDArray
from parity.upstream import SAM2ImagePredictor, predictor_of_ours

from suresam.segmentation.checkpoints import load_model
from suresam.segmentation.manifests import load_family

_STATE = ("_features", "_orig_hw", "_is_image_set")


class Naive:
    """`set_image` and `predict`, one caller at a time."""

    def __init__(self, predictor: SAM2ImagePredictor) -> None:
        self._predictor = predictor
        self._lock = threading.Lock()
        self._images: dict[str, NDArray[np.uint8]] = {}

    def add(self, session_id: str, image: NDArray[np.uint8]) -> None:
        self._images[session_id] = image

    def click(self, session_id: str, points: Any, labels: Any) -> Masks:
        image = self._images[session_id]
        with self._lock:
            self._set_image(session_id, image)
            masks, predicted_iou, _ = self._predictor.predict(
                point_coords=points, point_labels=labels, multimask_output=True
            )
        return masks.astype(bool), predicted_iou.tolist()

    def forget(self, session_id: str) -> None:
        self._images.pop(session_id, None)

    def _set_image(self, session_id: str, image: NDArray[np.uint8]) -> None:
        self._predictor.set_image(image)


class CachedNaive(Naive):
    """The same with the features of the images clicked last."""

    def __init__(self, predictor: SAM2ImagePredictor, keep: int) -> None:
        super().__init__(predictor)
        self._keep = keep
        self._kept: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def _set_image(self, session_id: str, image: NDArray[np.uint8]) -> None:
        state = self._kept.get(session_id)
        if state is None:
            super()._set_image(session_id, image)
            self._kept[session_id] = {name: getattr(self._predictor, name) for name in _STATE}
            while len(self._kept) > self._keep:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(session_id)
            for name, value in state.items():
                setattr(self._predictor, name, value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--member", default="demo-small", help="whose weights")
    parser.add_argument("--keep", type=int, help="images whose features are kept (default: none)")
    options = parser.parse_args()
    predictor = predictor_of_ours(load_model(load_family("demo").member(options.member)))
    naive = Naive(predictor) if options.keep is None else CachedNaive(predictor, options.keep)
    naive.add("warm", np.zeros((64, 64, 3), np.uint8))
    naive.click("warm", np.array([[10, 10]]), np.array([1]))
    uvicorn.run(build_app(naive), port=options.port, log_level="error")


if __name__ == "__main__":
    main()
