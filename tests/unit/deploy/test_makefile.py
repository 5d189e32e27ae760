"""`make prometheus` writes what Prometheus is to read."""

import os
import subprocess

import pytest
import yaml
from programs import ROOT


@pytest.fixture
def job_of(tmp_path):
    """The job that a Prometheus would be given, by a stand-in that prints its configuration."""
    stand_in = tmp_path / "bin" / "prometheus"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\ncat "${1#--config.file=}"\n')
    stand_in.chmod(0o755)

    def run(*variables):
        # What a make around this one was given is not for it.
        around = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        told = subprocess.run(
            ["make", "--no-print-directory", "prometheus", f"WATCH={tmp_path}/watch", *variables],
            cwd=ROOT,
            env=around | {"PATH": f"{stand_in.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert told.returncode == 0, told.stderr
        [job] = yaml.safe_load(told.stdout)["scrape_configs"]
        return job

    return run


def test_a_service_without_keys_is_asked_without_one(job_of):
    job = job_of("HTTP_PORT=9", "KEY_FILE=", "CA=")
    assert job["static_configs"] == [{"targets": ["127.0.0.1:9"]}]
    assert not {"authorization", "scheme", "tls_config"} & set(job)


def test_a_service_with_keys_and_tls_is_asked_with_them(job_of):
    job = job_of("KEY_FILE=prometheus.key", "CA=/etc/ca.pem")
    assert job["authorization"] == {"credentials_file": str(ROOT / "prometheus.key")}
    assert (job["scheme"], job["tls_config"]) == ("https", {"ca_file": "/etc/ca.pem"})
