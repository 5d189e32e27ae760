"""The picture holds every load, and also what nobody answered."""

import io

import pytest
from PIL import Image

pytest.importorskip("matplotlib")

from unit.benchmarks.route.test_delivered import ASKED, BUSY, KEPT, SMALL, click, refusal

from suresam.benchmarks.route.clicks import routed_clicks
from suresam.benchmarks.route.delivered import add, deliver
from suresam.benchmarks.route.plot import draw_route
from suresam.benchmarks.route.run import RouteReport

EXCHANGES = {
    ("0.25 x", "small"): [click(0.1, receipt=SMALL, scene=s) for s in range(3)],
    ("0.25 x", "auto"): [click(0.1, receipt=ASKED), click(0.2, receipt=KEPT, scene=1)],
    ("2 x", "small"): [click(0.1, receipt=SMALL)],
    ("2 x", "auto"): [click(1.1, receipt=BUSY), refusal(1.5)],
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("is_answered", [True, False])
def test_it_is_drawn_with_and_without_answers(is_answered):
    clicks = {
        key: routed_clicks(its if is_answered else [refusal()], 0) for key, its in EXCHANGES.items()
    }
    delivered = {
        (load, mode): deliver(load, mode, 5.0, 2.0, its, [], [1.0], 20.0)
        for (load, mode), its in clicks.items()
    }
    added = tuple(
        add(delivered[load, "small"], delivered[load, "auto"], clicks[load, "small"],
            clicks[load, "auto"])
        for load in ("0.25 x", "2 x")
    )  # fmt: skip
    report = RouteReport(20.0, True, 2.0, tuple(delivered.values()), added, clicks)
    picture = Image.open(io.BytesIO(draw_route(report, "here")))
    assert picture.width > 1000
