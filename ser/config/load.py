"""YAML -> frozen model, strictly: every mistake is named with file, key and expectation."""

import difflib
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ser.base.errors import SerError
from ser.base.files import read_text

Config = TypeVar("Config", bound=BaseModel)


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader that refuses duplicate keys and knows ``!include file``."""

    path: Path

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        for (key_node, _), key in zip(node.value, keys, strict=True):
            if keys.count(key) > 1:
                raise SerError(
                    f"{self.path}:{key_node.start_mark.line + 1}: the key '{key}' stands "
                    f"{keys.count(key)} times; expected once; remove the others"
                )
        return super().construct_mapping(node, deep)


def _include(loader: _StrictLoader, node: yaml.ScalarNode) -> Any:
    return read_yaml(loader.path.parent / str(loader.construct_scalar(node)))


_StrictLoader.add_constructor("!include", _include)


def read_yaml(path: Path) -> Any:
    """Reads a YAML file; ``!include other.yaml`` stands for the content of a file beside it.

    Raises:
        SerError: The file is missing, is not YAML, or holds a key twice.
    """
    loader = _StrictLoader(read_text(path))
    loader.path = path
    try:
        return loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SerError(f"{path}:{line}: not YAML ({error.problem}); mend the line") from error
    finally:
        loader.dispose()


def load_config(path: Path, model: type[Config]) -> Config:
    """Loads one configuration file.

    Raises:
        SerError: A key is unknown, missing or double, or a value has the wrong type or is out of
            range. The message names file, dotted key, value, and what was expected.
    """
    values = read_yaml(path)
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
    for part in error["loc"]:
        # pydantic names the chosen member of a union as if it were a key of the file.
        if isinstance(values, dict) and part == values.get("type") and part not in values:
            continue
        names.append(str(part))
        values = values.get(part) if isinstance(values, dict) else None
    dotted = ".".join(names)
    value = error["input"]
    if error["type"] == "extra_forbidden":
        keys = _all_keys(model)
        near = difflib.get_close_matches(names[-1], keys, n=1)
        expected = f"did you mean '{near[0]}'?" if near else f"expected one of {sorted(keys)}"
        return f"{path}: unknown key '{dotted}'; {expected}"
    if error["type"] == "missing":
        return f"{path}: the key '{dotted}' is missing; write it, it has no default"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{path}: {dotted + ': ' if dotted else ''}{message}"
    hint = ""
    if isinstance(value, str) and error["type"].startswith(("float", "int")):
        hint = "; YAML reads 1e-3 as text, write 1.0e-3"
    return f"{path}: '{dotted}' is {value!r}; {message[0].lower() + message[1:]}{hint}"


def _all_keys(kind: Any) -> set[str]:
    """The names of all keys of a model and of the sections in it."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        return set(fields).union(*(_all_keys(field.annotation) for field in fields.values()))
    return set().union(*(_all_keys(member) for member in get_args(kind)))
