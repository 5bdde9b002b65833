"""YAML as our configuration is written: ``!include``, no key twice, and of bounded size.

A few hundred bytes of aliases can stand for more values than fit into memory, and so can files that
include one another: what they come to is counted before it is made.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ser.base.errors import SerError, shortened
from ser.base.files import parsing, read_text

INT_TAG, FLOAT_TAG = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
MERGE_TAG = "tag:yaml.org,2002:merge"  # of the key ``<<``
# Sections whose keys are names of the user's: an own one stands for itself.
NAMED = {"classes", "sessions", "groups", "parts", "corpora"}
OCTAL = re.compile(r"[-+]?0[0-9_]+")
SEXAGESIMAL = re.compile(r"[-+]?[0-9_]+(:[0-9_.]+)+")  # 1:30 is 90
MAX_BYTES = 1 << 17  # of a file: what is larger is no configuration
MAX_VALUES = 30_000  # of a file with all that it includes, aliases written out
MAX_DEPTH = 20  # of sections in sections
MAX_INCLUDES = 100  # in all


@dataclass
class _Reading:
    """What one call reads.

    Attributes:
        num_files: So far.
        values: Of the files that were read, by path: one that is included twice is read once.
    """

    num_files: int = 0
    values: dict[Path, Any] = field(default_factory=dict)


# libyaml where PyYAML was built with it, which its wheels are: ten times as fast.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):  # type: ignore[valid-type, misc]  # which of the two is not known
    """PyYAML's safe loader that refuses duplicate keys and knows ``!include file``.

    ``<<: !include file`` takes over the file's keys; those that stand beside it win, key by key.
    """

    path: Path
    within: tuple[Path, ...]  # the files that include this one
    reading: _Reading

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [
            "<<" if key.tag == MERGE_TAG else self.construct_object(key) for key, _ in node.value
        ]
        counts = Counter(key for key in keys if isinstance(key, Hashable))
        for (key_node, _), key in zip(node.value, keys, strict=True):
            if isinstance(key, Hashable) and counts[key] > 1:
                raise SerError(
                    f"{self.path}:{key_node.start_mark.line + 1}: the key '{shortened(key)}' "
                    f"stands {counts[key]} times; expected once; remove the others"
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
            "expected another file; correct the line"
        )
    if not included.exists():
        raise SerError(
            f"{included}: no such file; {loader.path}:{node.start_mark.line + 1} includes it; "
            "correct the line"
        )
    return _read(included, (*loader.within, loader.path.resolve()), loader.reading)


def _number(loader: _StrictLoader, node: yaml.ScalarNode) -> Any:
    where = f"{loader.path}:{node.start_mark.line + 1}: {node.value}"
    if SEXAGESIMAL.fullmatch(node.value):
        raise SerError(f"{where} is in base 60 in YAML; write a number, a word in quotes")
    if node.tag == FLOAT_TAG:
        return loader.construct_yaml_float(node)
    if OCTAL.fullmatch(node.value):
        raise SerError(
            f"{where} is octal in YAML; write a number without zeros in front, a word in quotes"
        )
    return loader.construct_yaml_int(node)


_StrictLoader.add_constructor("!include", _include)
_StrictLoader.add_constructor(INT_TAG, _number)
_StrictLoader.add_constructor(FLOAT_TAG, _number)


def read_yaml(path: Path) -> Any:
    """Reads a YAML file; ``!include other.yaml`` stands for the content of a file beside it.

    ``<<: !include other.yaml`` takes over its keys. Those of the including file win, and so does a
    single key of a section. A section of another ``type``, one that is included itself, and one
    whose keys are names (``classes``, ``groups``, ...) are replaced as a whole.

    Raises:
        SerError: The file is missing, is not YAML, includes itself, holds a key twice, or comes to
            more than ``MAX_VALUES`` values or ``MAX_DEPTH`` sections in sections.
    """
    value = _read(path, (), _Reading())
    _require_bounded(path, value, _parts_of_value)
    return value


def _read(path: Path, within: tuple[Path, ...], reading: _Reading) -> Any:
    """One file; ``within`` are those that include it, resolved."""
    if path in reading.values:
        return reading.values[path]
    reading.num_files += 1
    if reading.num_files > MAX_INCLUDES or len(within) > MAX_DEPTH:
        raise SerError(
            f"{path}: included as the {reading.num_files}th file, {len(within)} deep; expected at "
            f"most {MAX_INCLUDES} files, {MAX_DEPTH} deep; correct the !include lines"
        )
    text = read_text(path, MAX_BYTES)
    if unprintable := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, unprintable.start()) + 1
        shown = ascii(unprintable[0])
        raise SerError(f"{path}:{line}: not YAML (the character {shown}); correct the line")
    with parsing(path, "not YAML", "correct the value"):
        try:
            _require_shallow(path, text)
            loader = _StrictLoader(text)
            loader.path, loader.within, loader.reading = path, within, reading
            node = loader.get_single_node()
            _require_bounded(path, node, _parts_of_node)
            value = None if node is None else loader.construct_document(node)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            problem = shortened(error.problem)
            raise SerError(f"{path}:{line}: not YAML ({problem}); correct the line") from error
        except RecursionError as error:
            raise _too_deep(path) from error
    reading.values[path] = value
    return value


def _require_shallow(path: Path, text: str) -> None:
    """Before a tree is made of a file: making one recurses, in libyaml without a limit."""
    depth = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH + 1:
                raise _too_deep(path)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _parts_of_node(node: Any) -> Iterable[Any]:
    if isinstance(node, yaml.MappingNode):
        return (part for pair in node.value for part in pair)
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _parts_of_value(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | set) else ()


def _require_bounded(path: Path, root: Any, parts_of: Callable[[Any], Iterable[Any]]) -> None:
    """Checks what aliases and includes come to, written out, against the bounds.

    Each shared part is counted once and its number taken again, so the count itself is short.
    """
    known: dict[int, tuple[int, int]] = {}  # number and height of what stands below

    def measure(item: Any, depth: int) -> tuple[int, int]:
        if id(item) not in known:
            if depth > MAX_DEPTH:  # of a value that holds itself too
                raise _too_deep(path)
            parts = [measure(part, depth + 1) for part in parts_of(item)]
            number = 1 + sum(below for below, _ in parts)
            known[id(item)] = number, 1 + max((height for _, height in parts), default=0)
        return known[id(item)]

    number, height = measure(root, 0)
    if height > MAX_DEPTH:
        raise _too_deep(path)
    if number > MAX_VALUES:
        raise SerError(
            f"{path}: comes to {number:.3g} values, aliases and includes written out; expected at "
            f"most {MAX_VALUES}; write it without them"
        )


def _too_deep(path: Path) -> SerError:
    return SerError(
        f"{path}: sections in sections deeper than {MAX_DEPTH}; expected fewer; correct the file"
    )
