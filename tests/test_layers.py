"""Imports point one way: each package of ``ser`` imports only those below it."""

import ast
from pathlib import Path

import ser

LAYERS = [
    {"base"},
    {"config"},
    {"kaldi", "text", "metrics", "page"},
    {"audio"},
    {"corpus", "feats"},
    {"data", "nn"},
    {"train", "score"},
    {"infer", "doctor"},
    {"predict"},
    {"release", "demo"},
    {"bin"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ROOT = Path(ser.__file__).parent


def imported_packages(path: Path) -> set[str]:
    """The packages of ``ser`` that a file imports, anywhere in it."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("ser.")} & LEVEL.keys()


def test_every_package_has_a_layer() -> None:
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == LEVEL.keys()


def test_imports_point_one_way() -> None:
    for path in ROOT.glob("*/**/*.py"):  # ser/__init__.py shows what users import
        own = path.relative_to(ROOT).parts[0]
        for name in imported_packages(path) - {own}:
            assert own in LEVEL and LEVEL[name] < LEVEL[own], f"{path} imports ser.{name}"
