"""`suresam segment`: masks of one image, by a server or in this process."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from suresam.cli.api_key import add_key_option, read_key
from suresam.columns import aligned
from suresam.domain import (
    AUTO,
    Box,
    Point,
    Prompt,
    Result,
    RouteRequest,
    SegmentOptions,
    SegmentRequest,
    SegmentResponse,
    Uncertainty,
)
from suresam.errors import ConfigurationError, from_code
from suresam.outputs import check_picture

if TYPE_CHECKING:  # httpx and grpc, which a run in this process does without
    from suresam.client import Client, GrpcClient

_POINT_EXAMPLE = "write X,Y or X,Y,LABEL as in 320,240 or 320,240,0 (label 0: background)"
_BOX_EXAMPLE = "write X1,Y1,X2,Y2 as in 10,20,300,400"
_HEADINGS = ("mask", "predicted IoU", "stability", "entropy", "area", "share")
_GAP_HEADINGS = ("expected IoU", "model gap", "prompt gap", "task gap")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register `segment`."""
    parser = subparsers.add_parser(
        "segment",
        help="segment one image",
        description="Segment one thing in an image, named by points, a box or both.",
    )
    parser.add_argument("image", type=Path, metavar="IMAGE", help="image file")
    parser.add_argument(
        "--point",
        dest="points",
        action="append",
        default=[],
        type=parse_point,
        metavar="X,Y[,LABEL]",
        help="a click in pixels; label 1 is on the thing (default), 0 beside it; repeatable",
    )
    parser.add_argument(
        "--box", type=parse_box, metavar="X1,Y1,X2,Y2", help="a box round the thing, in pixels"
    )
    parser.add_argument(
        "--single", action="store_true", help="one mask instead of three candidates"
    )
    parser.add_argument(
        "--route",
        default=AUTO,
        metavar="MODE",
        help="auto (default), small, large or a model's name",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE.png", help="draw masks and prompts over the image"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the REST answer instead of a table"
    )
    parser.add_argument(
        "--server",
        metavar="URL",
        help="http(s)://HOST:PORT or grpc(s)://HOST:PORT; without it the models run in this "
        "process",
    )
    add_key_option(parser.add_argument)
    parser.add_argument(
        "--ca-file",
        type=Path,
        metavar="FILE",
        help="authorities of an https or grpcs server's certificate (default: the system's)",
    )
    parser.add_argument("--models", metavar="FAMILY", help="model family (without --server)")
    parser.add_argument(
        "--models-dir", metavar="DIR", help="your own folder of models (without --server)"
    )
    parser.add_argument(
        "--calibration", metavar="NAME", help="that scores are read by (without --server)"
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), help="where to run (without --server)"
    )
    parser.set_defaults(run=run)


def parse_point(text: str) -> tuple[Point, int]:
    """The point and label of "X,Y" or "X,Y,LABEL".

    Raises:
        argparse.ArgumentTypeError: it has another form.
    """
    parts = text.split(",")
    try:
        x, y, label = (*parts, "1") if len(parts) == 2 else parts
        point = Point(float(x), float(y))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a point; {_POINT_EXAMPLE}") from None
    if label not in ("0", "1"):
        raise argparse.ArgumentTypeError(f"label {label!r} of {text!r}: {_POINT_EXAMPLE}")
    return point, int(label)


def parse_box(text: str) -> Box:
    """The box of "X1,Y1,X2,Y2".

    Raises:
        argparse.ArgumentTypeError: it has another form.
    """
    try:
        x1, y1, x2, y2 = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a box; {_BOX_EXAMPLE}") from None
    return Box(x1, y1, x2, y2)


def run(options: argparse.Namespace) -> int:
    """Answer one command line.

    Raises:
        ConfigurationError: wrong use.
        ServiceError: the request was refused or failed.
    """
    request = _request(options)
    if options.server is None:
        # Brings torch along.
        from suresam.app import segment_in_process

        names = ("models", "models_dir", "calibration", "device")
        settings = {name: getattr(options, name) for name in names}
        chosen = {name: value for name, value in settings.items() if value is not None}
        response = segment_in_process(chosen, request)
    else:
        response = _ask_server(options, request)
    [result] = response.results
    if options.json:
        from suresam.wire.rest import SegmentResponseBody

        print(SegmentResponseBody.from_domain(response).model_dump_json(indent=2))
    if result.error is not None:
        raise from_code(result.error.code, result.error.message)
    if not options.json:
        print(format_table(response))
    if options.out is not None:
        _draw(request, result, options.out)
        print(f"wrote {options.out}", file=sys.stderr)
    return 0


