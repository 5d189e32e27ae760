"""Settings that are right each by itself and cannot hold together."""

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suresam.settings import Settings


def refuse_conflicts(settings: "Settings") -> None:
    """Find two settings of which one has to go.

    Raises:
        ValueError: with the names and values of the first ones.
    """
    for check in _CHECKS:
        check(settings)


def _refuse_one_port_for_both(settings: "Settings") -> None:
    # Both may listen on one, and connections then go to either.
    if settings.http_port == settings.grpc_port != 0:
        raise ValueError(
            f"http_port and grpc_port are both {settings.http_port}; each server needs its own"
        )


def _refuse_contrary_deadlines(settings: "Settings") -> None:
    if settings.default_deadline_ms > settings.max_deadline_ms:
        raise ValueError(
            f"default_deadline_ms={settings.default_deadline_ms:g} is over "
            f"max_deadline_ms={settings.max_deadline_ms:g}"
        )


def _refuse_record_of_nothing(settings: "Settings") -> None:
    if settings.shadow_file is not None and settings.route != "shadow":
        raise ValueError(
            f"shadow_file={settings.shadow_file} is written with route=shadow alone (this is "
            f"route={settings.route})"
        )


def _refuse_contrary_routing(settings: "Settings") -> None:
    if None not in (settings.large_share, settings.large_time_share):
        raise ValueError(
            f"large_share={settings.large_share:g} is a part of the requests and "
            f"large_time_share={settings.large_time_share:g} of the device's time; give one of them"
        )
    if settings.decision_log is not None and settings.route != "auto":
        raise ValueError(
            f"decision_log={settings.decision_log!r} needs route=auto; with "
            f"route={settings.route} there is nothing to decide"
        )


def _refuse_share_of_no_traces(settings: "Settings") -> None:
    if settings.trace_ratio is not None and settings.otlp_endpoint is None:
        raise ValueError(
            f"trace_ratio={settings.trace_ratio:g} needs otlp_endpoint, to which traces are sent"
        )


def _refuse_two_lists_of_keys(settings: "Settings") -> None:
    if settings.api_keys is not None and settings.api_keys_file is not None:
        raise ValueError("api_keys and api_keys_file are both set; one must hold all keys")


def _refuse_half_of_tls(settings: "Settings") -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise ValueError("tls_cert and tls_key need each other")
    if settings.tls_client_ca is not None and settings.tls_cert is None:
        raise ValueError("tls_client_ca needs tls_cert and tls_key")


def _refuse_open_door(settings: "Settings") -> None:
    if not (settings.needs_key or settings.allow_anonymous or is_loopback(settings.host)):
        raise ValueError(
            f"host {settings.host} is reachable from other machines and no API keys are set; "
            "set --api-keys-file, or pass --allow-anonymous if that is meant"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_CHECKS = (
    _refuse_one_port_for_both,
    _refuse_contrary_deadlines,
    _refuse_record_of_nothing,
    _refuse_contrary_routing,
    _refuse_share_of_no_traces,
    _refuse_two_lists_of_keys,
    _refuse_half_of_tls,
    _refuse_open_door,
)
