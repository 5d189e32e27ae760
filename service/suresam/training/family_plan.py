"""Which members a family has, how each is trained and on what it builds."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from suresam.errors import ConfigurationError
from suresam.evaluation.observations.plan import PROMPTS
from suresam.segmentation.box_convention import TRAINED_HERE, BoxConvention
from suresam.segmentation.manifests import ModelName, told_problems


class MemberPlan(BaseModel):
    """One member.

    Attributes:
        name: of the checkpoint, its manifest and its weights.
        recipe: a shipped recipe's name or a JSON file (see `recipe.load_recipe`).
        share: part of the family's hours.
        init_from: an earlier member whose weights it starts from, or None to start from nothing.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: ModelName
    recipe: str
    share: Annotated[float, Field(gt=0, le=1)]
    init_from: str | None = None


class HeadsPlan(BaseModel):
    """Uncertainty heads of a family.

    Attributes:
        name: of the heads; their file is called so.
        scenes: that they learn from.
        prompts: of each target in them, or None for one of every kind.
        judged_scenes: held-out ones that they are judged on.
        calibration: name of their calibration.
        calibration_scenes: that it is fitted on.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: ModelName
    scenes: Annotated[int, Field(ge=2)] = 1500
    prompts: Annotated[int, Field(ge=1, le=len(PROMPTS))] | None = None
    judged_scenes: Annotated[int, Field(ge=2)] = 1000
    calibration: ModelName
    calibration_scenes: Annotated[int, Field(ge=40)] = 500


class FamilyPlan(BaseModel):
    """A family, cheapest member first.

    Attributes:
        name, description, licence: go into the family's file, the manifests and the card.
        members: at least one.
        box: how the members read boxes; as our training teaches them, unless told otherwise.
        heads: uncertainty heads, or None for none.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: ModelName
    description: str
    licence: str
    members: Annotated[tuple[MemberPlan, ...], Field(min_length=1, strict=False)]
    box: BoxConvention = TRAINED_HERE
    heads: HeadsPlan | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        total = sum(member.share for member in self.members)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the members' shares add up to {total:g}, not to 1")
        earlier: set[str] = set()
        for member in self.members:
            if member.name in earlier:
                raise ValueError(f"member {member.name} is named twice")
            if member.init_from is not None and member.init_from not in earlier:
                raise ValueError(
                    f"{member.name} starts from {member.init_from}, which is no earlier member"
                )
            earlier.add(member.name)
        return self


def load_family_plan(name: str) -> FamilyPlan:
    """The plan of a shipped family (`demo`) or of a JSON file.

    Raises:
        ConfigurationError: if there is none, or it is malformed.
    """
    shipped = resources.files("suresam.training") / "configs" / "families" / f"{name}.json"
    try:
        text = shipped.read_text() if shipped.is_file() else Path(name).read_text()
        return FamilyPlan.model_validate_json(text)
    except OSError as error:
        raise ConfigurationError(f"no such family plan: {name} ({error.strerror})") from error
    except ValidationError as error:
        raise ConfigurationError(f"family plan {name}: {told_problems(error)}") from error
