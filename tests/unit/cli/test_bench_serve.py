import pytest

from suresam.cli import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rates", "5,x"), "--rates='5,x'"),
        (("--people", "0"), "--people=0"),
        (("--overload", "1"), "--overload=1"),
        (("--bulk", "0.9", "--cancel", "0.2"), "--bulk=0.9"),
        (("--sizes", "640"), "--sizes='640'"),
        (("--url", "nowhere"), "--url='nowhere'"),
        (("--url", "http://127.0.0.1:9"), "http://127.0.0.1:9 cannot be reached"),
        (("--url", "http://127.0.0.1:9", "--grpc"), "--grpc needs HOST:PORT"),
        (("--grpc", "127.0.0.1:9"), "--grpc=127.0.0.1:9 needs the --url"),
        (("--url", "http://127.0.0.1:9", "--", "--models", "demo"), "options after --"),
    ],
)
def test_wrong_use_is_told_on_one_line(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["bench", "serve", *words]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
