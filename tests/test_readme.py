"""The README tells the truth about commands, folders and the table of egs/mini."""

import re
from pathlib import Path

import pytest

import ser

ROOT = Path(ser.__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_quick_start_commands_are_there() -> None:
    block = re.search(r"## Two commands.*?```sh\n(.*?)```", README, re.S)
    assert block is not None
    commands = [line.split()[0] for line in block[1].splitlines()]
    assert commands == ["egs/mini/run.sh", "tools/check.sh"]
    for command in commands:
        assert (ROOT / command).stat().st_mode & 0o111, command
    assert "tools/check.sh" in (ROOT / ".ci" / "run").read_text()


def test_map_names_every_room() -> None:
    rooms = {f"ser/{path.parent.name}" for path in (ROOT / "ser").glob("*/__init__.py")}
    rooms |= {f"egs/{path.parent.name}" for path in ROOT.glob("egs/*/run.sh")}
    the_map = re.search(r"## The map\n.*?```\n(.*?)```", README, re.S)
    assert the_map is not None
    listed = set(re.findall(r"(?:^|  )((?:ser|egs)/\w+)(?= |$)", the_map[1], re.M))
    assert listed == rooms


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *ROOT.glob("egs/*/README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"


@pytest.mark.parametrize("recipe", ["mini", "ravdess"])
def test_tables_are_the_published_ones(recipe: str) -> None:
    published = (ROOT / "egs" / recipe / "RESULTS.md").read_text()
    table = re.search(r"(\| system .*?)\n\n", published, re.S)
    assert table is not None
    assert table[1] in README


def test_mini_shows_what_it_was_built_to_show() -> None:
    """Word turns: pre-training gains 20 points or more, multi-tasking loses at most 5."""
    published = (ROOT / "egs" / "mini" / "RESULTS.md").read_text()
    by_cue = re.search(r"## By cue\n(.*?)\n## ", published, re.S)
    assert by_cue is not None
    rows = [line.split("|") for line in by_cue[1].splitlines() if "`" in line]
    words = {row[1].split("`")[1]: float(row[4].split()[0]) for row in rows}
    assert words["transformer_tl"] - words["transformer"] >= 20
    assert words["transformer_tl_mtl"] >= words["transformer_tl"] - 5
