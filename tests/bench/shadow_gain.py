"""How near what shadow mode records comes to the true gain, where the truth is known.

    python tests/bench/shadow_gain.py scenes:400 --limit 150
    python tests/bench/shadow_gain.py DIR/bsds500/val --limit 100

Asks both members of the bundled pair about annotated pictures (a click in the centre, a click
anywhere, a box, three clicks), and sets beside the true gain in IoU: the gain that was expected
beforehand, what shadow mode would record, the same without its bound, the mere disagreement of both
masks, and the expected gain after a refit to what was recorded on the other half of the pictures.
Intervals are 95 %, by picture.
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from suresam import Segmenter
from suresam.columns import aligned
from suresam.datasets import open_dataset
from suresam.evaluation.agreement import pearson
from suresam.evaluation.bootstrap import ImageBootstrap
from suresam.evaluation.calibration.fitting import rising_curve
from suresam.evaluation.progress import tell_counts
from suresam.evaluation.prompts import central_click, random_click, scattered_clicks, tight_box
from suresam.evaluation.rows import told
from suresam.evaluation.targets import PictureDeck, usual_choice
from suresam.routing.shadow.comparison import bounded_gain

_PER_IMAGE = 3


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", metavar="DATASET")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="most pictures")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    args = parser.parse_args()
    dataset = open_dataset(args.dataset)
    choice = usual_choice(
        dataset, per_image=_PER_IMAGE, num_targets=None, num_images=args.limit, seed=args.seed
    )
    table = np.array(list(_answers(PictureDeck(dataset, choice), args.seed)))
    picture, is_click, expected, apart, iou, true = table.T
    recorded = np.array([bounded_gain(0, a, i) for a, i in zip(apart, iou, strict=True)])
    print(f"{dataset.name}: {len(np.unique(picture))} pictures, {len(table)} prompts")
    print(f"true gains beyond 1 - IoU: {int((np.abs(true) > 1 - iou + 1e-9).sum())}")
    for words, part in (("one click", is_click == 1), ("other prompts", is_click == 0)):
        bootstrap = ImageBootstrap(picture[part])
        refitted = _refitted(expected[part], recorded[part], picture[part], args.seed)
        columns = {
            "expected beforehand": expected[part],
            "the same, refitted": refitted,
            "recorded": recorded[part],
            "recorded, without its bound": apart[part],
            "disagreement, 1 - IoU": 1 - iou[part],
        }
        mean_true = told(bootstrap.mean(true[part]), "+")
        rows = [(f"{words}: true gain {mean_true}", "mean error", "RMS error", "correlation")]
        for name, said in columns.items():
            rows.append(
                (
                    name,
                    told(bootstrap.mean(said - true[part]), "+"),
                    told(bootstrap.statistic(_rms, said, true[part])),
                    told(bootstrap.statistic(pearson, said, true[part])),
                )
            )
        print("", *aligned(rows), sep="\n")
    return 0


def _answers(deck: PictureDeck, seed: int) -> Iterator[tuple[float, ...]]:
    """Of every prompt: picture, whether it is one click, expected gain, difference of expected
    IoUs, IoU between both answers, true gain.
    """
    small, large = Segmenter("demo", "small"), Segmenter("demo", "large")
    rng = np.random.default_rng(seed)
    with tell_counts("pictures", sys.stderr) as tell:
        for number in range(len(deck)):
            tell(number + 1, len(deck))
            picture = deck.draw(number)
            if picture is None:
                continue
            embedded = [member.embed(picture.image) for member in (small, large)]
            for target in picture.targets:
                prompts = (
                    {"points": [central_click(target.truth)]},
                    {"points": [random_click(target.truth, rng)]},
                    {"box": tight_box(target.truth), "multimask": False},
                    {"points": scattered_clicks(target.truth, 3, rng), "multimask": False},
                )
                for place, prompt in enumerate(prompts):
                    one = small.segment(embedded[0], **prompt)
                    other = large.segment(embedded[1], **prompt)
                    masks = one.masks[one.best], other.masks[other.best]
                    said = one.heads[one.best], other.heads[other.best]
                    yield (
                        number,
                        place < 2,
                        said[0].model_gap,
                        said[1].expected_iou - said[0].expected_iou,
                        _iou(*masks),
                        _iou(masks[1], target.truth) - _iou(masks[0], target.truth),
                    )


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def _refitted(
    expected: NDArray[np.float64],
    recorded: NDArray[np.float64],
    picture: NDArray[np.float64],
    seed: int,
) -> NDArray[np.float64]:
    """By what was recorded on the other half of the pictures."""
    pictures = np.random.default_rng(seed).permutation(np.unique(picture))
    is_first = np.isin(picture, pictures[: len(pictures) // 2])
    refitted = np.empty_like(expected)
    for mine in (is_first, ~is_first):
        refitted[mine] = rising_curve(expected[~mine], recorded[~mine])(expected[mine])
    return refitted


def _rms(said: NDArray[np.float64], true: NDArray[np.float64], weights: NDArray[np.float64]):
    return np.sqrt(weights @ (said - true) ** 2 / weights.sum(1))


if __name__ == "__main__":
    sys.exit(main())