def format_table(response: SegmentResponse) -> str:
    """The masks of the first prompt, one on a line, and what the service says of them."""
    result = response.results[0]
    assert response.image is not None, "only a prompt of a stream may lack it"
    assert result.route is not None, "likewise"
    num_pixels = response.image.width * response.image.height
    has_heads = any(mask.uncertainty.heads is not None for mask in result.masks)
    rows = [_HEADINGS + (_GAP_HEADINGS if has_heads else ())]
    for index, mask in enumerate(result.masks):
        doubt = mask.uncertainty
        gaps = (doubt.model_gap, doubt.prompt_gap, doubt.task_gap) if has_heads else ()
        expected = (_expected(doubt),) if has_heads else ()
        rows.append(
            (
                f"{'*' if index == result.best else ' '} {index}",
                f"{mask.predicted_iou:.3f}",
                f"{mask.stability:.3f}",
                "-" if doubt.entropy is None else f"{doubt.entropy:.3f}",
                f"{mask.area} px",
                f"{mask.area / num_pixels:.1%}",
                *expected,
                *("-" if gap is None else f"{gap:+.3f}" for gap in gaps),
            )
        )
    lines = aligned(rows, left=0)
    lines.append(f"* best; model {result.route.model} ({result.route.reason})")
    if result.advice is not None:
        lines.append(f"advice: {result.advice.action} ({result.advice.reason})")
    lines += [f"warning: {warning}" for warning in response.warnings]
    return "\n".join(lines)


def _expected(doubt: Uncertainty) -> str:
    if doubt.expected_iou is None or doubt.expected_iou_interval is None:
        return "-"
    low, high = doubt.expected_iou_interval
    return f"{doubt.expected_iou:.2f} [{low:.2f}, {high:.2f}]"


def _request(options: argparse.Namespace) -> SegmentRequest:
    if not options.points and options.box is None:
        raise ConfigurationError(f"nothing to segment: give --point or --box; {_POINT_EXAMPLE}")
    if options.server is not None and (options.models or options.device):
        raise ConfigurationError("--models and --device choose what runs here, not on --server")
    if options.server is None:
        for name in ("api_key_file", "ca_file"):
            if getattr(options, name) is not None:
                raise ConfigurationError(f"--{name.replace('_', '-')} is for a --server")
    if options.out is not None:
        check_picture(options.out)
    try:
        image = options.image.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {options.image}: {error.strerror}") from error
    prompt = Prompt(
        points=tuple(point for point, _ in options.points),
        labels=tuple(label for _, label in options.points),
        box=options.box,
    )
    return SegmentRequest(
        prompts=(prompt,),
        options=SegmentOptions(
            multimask=not options.single, route=RouteRequest(mode=options.route)
        ),
        image=image,
    )


def _ask_server(options: argparse.Namespace, request: SegmentRequest) -> SegmentResponse:
    assert request.image is not None
    with _client(options) as client:
        return client.segment(
            request.image,
            request.prompts,
            multimask=request.options.multimask,
            route=request.options.route,
        )


def _client(options: argparse.Namespace) -> "Client | GrpcClient":
    from suresam.client import Client, GrpcClient, Tls

    scheme, separator, address = options.server.partition("://")
    key, ca_file = read_key(options), options.ca_file
    if ca_file is not None and not scheme.endswith("s"):
        raise ConfigurationError(f"--ca-file is for https:// and grpcs://, not {scheme}://")
    if separator and address:
        if scheme in ("http", "https"):
            tls = None if ca_file is None else Tls(ca_file)
            return Client(options.server, api_key=key, tls=tls)
        if scheme in ("grpc", "grpcs"):
            return GrpcClient(address, api_key=key, tls=Tls(ca_file) if scheme == "grpcs" else None)
    raise ConfigurationError(
        f"--server {options.server!r} is not http(s)://HOST:PORT or grpc(s)://HOST:PORT"
    )


def _draw(request: SegmentRequest, result: Result, path: Path) -> None:
    from suresam.masks.overlay import draw_overlay
    from suresam.masks.rle import decode_rle
    from suresam.segmentation.images import ImageLimits, read_pixels

    assert request.image is not None
    [prompt] = request.prompts
    overlay = draw_overlay(
        read_pixels(request.image, ImageLimits()),
        [decode_rle(mask.rle) for mask in result.masks if mask.rle is not None],
        prompt.points,
        prompt.point_labels,
        prompt.box,
        [f"{i}  predicted IoU {mask.predicted_iou:.2f}" for i, mask in enumerate(result.masks)],
        result.best or 0,
        None if result.advice is None else result.advice.point,
    )
    try:
        overlay.save(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot write {path}: {error}") from error
