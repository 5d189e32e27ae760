"""`suresam serve`: what is wrong with its settings is told at once."""

import json
import signal
import sys

import pytest

import suresam.app
from suresam.cli import main
from suresam.settings import Settings


@pytest.fixture(autouse=True)
def same_signals():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "0.0.0.0"], "host 0.0.0.0 is reachable from other machines"),
        (["--http-port", "99999"], "http_port='99999'"),
        (["--device", "tpu"], "device='tpu'"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_2_before_torch_is_loaded(
    options, message, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "suresam.app", None)  # which brings it along
    assert main(["serve", *options]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_the_configuration_is_shown_without_secrets_and_nothing_is_served(monkeypatch, capsys):
    monkeypatch.setattr(suresam.app, "serve", None)
    monkeypatch.setenv("SURESAM_API_KEYS", f"clinic infer sha256:{'0' * 64}")
    assert main(["serve", "--print-config", "--http-port", "0", "--log-format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["http_port"], told["log_format"], told["grpc_port"]) == (0, "json", 50051)
    assert told["api_keys"] == "***"
    assert set(told) == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--api-keys-file", "/nope"], "cannot read the API keys in /nope"),
        (["--tls-cert", "/nope", "--tls-key", "/nope"], "cannot use /nope, /nope for TLS"),
        (["--models", "foo"], "no family 'foo'"),
        (["--models", "demo-small", "--route", "auto"], "route=auto asks a larger member"),
        (["--models", "demo-small", "--route", "shadow"], "models=demo-small has 1 member"),
    ],
)
def test_a_configuration_that_the_service_would_not_start_with_is_not_shown(
    options, message, capsys
):
    assert main(["serve", "--print-config", *options]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_an_unknown_option_points_to_the_help_of_its_command(capsys):
    assert main(["serve", "--bogus"]) == 2
    told = capsys.readouterr().err
    assert "unrecognized arguments: --bogus (see `suresam serve --help`)" in told
    assert main(["evaluate", "segmenter", "scenes", "--bogus"]) == 2
    assert "(see `suresam evaluate segmenter --help`)" in capsys.readouterr().err
