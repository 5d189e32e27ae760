"""That the look at the service after an attack would see harm."""

import grpc
import pytest
from attack.tally import Tally, table


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"level": "error", "logger": "asyncio", "message": "lost"}', "log: asyncio: lost "),
        ("Traceback (most recent call last):", "log: Traceback (most recent call last):"),
    ],
)
def test_an_error_in_the_log_is_harm(service, line, told):
    with service.log.open("a") as log:
        log.write(f"{line}\n")
    assert service.harm() == [told]
    assert service.harm() == []


def test_other_masks_than_before_are_harm(service):
    masks, service.masks = service.masks, ["other"]
    assert service.harm() == [f"other masks over {way} than before" for way in ("REST", "gRPC")]
    service.masks = masks


def test_an_end_is_harm(service):
    process, service.process = service.process, _Ended()
    assert service.harm()[0] == "the process ended with code -9"
    service.process = process


def test_undocumented_answers_alone_are_faults():
    tally = Tally("x")
    for status in (200, 404, 429, 503, 504, None, grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE):
        tally.answered(status)
    assert not tally.faults
    for status in (500, 502, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
        tally.answered(status, "input")
    assert tally.faults[0] == "500 for input"
    assert len(tally.faults) == 4
    tally.sent(5)
    tally.mib = (100, 300, 120)
    cells = [cell.strip() for cell in table([tally])[-1].strip("|").split("|")]
    assert cells == ["all", "17", "2", "2", "7", "1", "4", "100", "300", "120"]


class _Ended:
    returncode = -9

    def poll(self) -> int:
        return self.returncode
