import signal

import pytest

from suresam.training.stopping import Stopped, StopRequests


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_stops_at_once(number):
    with StopRequests() as requests:
        with pytest.raises(Stopped):
            signal.raise_signal(number)
        assert requests.is_wanted


def test_a_request_is_only_noted_where_the_work_looks_at_it():
    with StopRequests() as requests, requests.noted():
        assert not requests.is_wanted
        signal.raise_signal(signal.SIGTERM)
        assert requests.is_wanted


def test_a_second_request_does_not_disturb_the_saving():
    with StopRequests():
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


def test_afterwards_signals_do_what_they_did():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with pytest.raises(Stopped), StopRequests():
        signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
