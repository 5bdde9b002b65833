"""YAML as our configuration is written: ``!include``, no key twice, no alias, of bounded size.

A few hundred bytes of aliases can stand for more values than fit into memory.
"""

import os
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Set
from itertools import count
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
MAX_DEPTH = 20  # of sections in sections
MAX_INCLUDES, MAX_INCLUDED_DEPTH = 100, 10  # files in all, files within files

# libyaml where PyYAML was built with it, which its wheels are: ten times as fast.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):  # type: ignore[valid-type, misc]  # which of the two is not known
    """PyYAML's safe loader that refuses duplicate keys and knows ``!include file``.

    ``<<: !include file`` takes over the file's keys; those that stand beside it win, key by key.
    """

    path: Path
    within: tuple[Path, ...]  # the files that include this one
    numbers: Iterator[int]  # of the files that one call reads

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
        whole = {key.value for key, value in node.value if value.tag == "!include"}
        node.value = [(k, v) for k, v in node.value if (k.value, v.tag) != ("<<", "!include")]
        # Deep, since PyYAML else fills sections in afterwards, and they could not be merged here.
        own = super().construct_mapping(node, deep=True)
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
    return _read(included, (*loader.within, loader.path.resolve()), loader.numbers)


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


def written_in(path: Path) -> Path:
    """The file to edit: what is nothing but an ``!include`` holds what another file says."""
    node = yaml.compose(read_text(path, MAX_BYTES), _SafeLoader)
    if isinstance(node, yaml.ScalarNode) and node.tag == "!include":
        return written_in(Path(os.path.normpath(path.parent / node.value)))
    return path


def read_yaml(path: Path) -> Any:
    """Reads a YAML file; ``!include other.yaml`` stands for the content of a file beside it.

    ``<<: !include other.yaml`` takes over its keys. Those of the including file win, and so does a
    single key of a section. A section of another ``type``, one that is included itself, and one
    whose keys are names (``classes``, ``groups``, ...) are replaced as a whole.

    Raises:
        SerError: The file is missing, is not YAML, includes itself or too many files, holds a key
            twice or an alias, or more than ``MAX_DEPTH`` sections in sections of one file.
    """
    return _read(path, (), count(1))


def _read(path: Path, within: tuple[Path, ...], numbers: Iterator[int]) -> Any:
    """One file; ``within`` are those that include it, resolved."""
    number = next(numbers)
    if number > MAX_INCLUDES or len(within) > MAX_INCLUDED_DEPTH:
        raise SerError(
            f"{path}: included as the {number}th file, {len(within)} deep; expected at "
            f"most {MAX_INCLUDES} files, {MAX_INCLUDED_DEPTH} deep; correct the !include lines"
        )
    text = read_text(path, MAX_BYTES)
    if unprintable := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, unprintable.start()) + 1
        shown = ascii(unprintable[0])
        raise SerError(f"{path}:{line}: not YAML (the character {shown}); correct the line")
    with parsing(path, "not YAML", "correct the value"):
        try:
            _require_plain(path, text)
            loader = _StrictLoader(text)
            loader.path, loader.within, loader.numbers = path, within, numbers
            return loader.get_single_data()
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            problem = shortened(error.problem)
            raise SerError(f"{path}:{line}: not YAML ({problem}); correct the line") from error


def _require_plain(path: Path, text: str) -> None:
    """Before a tree is made of it: that recurses, and aliases stand for any number of values."""
    depth = 0
    for event in yaml.parse(text, Loader=_SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise SerError(
                f"{path}:{line}: the alias *{shortened(event.anchor)}; "
                "expected the value itself; write it out, or !include a file that holds it"
            )
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise SerError(
                    f"{path}: sections in sections deeper than {MAX_DEPTH}; expected fewer; "
                    "correct the file"
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
