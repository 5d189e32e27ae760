"""What a model is, read from its manifest, and which models serve together as a family."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from suresam.domain import AUTO, LARGE, SMALL
from suresam.errors import ConfigurationError, UnknownModel
from suresam.segmentation.architecture import Architecture
from suresam.segmentation.box_convention import OFFICIAL, BoxConvention
from suresam.segmentation.model_folders import manifest_folders

# Names become file names, so none may leave its folder.
ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
_WeightsFile = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*\.(safetensors|pt)$")
]
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://")]

_STRICT = ConfigDict(extra="forbid", strict=True)


def _refuse(value: object) -> object:
    raise ValueError("this is not a field of the file")


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """All that is known of a model without reading its weights.

    Attributes:
        name: of the checkpoint, in every interface.
        source, licence: where the weights come from and under what terms.
        architecture: every tensor shape follows from it.
        weights: file name; `.safetensors` or an official `.pt`.
        box: how it was taught to read boxes.
        url: where the weights can be fetched, or None.
        sha256: of the weights file in lower-case hex, or None where none is established.
        size_bytes: of the weights file, or None.
        heads, calibration: names of what belongs to this checkpoint, or None.
        provenance: seed, commit, data, hours and figures; empty for official models.
        folder: where the manifest was read, and its weights are looked up; not in the file.
    """

    name: ModelName
    source: str
    licence: str
    architecture: Architecture
    weights: _WeightsFile
    box: BoxConvention = OFFICIAL
    url: _HttpUrl | None = None
    sha256: _Sha256 | None = None
    size_bytes: Annotated[int, Field(gt=0)] | None = None
    heads: str | None = None
    calibration: str | None = None
    provenance: dict[str, Any] = field(default_factory=dict, hash=False)
    folder: Annotated[Path | None, BeforeValidator(_refuse)] = None

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True, slots=True)
class Family:
    """Models that serve together, cheapest first.

    Attributes:
        name: of the family's file, also where the user replaced members.
        members: at least one; all with the same decoder width, so that they can share heads.

    Raises:
        ConfigurationError: for no members, one named twice, or differing widths.
    """

    name: str
    members: tuple[ModelManifest, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot serve together."""
        names = [member.name for member in self.members]
        if not names or len(set(names)) < len(names):
            raise ConfigurationError(
                f"family {self.name} needs at least one member and none twice: {_listed(names)}"
            )
        if len({member.architecture.d_model for member in self.members}) > 1:
            widths = (f"{member.name} {member.architecture.d_model}" for member in self.members)
            raise ConfigurationError(
                f"members of family {self.name} differ in d_model: {_listed(widths)}"
            )

    def member(self, role_or_name: str) -> ModelManifest:
        """The member with that role ("small" is the first, "large" the last) or name.

        Raises:
            UnknownModel: if there is none.
        """
        return self.members[self._index(role_or_name)]

    def roles_of(self, name: str) -> tuple[str, ...]:
        """The roles of a member: one, none, or both if it is the only one.

        Raises:
            UnknownModel: if there is no such member.
        """
        index = self._index(name)
        ends = ((SMALL, 0), (LARGE, len(self.members) - 1))
        return tuple(role for role, end in ends if index == end)

    def _index(self, role_or_name: str) -> int:
        places = {member.name: index for index, member in enumerate(self.members)}
        places |= {SMALL: 0, LARGE: len(self.members) - 1}
        if role_or_name not in places:
            raise UnknownModel(
                f"family {self.name} has no model {role_or_name!r}; it has {_listed(places)}"
            )
        return places[role_or_name]


def load_manifest(name: str, models_dir: Path | None = None) -> ModelManifest:
    """Read one model's manifest from the user's folder or from the bundled ones.

    Raises:
        ConfigurationError: if there is none of that name, or its fields are wrong.
    """
    return _find_manifest(name, manifest_folders(models_dir))


def write_manifest(manifest: ModelManifest, folder: Path) -> Path:
    """Write a model's manifest, one field a line, and return its path."""
    values = {f.name: getattr(manifest, f.name) for f in fields(manifest) if f.name != "folder"}
    values["architecture"] = manifest.architecture.to_dict()
    values["box"] = asdict(manifest.box)
    path = folder / f"{manifest.name}.json"
    path.write_text(_as_json(values) + "\n")
    return path


