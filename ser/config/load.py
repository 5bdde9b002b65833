"""YAML -> frozen model, strictly: every mistake is named with file, key and expectation."""

import difflib
import reprlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ser.base.errors import SerError, shortened
from ser.config.yaml_file import read_yaml, written_in

Config = TypeVar("Config", bound=BaseModel)

MAX_CHARS = 1000  # of a mistake in a message
_SHOWN = reprlib.Repr()  # of a value in a message
_SHOWN.maxlevel, _SHOWN.maxstring, _SHOWN.maxother = 3, 100, 100


def load_config(path: Path, model: type[Config]) -> Config:
    """Loads one configuration file.

    Raises:
        SerError: A key is unknown, missing or double, or a value has the wrong type or is out of
            range. The message names file, dotted key, value, and what was expected.
    """
    values = read_yaml(path)
    try:
        return validate(path, model, values)
    except SerError:
        if (written := written_in(path)) == path:
            raise
    return validate(written, model, values)


def validate(path: Path, model: type[Config], values: Any) -> Config:
    """Checks what a file says against a model.

    Raises:
        SerError: As for ``load_config``.
    """
    if not isinstance(values, dict):
        raise SerError(f"{path}: holds {type(values).__name__}; expected keys and values")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False)[:3]
        said = (shortened(_explain(path, model, values, e), MAX_CHARS) for e in found)
        raise SerError("; ".join(said)) from error


def _explain(path: Path, model: type[BaseModel], values: Any, error: ErrorDetails) -> str:
    """One line for one mistake."""
    names = []
    section = values
    for part in error["loc"]:
        # pydantic names the chosen member of a union as if it were a key of the file.
        if isinstance(section, dict) and part == section.get("type") and part not in section:
            continue
        names.append(str(part))
        section = section.get(part) if isinstance(section, dict) else None
    if error["type"].startswith("union_tag"):  # a union is told apart by its 'type'
        names.append("type")
    dotted = shortened(".".join(names))
    value = error["input"]
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key '{dotted}'; {_suggest(dotted, set(_keys(model, values)))}"
    if error["type"] == "union_tag_invalid":
        tag, tags = error["ctx"]["tag"], error["ctx"]["expected_tags"]
        return f"{path}: '{dotted}' is '{shortened(tag)}'; expected one of {tags}"
    if error["type"] in ("missing", "union_tag_not_found"):
        return f"{path}: the key '{dotted}' is missing; write it, it has no default"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{path}: {dotted + ': ' if dotted else ''}{message}"
    hint = ""
    if isinstance(value, str) and error["type"].startswith(("float", "int")):
        hint = "; YAML reads 1e-3 as text, write 1.0e-3"
    if isinstance(value, bool | int | float | None) and error["type"] == "string_type":
        hint = "; YAML reads words such as no, null and 1 as another kind, put them in quotes"
    if isinstance(value, str | None) and error["type"] == "list_type":
        hint = f"; write [{'' if value is None else shortened(value)}]"
    return f"{path}: '{dotted}' is {_SHOWN.repr(value)}; {message[0].lower() + message[1:]}{hint}"


def _suggest(unknown: str, known: set[str]) -> str:
    """What may have been meant: the nearest key of the same section, or else of another."""
    section, _, name = unknown.rpartition(".")
    here = {key.rpartition(".")[2]: key for key in known if key.rpartition(".")[0] == section}
    elsewhere = {key.rpartition(".")[2]: key for key in sorted(known)}
    for keys in (here, elsewhere):
        if near := difflib.get_close_matches(name, keys, n=1):
            return f"did you mean '{keys[near[0]]}'?"
    return f"expected one of {', '.join(sorted(here))}"


def _keys(kind: Any, values: Any, prefix: str = "") -> Iterator[str]:
    """The dotted keys that a model knows; of a union, those of the member that is chosen."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        held = values if isinstance(values, dict) else {}
        tag = kind.model_fields.get("type")
        if tag and held.get("type") not in get_args(tag.annotation):
            return
        for name, field in kind.model_fields.items():
            yield f"{prefix}{name}"
            yield from _keys(field.annotation, held.get(name), f"{prefix}{name}.")
    for member in get_args(kind):
        yield from _keys(member, values, prefix)
