"""Every setting: command line over environment (`SURESAM_*`) over default, read once."""

import os
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from suresam.domain import MOST_PROMPTS
from suresam.errors import ConfigurationError
from suresam.refusals import reason_of
from suresam.setting_conflicts import refuse_conflicts
from suresam.setting_types import Bytes, Collector, Devices, Port

_PREFIX = "SURESAM_"
_SET_BY_KUBERNETES = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_\w+)")
"""What every pod finds in its environment beside a Service whose name begins with suresam."""

_OF_CLIENTS = "SURESAM_API_KEY"
"""No setting, but the key that our own clients send."""

_MIB = 2**20

_SECRETS = ("api_keys",)
_HIDDEN = "***"

_CLIENT_LIMITS = (
    "max_image_bytes",
    "max_body_bytes",
    "max_image_pixels",
    "max_image_side",
    "max_prompts",
    "max_points",
    "max_session_images",
    "default_deadline_ms",
    "max_deadline_ms",
    "session_ttl_s",
    "max_in_flight",
)


class Settings(BaseSettings):
    """The whole configuration. Each description is the manual of its option."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, extra="forbid", allow_inf_nan=False
    )

    host: str = Field("127.0.0.1", description="address to listen on, for HTTP and gRPC")
    http_port: Port = Field(
        8080, description="port of REST, metrics and probes; 0 picks a free one"
    )
    grpc_port: Port = Field(50051, description="port of gRPC; 0 picks a free one")
    allow_anonymous: bool = Field(
        False, description="listen beyond loopback although no API keys are set"
    )
    api_keys_file: str | None = Field(
        None,
        description="file of API keys, one line each as `suresam keys new` prints it; read again "
        "when it changes and on SIGHUP. With keys nothing but probes answers without one",
    )
    api_keys: SecretStr | None = Field(
        None, description="the same lines themselves, with line breaks or ; between them"
    )
    tls_cert: str | None = Field(
        None,
        description="PEM file of the certificate for HTTPS and gRPC; it, its key and the client "
        "authorities are read again when they change, and on SIGHUP",
    )
    tls_key: str | None = Field(None, description="PEM file of its private key, no password")
    tls_client_ca: str | None = Field(
        None,
        description="PEM file of the authorities whose certificates clients must show, probes "
        "included",
    )
    models: str = Field(
        "demo",
        description="model family, or family:role=name,... to replace members, "
        "or a family's JSON file",
    )
    calibration: str | None = Field(
        None,
        description="name of a calibration to use instead of the family's own; see `suresam "
        "calibrate`",
    )
    models_dir: str | None = Field(
        None, description="folder of manifests and weights that is searched first"
    )
    device: Devices = Field(
        "auto",
        description="where the models run: auto (CUDA if there is any), cpu, cuda, or a list such "
        "as cuda:0,cuda:1, each of which gets an engine of its own",
    )
    engine: Literal["auto", "local", "process"] = Field(
        "auto",
        description="local works in the server's own process, process in one of its own for each "
        "device, which is replaced when it dies; auto is local for one device",
    )
    launch_timeout_s: float = Field(
        60,
        gt=0,
        description="seconds after which a launch on the device is taken to hang; it has twenty "
        "times its measured cost in any case",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="precision that the models compute in; auto takes bfloat16 on a GPU that has "
        "it, else float32; bfloat16 must give the masks of float32 before anything is served",
    )
    compile: bool = Field(
        False,
        description="compile the models before serving, which needs a C++ compiler and minutes; "
        "their masks must be those of the models as they are",
    )
    route: Literal["small", "auto", "shadow"] = Field(
        "small",
        description="what becomes of requests in auto mode: small answers all of them, auto asks a "
        "larger member where its expected gain is worth it, shadow answers as small does and asks "
        "the large member afterwards, in quiet times, what it would have gained",
    )
    shadow_share: float = Field(
        0.1,
        gt=0,
        le=1,
        description="part of the prompts in auto mode that shadow mode draws, above 0 to 1",
    )
    shadow_file: str | None = Field(
        None,
        description="file to which shadow mode adds a JSON line for each comparison, for `suresam "
        "calibrate route` (default: metrics alone)",
    )
    shadow_file_bytes: Bytes = Field(
        16 * _MIB, description="bytes of that file, which end shadow mode"
    )
    large_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="part of the requests in auto mode that may go to a larger member, 0 to 1; "
        "those that gain most go first (default: all)",
    )
    large_time_share: float | None = Field(
        None,
        ge=0,
        le=1,
        description="instead of --large-share: part of the device's time for requests in auto mode "
        "that larger members may take, 0 to 1; those that gain most for their time go first",
    )
    decision_log: str | None = Field(
        None,
        description="file to which every decision of --route auto is appended, as a line of JSON: "
        "evidence and outcome, but no prompts, ids or pictures",
    )
    max_escalation_backlog_ms: float = Field(
        500,
        ge=0,
        description="milliseconds of work waiting for the device above which no request in auto "
        "mode goes to a larger member",
    )
    max_image_bytes: Bytes = Field(32 * _MIB, description="bytes of one uploaded image")
    max_body_bytes: Bytes = Field(
        128 * _MIB, description="bytes of one request, all its images and prompts together"
    )
    max_image_pixels: int = Field(50_000_000, ge=1, description="pixels of one image")
    max_image_side: int = Field(20_000, ge=1, description="pixels of an image's longer side")
    max_image_cpu_s: float = Field(
        10, gt=0, description="processor seconds for the header of one image, and for its pixels"
    )
    max_decoded_pixels: int = Field(
        100_000_000,
        ge=1,
        description="pixels of the images that are decoded or wait for their encode at a time, for "
        "each device, about 16 bytes of memory each. A tenant has half of them; one image alone "
        "may have more",
    )
    max_prompts: int = Field(256, ge=1, le=MOST_PROMPTS, description="prompts in one request")
    max_points: int = Field(64, ge=1, description="points in one prompt")
    max_session_images: int = Field(16, ge=1, description="images in one session")
    default_deadline_ms: float = Field(
        10_000, gt=0, description="milliseconds for an answer when the request names none"
    )
    max_deadline_ms: float = Field(
        300_000, gt=0, description="milliseconds that a request may ask for at most"
    )
    session_ttl_s: float = Field(
        900, gt=0, description="seconds without use after which a session expires"
    )
    cache_bytes: Bytes | None = Field(
        None,
        description="bytes for cached image embeddings, 0 to keep none (default: half of a GPU's "
        "free memory, or a quarter of the machine's, at most 2 GiB)",
    )
    host_cache_bytes: Bytes | None = Field(
        None,
        description="bytes of host memory for embeddings that the device has no room for any more; "
        "they come back without an encode (default: a quarter of the machine's free memory, at "
        "most 8 GiB, behind a GPU, where it is page-locked; none on a CPU)",
    )
    session_bytes: Bytes = Field(
        2 * 1024 * _MIB, description="bytes for the uploaded files of all sessions"
    )
    max_in_flight: int = Field(
        512, ge=1, description="requests in progress; more are refused with 429"
    )
    max_connections: int = Field(
        20_000,
        ge=1,
        description="open connections to each of the two ports; more are closed at once",
    )
    max_head_s: float = Field(
        10,
        gt=0,
        description="seconds for the headers of a request, and for a new connection to begin one",
    )
    max_upload_idle_s: float = Field(
        30, gt=0, description="seconds between two pieces of a request's body or of an upload"
    )
    max_upload_s: float = Field(
        300, gt=0, description="seconds for all of a request's body, or all of an upload"
    )
    keep_alive_s: float = Field(
        5,
        gt=0,
        description="seconds after which an HTTP connection that asks nothing more is closed; more "
        "than that of a proxy in front of the service",
    )
    max_encode_batch: int = Field(4, ge=1, description="images in one encoder launch")
    max_decode_batch: int = Field(
        16, ge=1, description="prompts in one decoder launch, which a click may have to wait for"
    )
    max_encode_ms: float = Field(
        50,
        gt=0,
        description="milliseconds of one encoder launch of several images, which a click may have "
        "to wait for; one image is launched however long it takes",
    )
    encode_share: float = Field(
        0.3,
        gt=0,
        lt=1,
        description="part of the device's time that uploads get while clicks wait as well, 0 to 1",
    )
    decode_threads: int | None = Field(
        None,
        ge=1,
        description="threads that decode prompts where models run on the CPU (default: all cores "
        "but one, which the rest of the service needs)",
    )
    cpu_threads: int = Field(
        2,
        ge=1,
        description="threads that decode images beside the device, and as many that encode masks",
    )
    drain_s: float = Field(
        25, ge=0, description="seconds that a stopping server waits for requests in progress"
    )
    drain_delay_s: float = Field(
        1,
        ge=0,
        le=60,
        description="seconds that a stopping server at least goes on to take connections, to tell "
        "whoever does not know of it yet; how long a load balancer takes to see /readyz",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe messages to log"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="of the log on standard error: lines to read, or JSON to collect"
    )
    otlp_endpoint: Collector = Field(
        None,
        description="collector of OpenTelemetry traces, over gRPC, such as http://collector:4317 "
        "or https://...; OTEL_* in the environment say the rest, such as headers and certificates "
        "(default: no traces)",
    )
    trace_ratio: float | None = Field(
        None,
        ge=0,
        le=1,
        description="part of the requests to trace, 0 to 1, of those that do not come with a trace "
        "of their own, which they follow (default: as OTEL_TRACES_SAMPLER says, else all)",
    )

    access_log: bool = Field(
        False,
        description="log each answer: request id, tenant, address, call, code and milliseconds",
    )

    @property
    def needs_key(self) -> bool:
        """Whether API keys are set, be it none at all of them."""
        return self.api_keys is not None or self.api_keys_file is not None

    def stated(self) -> dict[str, Any]:
        """All of it as JSON has it, without secrets."""
        told = self.model_dump(mode="json")
        return told | {name: _HIDDEN for name in _SECRETS if told[name] is not None}

    def stated_limits(self) -> dict[str, int | float]:
        """The limits that a client may run into, by name."""
        return {name: getattr(self, name) for name in _CLIENT_LIMITS}

    @model_validator(mode="after")
    def _refuse_conflicts(self) -> "Settings":
        refuse_conflicts(self)
        return self


def read_settings(overrides: Mapping[str, Any]) -> Settings:
    """Settings from overrides (the command line) over the environment over defaults.

    Raises:
        ConfigurationError: one line with the name and the value of the first wrong setting.
    """
    _refuse_unknown(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        reason = reason_of(first)
        text = f"{name}={first['input']!r}: {reason}" if name else reason
        raise ConfigurationError(text) from None


def client_api_key() -> str | None:
    """The key that clients send if they are given none, from `SURESAM_API_KEY`."""
    return os.environ.get(_OF_CLIENTS) or None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    # Pydantic ignores environment variables that no field has, and with them every typing error.
    known = Settings.model_fields
    for variable, value in environment.items():
        name = variable.upper()
        if not name.startswith(_PREFIX) or name.removeprefix(_PREFIX).lower() in known:
            continue
        if name == _OF_CLIENTS or _SET_BY_KUBERNETES.fullmatch(name) or "://" in value:
            continue
        shown = "***" if "KEY" in name else repr(value)  # it may be one
        raise ConfigurationError(f"{variable}={shown}: there is no such setting")
