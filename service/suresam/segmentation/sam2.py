"""SAM 2 as a `Backbone`: upstream's modules, called functionally, on rows of many callers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suresam.errors import ConfigurationError
from suresam.segmentation.architecture import ImageModel
from suresam.segmentation.backbone import Decoded, DecodeRow, ImageEmbedding
from suresam.segmentation.box_convention import OFFICIAL, BoxConvention
from suresam.segmentation.compiled import CompiledRows
from suresam.segmentation.decoding import DecoderInputs, MaskDecoding
from suresam.segmentation.staging import Staging
from suresam.segmentation.transforms import normalise_images

_FIRST_WITH_BFLOAT16 = (8, 0)
"""CUDA capability of the first GPUs that compute in bfloat16 (Ampere); others emulate it."""


def choose_device(wanted: str) -> str:
    """The device that a setting means: auto takes CUDA if there is any.

    Raises:
        ConfigurationError: CUDA is asked for and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if wanted == "cuda" and not has_cuda:
        raise ConfigurationError("device=cuda: torch finds no CUDA device on this machine")
    return "cuda" if wanted == "cuda" or (wanted == "auto" and has_cuda) else "cpu"


def choose_devices(wanted: str) -> list[str]:
    """The devices that a setting names, which may be a list of them.

    Raises:
        ConfigurationError: CUDA, or a CUDA device of that number, is asked for and not there.
    """
    if wanted in ("auto", "cpu", "cuda"):
        return [choose_device(wanted)]
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for name in wanted.split(","):
        number = name.partition(":")[2]
        if number and int(number) >= count:
            raise ConfigurationError(f"device={name}: torch finds {count} CUDA devices")
    return wanted.split(",")


def choose_dtype(wanted: str, device: str) -> str:
    """The precision that a setting means: auto takes bfloat16 on a GPU that has it."""
    if wanted != "auto":
        return wanted
    is_cuda = torch.device(device).type == "cuda"
    has_bfloat16 = is_cuda and torch.cuda.get_device_capability(device) >= _FIRST_WITH_BFLOAT16
    return "bfloat16" if has_bfloat16 else "float32"


class Sam2Backbone:
    """One checkpoint on one device. Calls keep no state, so one thread at a time may use it.

    Args:
        name: the checkpoint's name.
        model: in evaluation mode; moved to the device.
        device: "cpu" or "cuda[:n]"; not yet run on a GPU.
        box: as the checkpoint's manifest declares.
        dtype: "float32"; "bfloat16", which computes under autocast and keeps embeddings so, but
            returns float32; or "auto", see `choose_dtype`.
        is_compiled: whether launches are compiled for numbers of rows met while `compiling`.
    """

    def __init__(
        self,
        name: str,
        model: ImageModel,
        device: str,
        *,
        box: BoxConvention = OFFICIAL,
        dtype: str = "auto",
        is_compiled: bool = False,
    ) -> None:
        self.name = name
        self.device = device
        self.box = box
        self.dtype = choose_dtype(dtype, device)
        self.is_compiled = is_compiled
        self.input_size = model.architecture.input_size
        self.low_res_size = model.architecture.low_res_size
        self.num_parameters = sum(p.numel() for p in model.parameters())
        self._device = torch.device(device)
        self._staging = Staging(self._device)
        self._model = model.eval().to(self._device)
        with torch.inference_mode():
            dense_pe = self._model.sam_prompt_encoder.get_dense_pe()
        self._decoding = MaskDecoding(self._model.sam_mask_decoder, dense_pe)
        self._encode = CompiledRows(f"{name}: encode", self._model.forward_image)
        sparse = DecoderInputs._fields.index("sparse")
        self._decode = CompiledRows(f"{name}: decode", self._decoding.run, any_length=sparse)

    @property
    def reference(self) -> "Sam2Backbone | None":
        """The same weights in float32, not compiled; None where this backbone is just that."""
        if self.dtype == "float32" and not self.is_compiled:
            return None
        return Sam2Backbone(self.name, self._model, self.device, box=self.box, dtype="float32")

    def padded_rows(self, stage: str, rows: int) -> int:
        """With how many rows a launch of so many runs; more where that size was compiled."""
        return (self._encode if stage == "encode" else self._decode).padded(rows)

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Within it, launches of a number of rows that is new are compiled first."""
        if not self.is_compiled:
            yield
            return
        with self._encode.compiling(), self._decode.compiling():
            yield

    @torch.inference_mode()
    def encode(self, images: Sequence[NDArray[np.uint8]]) -> list[ImageEmbedding]:
        """Embed RGB uint8 (H, W, 3) images of any sizes in one forward."""
        pixels = normalise_images(images, self.input_size, self._staging)
        with self._autocast():
            maps = self._encode(pixels)
        # Autocast returns some in float32 that bfloat16 made; the decoder reads all as bfloat16.
        dtype = torch.bfloat16 if self.dtype == "bfloat16" else torch.float32
        image_embed, fine, middle = (features.to(dtype) for features in maps)
        if self._device.type == "cuda":  # or its time would be the next launch's
            torch.cuda.synchronize(self._device)
        return [ImageEmbedding(image_embed[i], (fine[i], middle[i])) for i in range(len(images))]

    @torch.inference_mode()
    def decode(self, rows: Sequence[DecodeRow]) -> Decoded:
        """Decode rows of equal shape, on any images, in one forward."""
        put = self._staging.put
        points = put(np.stack([row.points for row in rows]))
        labels = put(np.stack([row.labels for row in rows]))
        masks = None
        if rows[0].mask_input is not None:
            stacked = np.stack([row.mask_input for row in rows if row.mask_input is not None])
            masks = put(stacked)[:, None]
        with self._autocast(), self._decoding.tap:
            sparse, dense = self._model.sam_prompt_encoder(
                points=(points, labels), boxes=None, masks=masks
            )
            outputs = self._decode(
                *DecoderInputs(
                    image_embed=_gather([row.embedding.image_embed for row in rows]),
                    fine=_gather([row.embedding.high_res_feats[0] for row in rows]),
                    middle=_gather([row.embedding.high_res_feats[1] for row in rows]),
                    sparse=sparse,
                    dense=dense.float(),  # a mask input's is bfloat16 under autocast, none's is not
                )
            )
        logits, predicted_iou, iou_token, mask_tokens, object_score = map(Tensor.float, outputs)
        return Decoded(
            low_res_logits=logits,
            predicted_iou=predicted_iou,
            iou_token=iou_token,
            mask_tokens=mask_tokens,
            object_score_logits=object_score,
        )

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self._device.type, dtype=torch.bfloat16, enabled=self.dtype == "bfloat16"
        )


def _gather(tensors: Sequence[Tensor]) -> Tensor:
    """(B, ...) of rows wherever they stand, in one copy; rows of one image are not copied."""
    first = tensors[0]
    if all(tensor.data_ptr() == first.data_ptr() for tensor in tensors):
        return first.expand(len(tensors), *first.shape)
    return torch.stack(list(tensors))
