"""YAML -> frozen model, strictly: every mistake is named with file, key and expectation."""

import difflib
import os
from collections.abc import Hashable, Iterator, Set
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ser.base.errors import SerError
from ser.base.files import read_text

Config = TypeVar("Config", bound=BaseModel)

MERGE_TAG = "tag:yaml.org,2002:merge"  # of the key ``<<``
# Sections whose keys are names of the user's: an own one stands for itself.
NAMED = {"classes", "sessions", "groups", "parts", "corpora"}


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader that refuses duplicate keys and knows ``!include file``.

    ``<<: !include file`` takes over the file's keys; those that stand beside it win, key by key.
    """

    path: Path
    within: tuple[Path, ...]  # the files that include this one

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [
            "<<" if key.tag == MERGE_TAG else self.construct_object(key) for key, _ in node.value
        ]
        for (key_node, _), key in zip(node.value, keys, strict=True):
            if keys.count(key) > 1:
                raise SerError(
                    f"{self.path}:{key_node.start_mark.line + 1}: the key '{key}' stands "
                    f"{keys.count(key)} times; expected once; remove the others"
                )
        base: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            if key_node.value == "<<" and value_node.tag == "!include":
                base = _include(self, value_node)
                if not isinstance(base, dict):
                    raise SerError(
                        f"{self.path}:{key_node.start_mark.line + 1}: {value_node.value} holds "
                        f"{type(base).__name__}; expected keys and values to take over"
                    )
        # A node of its own: an alias of this one must not find the include gone.
        rest = [(k, v) for k, v in node.value if (k.value, v.tag) != ("<<", "!include")]
        plain = yaml.MappingNode(node.tag, rest, node.start_mark, node.end_mark)
        # Deep, since PyYAML else fills sections in afterwards, and they could not be merged here.
        own = super().construct_mapping(plain, deep=True)
        whole = {key.value for key, value in node.value if value.tag == "!include"}
        return _merge(base, own, NAMED | whole)


def _merge(
    base: dict[Hashable, Any], own: dict[Hashable, Any], whole: Set[Hashable]
) -> dict[Hashable, Any]:
    """``own`` over ``base``, section by section; one in ``whole`` or of another type is all own."""
    if "type" in own and own["type"] != base.get("type"):
        return own
    merged = base | own
    for key in base.keys() & own.keys() - whole:
        if isinstance(base[key], dict) and isinstance(own[key], dict):
            merged[key] = _merge(base[key], own[key], NAMED)
    return merged


def _include(loader: _StrictLoader, node: yaml.ScalarNode) -> Any:
    # ``..`` is taken off the name, not off what a link leads to: of a recipe whose conf/systems is
    # a link, ../encoder.yaml is that recipe's own.
    included = Path(os.path.normpath(loader.path.parent / str(loader.construct_scalar(node))))
    if included.resolve() in (*loader.within, loader.path.resolve()):
        raise SerError(
            f"{loader.path}:{node.start_mark.line + 1}: !include {node.value} includes itself; "
            "expected another file; mend the line"
        )
    return read_yaml(included, (*loader.within, loader.path.resolve()))


_StrictLoader.add_constructor("!include", _include)


def read_yaml(path: Path, within: tuple[Path, ...] = ()) -> Any:
    """Reads a YAML file; ``!include other.yaml`` stands for the content of a file beside it.

    ``<<: !include other.yaml`` takes over its keys. Those of the including file win, and so does a
    single key of a section. A section of another ``type``, one that is included itself, and one
    whose keys are names (``classes``, ``groups``, ...) are replaced as a whole.

    Args:
        path: The file.
        within: The files that include it, resolved.

    Raises:
        SerError: The file is missing, is not YAML, includes itself, or holds a key twice.
    """
    text = read_text(path)
    try:
        loader = _StrictLoader(text)
        loader.path, loader.within = path, within
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SerError(f"{path}:{line}: not YAML ({error.problem}); mend the line") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SerError(f"{path}:{line}: not YAML ({error.reason}); mend the line") from error
    except ValueError as error:  # what looks like a date and is none
        raise SerError(f"{path}: not YAML ({error}); mend the value") from error


def load_config(path: Path, model: type[Config]) -> Config:
    """Loads one configuration file.

    Raises:
        SerError: A key is unknown, missing or double, or a value has the wrong type or is out of
            range. The message names file, dotted key, value, and what was expected.
    """
    return validate(path, model, read_yaml(path))


def validate(path: Path, model: type[Config], values: Any) -> Config:
    """Holds what a file says to a model.

    Raises:
        SerError: As for ``load_config``.
    """
    if not isinstance(values, dict):
        raise SerError(f"{path}: holds {type(values).__name__}; expected keys and values")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        said = (_explain(path, model, values, e) for e in error.errors()[:3])
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
    dotted = ".".join(names)
    value = error["input"]
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key '{dotted}'; {_suggest(dotted, set(_keys(model, values)))}"
    if error["type"] == "union_tag_invalid":
        tag, tags = error["ctx"]["tag"], error["ctx"]["expected_tags"]
        return f"{path}: '{dotted}' is '{tag}'; expected one of {tags}"
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
        hint = f"; write [{'' if value is None else value}]"
    return f"{path}: '{dotted}' is {value!r}; {message[0].lower() + message[1:]}{hint}"


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