def _as_json(value: object, margin: str = "\n") -> str:
    """Objects spread over lines, lists kept on one."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value)
    inner = margin + "  "
    lines = (f"{inner}{json.dumps(key)}: {_as_json(item, inner)}" for key, item in value.items())
    return "{" + ",".join(lines) + margin + "}"


def list_manifests(models_dir: Path | None = None) -> tuple[ModelManifest, ...]:
    """All models that are known, by name; the user's folder wins over a bundled namesake.

    Raises:
        ConfigurationError: if a manifest's fields are wrong.
    """
    folders = manifest_folders(models_dir)
    return tuple(_find_manifest(name, folders) for name in _names(folders))


def load_family(spec: str, models_dir: Path | None = None) -> Family:
    """Read a family and put in the members that the user chose instead.

    Args:
        spec: `NAME` or the path of a family's JSON file, and then perhaps
            `:ROLE=MODEL[,ROLE=MODEL]`; a member's name works as its role does. A model's name is
            a family of that model alone. Models of a family given by path are looked up in its
            own folder first.
        models_dir: the user's folder of models, or None.

    Raises:
        ConfigurationError: for an unknown family, member or model, or files with wrong fields.
    """
    base, colon, overrides = spec.rpartition(":")
    if not colon or "=" not in overrides:
        base, overrides = spec, ""
    folders = manifest_folders(models_dir)
    path = Path(base)
    if path.suffix == ".json":
        own = path.parent.parent if path.parent.name == "families" else path.parent
        folders = (own, *folders)
        file = _read(path, _FAMILY_FILE)
    else:
        file = _find_family(base, folders)
    family = Family(file.name, tuple(_find_manifest(name, folders) for name in file.members))
    members = list(family.members)
    for override in overrides.split(",") if overrides else ():
        replaced, equals, name = override.partition("=")
        if not equals:
            raise ConfigurationError(f"{spec}: {override!r} is not of the form ROLE=MODEL")
        try:
            place = family.members.index(family.member(replaced))
        except UnknownModel as error:
            raise ConfigurationError(f"{spec}: {error}") from error
        members[place] = _find_manifest(name, folders)
    return Family(family.name, tuple(members))


def list_families(models_dir: Path | None = None) -> tuple[Family, ...]:
    """All families that are known by name.

    Raises:
        ConfigurationError: if a family's or a manifest's fields are wrong.
    """
    folders = [folder / "families" for folder in manifest_folders(models_dir)]
    return tuple(load_family(name, models_dir) for name in _names(folders))


def select_models(
    names: Sequence[str], models_dir: Path | None = None
) -> tuple[ModelManifest, ...]:
    """The models that are meant by names of models and of families, each once.

    Raises:
        ConfigurationError: if a name is neither.
    """
    groups = {family.name: family.members for family in list_families(models_dir)}
    groups |= {model.name: (model,) for model in list_manifests(models_dir)}
    chosen: dict[str, ModelManifest] = {}
    for name in names:
        if name not in groups:
            raise ConfigurationError(f"no model or family {name!r}; there are {_listed(groups)}")
        chosen |= {member.name: member for member in groups[name]}
    return tuple(chosen.values())


@dataclass(frozen=True, slots=True)
class _FamilyFile:
    name: ModelName
    members: tuple[ModelName, ...]
    description: str = ""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


_MANIFEST = TypeAdapter(ModelManifest)
_FAMILY_FILE = TypeAdapter(_FamilyFile)

_Named = TypeVar("_Named", ModelManifest, _FamilyFile)


def _read(path: Path, adapter: TypeAdapter[_Named]) -> _Named:
    """Read a file whose `name` must be the file's own."""
    try:
        value = adapter.validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {told_problems(error)}") from error
    if value.name != path.stem or value.name in (SMALL, LARGE, AUTO):
        raise ConfigurationError(
            f"{path}: name {value.name!r} must equal the file's name and not be a role"
        )
    return value


def told_problems(error: ValidationError) -> str:
    """What a file's fields have wrong, in one line: the place and the reason of each."""
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, item["loc"])), item["msg"])))
        for item in error.errors(include_url=False)
    )


def _find_manifest(name: str, folders: Sequence[Path]) -> ModelManifest:
    for folder in folders:
        if (path := folder / f"{name}.json").is_file():
            return replace(_read(path, _MANIFEST), folder=folder)
    raise ConfigurationError(f"no model {name!r}; there are {_listed(_names(folders))}")


def _find_family(name: str, folders: Sequence[Path]) -> _FamilyFile:
    for folder in folders:
        if (path := folder / "families" / f"{name}.json").is_file():
            return _read(path, _FAMILY_FILE)
    if name in _names(folders):
        return _FamilyFile(name, (name,))
    names = _names([folder / "families" for folder in folders])
    raise ConfigurationError(f"no family {name!r}; there are {_listed(names)}")


def _names(folders: Iterable[Path]) -> list[str]:
    return sorted({path.stem for folder in folders for path in folder.glob("*.json")})


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
