import os

import pytest
from pydantic import ValidationError

from suresam.errors import ConfigurationError
from suresam.setting_conflicts import is_loopback
from suresam.settings import Settings, client_api_key, read_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in os.environ:
        if name.upper().startswith("SURESAM_"):
            monkeypatch.delenv(name)


def test_defaults_listen_on_this_machine_only():
    settings = read_settings({})
    assert (settings.host, settings.http_port, settings.grpc_port) == ("127.0.0.1", 8080, 50051)
    assert settings.models == "demo"


def test_the_command_line_wins_over_the_environment_and_that_over_the_default(monkeypatch):
    monkeypatch.setenv("SURESAM_HTTP_PORT", "9000")
    monkeypatch.setenv("SURESAM_MAX_PROMPTS", "7")
    settings = read_settings({"http_port": 9001})
    assert (settings.http_port, settings.max_prompts, settings.max_points) == (9001, 7, 64)


def test_the_environment_is_read_in_either_case(monkeypatch):
    monkeypatch.setenv("suresam_grpc_port", "9002")
    assert read_settings({}).grpc_port == 9002


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"http_port": "x"}, "http_port='x': must be a whole number"),
        ({"http_port": 65536}, "http_port=65536: must be at most 65535"),
        ({"grpc_port": -1}, "grpc_port=-1: must be at least 0"),
        ({"max_prompts": 0}, "max_prompts=0: must be at least 1"),
        ({"session_ttl_s": 0}, "session_ttl_s=0: must be above 0"),
        ({"drain_s": float("nan")}, "drain_s=nan: "),
        ({"session_ttl_s": float("inf")}, "session_ttl_s=inf: must be a finite number"),
        ({"device": "tpu\n"}, r"device='tpu\\n': must be 'auto', 'cpu', 'cuda' or a list"),
        ({"shadow_share": 0}, "shadow_share=0: must be above 0"),
        (
            {"shadow_file": "x.jsonl"},
            "shadow_file=x.jsonl is written with route=shadow alone (this is route=small)",
        ),
        (
            {"otlp_endpoint": "collector:4317"},
            "otlp_endpoint='collector:4317': Input should be http://HOST:PORT or https://HOST:PORT",
        ),
        (
            {"otlp_endpoint": "http://name@collector:4317"},
            "otlp_endpoint='http://name@collector:4317': Input should be http://HOST:PORT",
        ),
        ({"trace_ratio": 0.5}, "trace_ratio=0.5 needs otlp_endpoint, to which traces are sent"),
        (
            {"large_share": 0.2, "large_time_share": 0.3},
            "large_share=0.2 is a part of the requests and large_time_share=0.3 of the device's "
            "time; give one of them",
        ),
        ({"large_time_share": 1.5}, "large_time_share=1.5: must be at most 1"),
        ({"decision_log": "x"}, "decision_log='x' needs route=auto"),
        ({"cache_bytes": "8 apples"}, "cache_bytes='8 apples': must be a whole number"),
        ({"drain_s": "soon"}, "drain_s='soon': must be a number"),
        ({"compile": "perhaps"}, "compile='perhaps': must be true or false"),
        ({"route": "big"}, "route='big': must be 'small', 'auto' or 'shadow'"),
        ({"colour": "red"}, "colour='red': there is no such setting"),
    ],
)
def test_a_wrong_value_is_one_line_with_name_and_value(overrides, message):
    with pytest.raises(ConfigurationError) as caught:
        read_settings(overrides)
    assert str(caught.value).startswith(message.replace("\\\\", "\\"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://collector:4317", "https://10.0.0.1/", "http://[::1]:4317"])
def test_traces_go_to_a_collector_and_an_empty_name_is_none(monkeypatch, url):
    monkeypatch.setenv("SURESAM_OTLP_ENDPOINT", "")
    assert read_settings({}).otlp_endpoint is None
    assert read_settings({"otlp_endpoint": url}).otlp_endpoint == url


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("8000000000", 8 * 10**9), ("8GB", 8 * 10**9), ("8GiB", 8 * 2**30), ("64 KiB", 64 * 1024)],
)
def test_bytes_may_have_a_unit(text, size_bytes):
    assert read_settings({"cache_bytes": text}).cache_bytes == size_bytes
    assert read_settings({"session_bytes": text}).session_bytes == size_bytes


def test_a_wrong_value_in_the_environment_is_named_alike(monkeypatch):
    monkeypatch.setenv("SURESAM_HTTP_PORT", "abc")
    with pytest.raises(ConfigurationError, match="http_port='abc': "):
        read_settings({})


def test_an_unknown_name_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("SURESAM_HTPP_PORT", "9000")
    with pytest.raises(ConfigurationError, match="SURESAM_HTPP_PORT='9000': there is no such"):
        read_settings({})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SURESAM_SERVICE_HOST", "10.0.0.1"),
        ("SURESAM_SERVICE_PORT_HTTP", "8080"),
        ("SURESAM_PORT", "tcp://10.0.0.1:8080"),
        ("SURESAM_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("SURESAM_WEB_SERVICE_HOST", "10.0.0.2"),
        ("NOT_SURESAM_COLOUR", "red"),
    ],
)
def test_what_kubernetes_puts_into_the_environment_is_no_setting(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert read_settings({}).http_port == 8080


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", ""])
def test_other_machines_are_let_in_only_if_that_is_meant(host):
    with pytest.raises(ConfigurationError, match=rf"host {host} is reachable .* --allow-anonymous"):
        read_settings({"host": host})
    assert read_settings({"host": host, "allow_anonymous": True}).host == host


@pytest.mark.parametrize("keys", [{"api_keys_file": "keys"}, {"api_keys": ""}])
def test_with_keys_other_machines_are_let_in(keys):
    assert read_settings({"host": "0.0.0.0", **keys}).needs_key


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tls_cert": "c"}, "tls_cert and tls_key need each other"),
        ({"tls_key": "k"}, "tls_cert and tls_key need each other"),
        ({"tls_client_ca": "a"}, "tls_client_ca needs tls_cert and tls_key"),
    ],
)
def test_half_of_tls_is_refused(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        read_settings(settings)


def test_keys_stand_in_one_place():
    with pytest.raises(ConfigurationError, match="api_keys and api_keys_file are both set"):
        read_settings({"api_keys_file": "keys", "api_keys": "a infer sha256:00"})


def test_the_key_of_clients_is_no_setting_and_keys_are_not_shown(monkeypatch):
    monkeypatch.setenv("SURESAM_API_KEY", "sk_suresam_secret")
    assert not read_settings({}).needs_key
    assert client_api_key() == "sk_suresam_secret"
    monkeypatch.setenv("SURESAM_API_KEYY", "sk_suresam_secret")
    with pytest.raises(ConfigurationError, match=r"SURESAM_API_KEYY=\*\*\*: there is no such"):
        read_settings({})


def test_both_servers_on_one_port_are_refused():
    with pytest.raises(ConfigurationError, match="http_port and grpc_port are both 18081"):
        read_settings({"http_port": 18081, "grpc_port": 18081})
    assert read_settings({"http_port": 0, "grpc_port": 0}).grpc_port == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_no_permission(host):
    assert is_loopback(host)
    assert read_settings({"host": host}).host == host


def test_settings_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        read_settings({}).http_port = 1


def test_every_setting_has_its_line_of_help():
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_the_limits_that_clients_are_told():
    limits = read_settings({"max_prompts": 5}).stated_limits()
    assert limits["max_prompts"] == 5
    assert limits["max_image_bytes"] == 32 * 2**20
    assert all(name in Settings.model_fields for name in limits)
