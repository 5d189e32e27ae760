"""One readable message for what pydantic finds wrong with a request."""

import reprlib
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from suresam.errors import InvalidPrompt, InvalidRequest

MAX_VALUE_CHARACTERS = 80
"""How much of a refused value a message repeats."""

_MOST_FINDINGS = 1000

_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "string_type": "a string",
    "tuple_type": "a list",
    "model_type": "an object",
}

_PARTS = {"points": ("x", "y"), "box": ("x1", "y1", "x2", "y2"), "shape": ("h", "w")}
"""What the fields that have a fixed length hold."""

_shortener = reprlib.Repr()
_shortener.maxstring = MAX_VALUE_CHARACTERS
_shortener.maxlist = _shortener.maxdict = 4
_shortener.maxlevel = 2

Location = tuple[int | str, ...]


def refusal(error: ValidationError) -> InvalidRequest | InvalidPrompt:
    """The error that a client is told: where, what stands there, what may stand there.

    Returns:
        `InvalidPrompt` if the first finding lies inside a prompt, else `InvalidRequest`.
    """
    if error.error_count() > _MOST_FINDINGS:  # to word them takes longer than to find them
        return InvalidRequest(f"the request has {error.error_count()} mistakes")
    findings = error.errors(include_url=False)
    first = findings[0]
    message = _describe(first)
    num_others = len({_location(finding) for finding in findings}) - 1
    if num_others:
        message += f" (and {num_others} more)"
    is_in_prompt = first["loc"][:1] == ("prompts",) and (
        len(first["loc"]) > 1 or first["type"] == "too_long"
    )
    return InvalidPrompt(message) if is_in_prompt else InvalidRequest(message)


def _location(finding: ErrorDetails) -> Location:
    # A list that is too short has a finding for each value it lacks; they are one mistake.
    location = finding["loc"]
    lacks_value = finding["type"] == "missing" and isinstance(location[-1], int)
    return location[:-1] if lacks_value else location


def _describe(finding: ErrorDetails) -> str:
    kind, location, value = finding["type"], finding["loc"], _show(finding["input"])
    if kind == "json_invalid":
        return f"the request is not valid JSON: {finding['ctx']['error']}"
    if kind == "extra_forbidden":
        return f"unknown field {_show(location[-1])} in {_path(location[:-1])}"
    if kind == "too_long" and location == ("prompts",):
        told = finding["ctx"]
        return f"{told['actual_length']} prompts in one request (limit {told['max_length']})"
    if kind == "too_long" or (kind == "missing" and isinstance(location[-1], int)):
        parts = _PARTS[next(part for part in reversed(location) if isinstance(part, str))]
        where = _path(_location(finding))
        return f"{where}={value} does not have {len(parts)} values ({', '.join(parts)})"
    if kind == "missing":
        return f"{_path(location)} is missing"
    if kind == "literal_error":
        return f"{_path(location)}={value} is not {finding['ctx']['expected']}"
    if kind in _EXPECTED:
        return f"{_path(location)}={value} is not {_EXPECTED[kind]}"
    return f"{_path(location)}={value} is refused: {finding['msg']}"


def _path(location: Location) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.lstrip(".") or "request"


def _show(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = _shortener.repr(value)
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[: MAX_VALUE_CHARACTERS - 3] + "..."
