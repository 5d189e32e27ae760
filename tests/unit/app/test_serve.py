import logging
from types import SimpleNamespace

import pytest

from suresam.app.serve import _announce
from suresam.settings import read_settings


def service_of(needs_key=False, **settings):
    parts = SimpleNamespace(
        settings=read_settings(settings), family="demo", door=SimpleNamespace(needs_key=needs_key)
    )
    return SimpleNamespace(composition=parts, http_port=8080, grpc_port=50051)


def lines_of(service, capsys):
    _announce(service)
    return capsys.readouterr().out.splitlines()


def test_both_addresses_and_a_line_of_curl_are_told(capsys):
    _, rest, grpc, curl = lines_of(service_of(), capsys)
    assert rest.split()[:2] == ["REST", "http://127.0.0.1:8080"]
    assert grpc.split() == ["gRPC", "127.0.0.1:50051"]
    assert curl.startswith("  curl -F image=@")


def test_with_tls_grpc_says_so_and_curl_knows_whom_to_trust(capsys):
    files = {"tls_cert": "my cert.pem", "tls_key": "key", "tls_client_ca": "ca"}
    _, rest, grpc, curl = lines_of(service_of(needs_key=True, **files), capsys)
    assert rest.split()[1] == "https://127.0.0.1:8080"
    assert grpc.split() == ["gRPC", "grpcs://127.0.0.1:50051"]
    assert curl.startswith(
        "  curl --cacert 'my cert.pem' --cert CLIENT.pem --key CLIENT.key "
        '-H "Authorization: Bearer $SURESAM_API_KEY" -F image=@'
    )


@pytest.mark.parametrize("host", ["::", "::1"])
def test_an_address_of_version_6_stands_in_brackets(capsys, host):
    service = service_of(host=host, allow_anonymous=True)
    assert "grpc" not in (lines := lines_of(service, capsys))[1]
    assert lines[2].split() == ["gRPC", "[::1]:50051"]


def test_among_json_lines_it_is_a_line_of_the_log(capsys, caplog):
    with caplog.at_level(logging.INFO):
        assert lines_of(service_of(log_format="json"), capsys) == []
    assert "REST http://127.0.0.1:8080, gRPC 127.0.0.1:50051" in caplog.messages[0]
