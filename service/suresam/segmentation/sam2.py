"""SAM 2 as a `Backbone`: upstream's modules, called functionally, on rows of many callers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from suresam.errors import ConfigurationError
from suresam.segmentation.architecture import ImageModel
from suresam.segmentation.backbone import Decoded, DecodeRow, ImageEmbedding
from suresam.segmentation.box_convention import OFFICIAL, BoxConvention
from suresam.segmentation.transforms import normalise_images


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


class Sam2Backbone:
    """One checkpoint on one device. Calls keep no state, so one thread at a time may use it.

    Args:
        name: the checkpoint's name.
        model: in evaluation mode; moved to the device.
        device: "cpu" or "cuda[:n]". On CUDA the model runs under bfloat16 autocast and returns
            float32; not yet run on a GPU.
        box: as the checkpoint's manifest declares.
    """

    def __init__(
        self, name: str, model: ImageModel, device: str, *, box: BoxConvention = OFFICIAL
    ) -> None:
        self.name = name
        self.device = device
        self.box = box
        self.input_size = model.architecture.input_size
        self.low_res_size = model.architecture.low_res_size
        self.num_parameters = sum(p.numel() for p in model.parameters())
        self._device = torch.device(device)
        self._model = model.eval().to(self._device)
        with torch.inference_mode():
            self._dense_pe = self._model.sam_prompt_encoder.get_dense_pe()

    @property
    def dtype(self) -> str:
        """Precision of the arithmetic; results are float32 in any case."""
        return "bfloat16" if self._device.type == "cuda" else "float32"

    @torch.inference_mode()
    def encode(self, images: Sequence[NDArray[np.uint8]]) -> list[ImageEmbedding]:
        """Embed RGB uint8 (H, W, 3) images of any sizes in one forward."""
        pixels = normalise_images(images, self.input_size, self._device)
        with self._autocast():
            image_embed, fine, middle = self._model.forward_image(pixels)
        if self._device.type == "cuda":  # or its time would be the next launch's
            torch.cuda.synchronize(self._device)
        return [ImageEmbedding(image_embed[i], (fine[i], middle[i])) for i in range(len(images))]

    @torch.inference_mode()
    def decode(self, rows: Sequence[DecodeRow]) -> Decoded:
        """Decode rows of equal shape, on any images, in one forward."""
        device = self._device
        points = torch.from_numpy(np.stack([row.points for row in rows])).to(device)
        labels = torch.from_numpy(np.stack([row.labels for row in rows])).to(device)
        masks = None
        if rows[0].mask_input is not None:
            stacked = np.stack([row.mask_input for row in rows if row.mask_input is not None])
            masks = torch.from_numpy(stacked)[:, None].to(device)
        decoder = self._model.sam_mask_decoder
        with self._autocast(), _IouTokenTap(decoder.transformer, _iou_row(decoder)) as tap:
            sparse, dense = self._model.sam_prompt_encoder(
                points=(points, labels), boxes=None, masks=masks
            )
            logits, predicted_iou, mask_tokens, object_score = decoder.predict_masks(
                image_embeddings=_gather([row.embedding.image_embed for row in rows]),
                image_pe=self._dense_pe,
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                repeat_image=False,
                high_res_features=[
                    _gather([row.embedding.high_res_feats[level] for row in rows])
                    for level in range(2)
                ],
            )
        return Decoded(
            low_res_logits=logits.float(),
            predicted_iou=predicted_iou.float(),
            iou_token=tap.token.float(),
            mask_tokens=mask_tokens.float(),
            object_score_logits=object_score.float(),
        )

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self._device.type, dtype=torch.bfloat16, enabled=self._device.type == "cuda"
        )


def _gather(tensors: Sequence[Tensor]) -> Tensor:
    """(B, ...) of rows wherever they stand, in one copy; rows of one image are not copied."""
    first = tensors[0]
    if all(tensor.data_ptr() == first.data_ptr() for tensor in tensors):
        return first.expand(len(tensors), *first.shape)
    return torch.stack(list(tensors))


def _iou_row(decoder: nn.Module) -> int:
    return 1 if decoder.pred_obj_scores else 0


class _IouTokenTap:
    """Reads the IoU token, which upstream does not return, as the transformer puts it out."""

    token: Tensor

    def __init__(self, transformer: nn.Module, row: int) -> None:
        self._transformer = transformer
        self._row = row

    def __enter__(self) -> "_IouTokenTap":
        self._handle = self._transformer.register_forward_hook(self._read)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _read(self, _module: nn.Module, _args: Any, output: tuple[Tensor, Tensor]) -> None:
        self.token = output[0][:, self._row]
