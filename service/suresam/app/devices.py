"""The devices that a service was told to use, in this process or in others."""

import sys
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from suresam.app.members import load_members, load_members_in_child, read_family
from suresam.engine.device import Charge, Device
from suresam.engine.limits import EngineLimits
from suresam.engine.local import LocalDevice, Member
from suresam.errors import ConfigurationError
from suresam.segmentation.sam2 import choose_devices
from suresam.settings import Settings
from suresam.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class LocalModels:
    """Models of one device that is driven from this process.

    Attributes:
        family: their name.
        members: cheapest first.
    """

    family: str
    members: Sequence[Member]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the members."""
        return tuple(member.backbone.name for member in self.members)

    @property
    def device(self) -> str:
        """That they are on."""
        return self.members[0].backbone.device

    def devices(
        self,
        limits: EngineLimits,
        pool: Executor,
        telemetry: Telemetry,
        charge: Charge | None = None,
    ) -> Sequence[Device]:
        """The one that they are on."""
        return [LocalDevice(self.members, limits, pool, telemetry, charge=charge)]


@dataclass(frozen=True, slots=True)
class ProcessModels:
    """Models that are loaded by an engine process for each device.

    Attributes:
        settings: say which.
        family: their name.
        names: of the members, cheapest first.
        device_names: such as "cuda:0".
    """

    settings: Settings
    family: str
    names: tuple[str, ...]
    device_names: tuple[str, ...]

    @property
    def device(self) -> str:
        """All of them."""
        return ",".join(self.device_names)

    def devices(
        self,
        limits: EngineLimits,
        pool: Executor,
        telemetry: Telemetry,
        charge: Charge | None = None,
    ) -> Sequence[Device]:
        """One process for each, which has a pool and metrics of its own."""
        from suresam.engine.process.device import ProcessDevice  # does without where it cannot be

        devices = [
            ProcessDevice(partial(load_members_in_child, self.settings, name), limits, charge)
            for name in self.device_names
        ]
        for device in devices:
            device.peers = devices
        return devices


Models = LocalModels | ProcessModels


def choose_models(settings: Settings) -> Models:
    """What is to be served, and where.

    Raises:
        ConfigurationError: no such family or device; several devices in one process; and, as far
            as models are loaded here, missing or damaged weights.
    """
    names = choose_devices(settings.device)
    family = read_family(settings)
    if settings.engine == "process" or (settings.engine == "auto" and len(names) > 1):
        if sys.platform != "linux":
            raise ConfigurationError(f"engine=process needs Linux (this is {sys.platform})")
        members = tuple(manifest.name for manifest in family.members)
        return ProcessModels(settings, family.name, members, tuple(names))
    if len(names) > 1:
        raise ConfigurationError(
            f"engine=local drives one device, and device={settings.device} names {len(names)}; "
            "use engine=process"
        )
    return LocalModels(family.name, load_members(settings, names[0]))
