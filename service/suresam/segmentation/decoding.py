"""Upstream's mask decoder as one function of tensors, with the token that upstream keeps."""

from typing import Any, NamedTuple

import torch
from sam2.modeling.sam.mask_decoder import MaskDecoder
from torch import Tensor, nn


class DecoderInputs(NamedTuple):
    """Of B rows.

    Attributes:
        image_embed: (B, C, S/16, S/16).
        fine, middle: (B, C/8, S/4, S/4) and (B, C/4, S/8, S/8), the high-resolution features.
        sparse: (B, N, C) of the points, with upstream's padding point.
        dense: (B, C, S/16, S/16) of the mask inputs.
    """

    image_embed: Tensor
    fine: Tensor
    middle: Tensor
    sparse: Tensor
    dense: Tensor


class MaskDecoding:
    """Calls a mask decoder, which stays as it is: a hook reads the IoU token on its way.

    Args:
        decoder: upstream's `MaskDecoder`.
        dense_pe: (1, C, S/16, S/16), the position of every cell of the image embedding.

    Attributes:
        tap: the hook, to be entered by whoever calls; what is compiled may set no hook itself.
    """

    def __init__(self, decoder: MaskDecoder, dense_pe: Tensor) -> None:
        self._decoder = decoder
        self._dense_pe = dense_pe
        self.tap = _IouTokenTap(decoder.transformer, 1 if decoder.pred_obj_scores else 0)

    def run(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Decode rows.

        Args:
            inputs: the fields of `DecoderInputs`.

        Returns:
            The fields of `Decoded`; what autocast left in a lower precision stays so, but the
            predicted IoU is float32: candidates are ranked by it, and bfloat16 has one value where
            they differ by 0.004.
        """
        given = DecoderInputs(*inputs)
        logits, predicted_iou, mask_tokens, object_score = self._decoder.predict_masks(
            image_embeddings=given.image_embed,
            image_pe=self._dense_pe,
            sparse_prompt_embeddings=given.sparse,
            dense_prompt_embeddings=given.dense,
            repeat_image=False,
            high_res_features=[given.fine, given.middle],
        )
        iou_token = self.tap.take()
        if predicted_iou.dtype != torch.float32:
            with torch.autocast(logits.device.type, enabled=False):
                predicted_iou = self._decoder.iou_prediction_head(iou_token.float())
        return logits, predicted_iou, iou_token, mask_tokens, object_score


class _IouTokenTap:
    """Reads the IoU token, which upstream does not return, as the transformer puts it out."""

    def __init__(self, transformer: nn.Module, row: int) -> None:
        self._transformer = transformer
        self._row = row
        self._token: Tensor | None = None

    def __enter__(self) -> None:
        self._handle = self._transformer.register_forward_hook(self._read)

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def take(self) -> Tensor:
        token, self._token = self._token, None
        assert token is not None, "the transformer has run"
        return token

    def _read(self, _module: nn.Module, _args: Any, output: tuple[Tensor, Tensor]) -> None:
        self._token = output[0][:, self._row]
