"""The pages tell the truth about folders, links and published tables."""

import re
from pathlib import Path

import pytest
from pages import PAGES, read
from recipe_shell import RECIPES
from tracked import ROOT, own

README = (ROOT / "README.md").read_text()
REPORTS = own(ROOT, "egs/**/RESULTS.md")


def test_quick_start_commands_are_there() -> None:
    block = re.search(r"## Two commands.*?```sh\n(.*?)```", README, re.S)
    assert block is not None
    commands = [line.split()[0] for line in block[1].splitlines()]
    assert commands == ["egs/mini/run.sh", "tools/check.sh"]
    for command in commands:
        assert (ROOT / command).stat().st_mode & 0o111, command
    assert "tools/check.sh" in (ROOT / ".ci" / "run").read_text()


def test_the_first_page_is_short() -> None:
    assert len(README.split()) <= 1200
    assert README.index("**First result.**") < README.index("\n## ")


def test_map_names_every_room() -> None:
    rooms = {f"ser/{path.parent.name}" for path in (ROOT / "ser").glob("*/__init__.py")}
    rooms |= {f"egs/{recipe.name}" for recipe in RECIPES}
    the_map = re.search(r"## The map\n.*?```\n(.*?)```", README, re.S)
    assert the_map is not None
    listed = set(re.findall(r"(?:^|  )((?:ser|egs)/\w+)(?= |$)", the_map[1], re.M))
    assert listed == rooms


def test_order_of_the_packages_is_the_tested_one() -> None:
    from test_layers import LAYERS

    order = re.search(r"`(base < [^`]*)`", (ROOT / "tests" / "README.md").read_text())
    assert order is not None
    written = [set(re.findall(r"\w+", level)) for level in order[1].split("<")]
    assert written == LAYERS


def anchors(page: Path) -> set[str]:
    """The headings of a page, as GitHub links to them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=read)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        there = page.parent / target if target else page
        assert there.exists(), f"{page}: {target}"
        assert not anchor or anchor in anchors(there), f"{page}: {target}#{anchor}"


def test_every_page_can_be_reached_from_the_first() -> None:
    seen, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        seen.add(page)
        links = re.findall(r"\]\(([^)#:]+\.md)", page.read_text())
        ahead += {(page.parent / link).resolve() for link in links} - seen
    assert set(PAGES) <= seen


def table_of(report: Path) -> str:
    """The first table of a report of stage 6."""
    table = re.search(r"(\| system .*?)\n\n", report.read_text(), re.S)
    assert table is not None
    return table[1]


@pytest.mark.parametrize("report", REPORTS, ids=read)
def test_tables_are_the_published_ones(report: Path) -> None:
    (recipe,) = (path for path in report.parents if (path / "run.sh").exists())
    assert table_of(report) in (recipe / "README.md").read_text()


def test_rows_of_the_first_page_are_the_published_ones() -> None:
    """Each with its report: system, WA and UA."""
    section = re.search(r"## Results\n(.*?)\n## ", README, re.S)
    assert section is not None
    report, checked = "", 0
    for line in section[1].splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        linked = re.search(r"\]\((.*RESULTS\.md)\)", line)
        report = table_of(ROOT / linked[1]) if linked else report
        if len(cells) > 4 and cells[2].startswith("`"):
            row = rf"\| {cells[2].strip('`')} +\| +{re.escape(cells[3])} \| +{re.escape(cells[4])} "
            assert re.search(row, report), line
            checked += 1
    assert checked == 12


def test_every_recipe_has_the_same_sections() -> None:
    for recipe in RECIPES:
        text = (recipe / "README.md").read_text()
        titles = re.findall(r"^## (.*)$", text, re.M)
        for title in ("Corp", "Command", "Pitfalls"):
            assert any(found.startswith(title) for found in titles), (recipe.name, title)
        if recipe.name != "mini":
            reference = re.search(r"## Reference points\n\n(.*?)(?=\n## )", text, re.S)
            assert reference is not None, recipe.name
            assert "| speaker-independent? |" in reference[1] or "None are" in reference[1]


def test_mini_shows_what_it_was_built_to_show() -> None:
    """Word turns: pre-training gains 20 points or more, multi-tasking loses at most 5."""
    published = (ROOT / "egs" / "mini" / "RESULTS.md").read_text()
    by_cue = re.search(r"## By cue\n(.*?)\n## ", published, re.S)
    assert by_cue is not None
    rows = [line.split("|") for line in by_cue[1].splitlines() if "`" in line]
    words = {row[1].split("`")[1]: float(row[4].split()[0]) for row in rows}
    assert words["transformer_tl"] - words["transformer"] >= 20
    assert words["transformer_tl_mtl"] >= words["transformer_tl"] - 5


def figures(text: str) -> set[tuple[float, ...]]:
    """The figures with an interval, each with its ends."""
    found = re.findall(r"(?<![\d.])(\d+\.\d)\s\[(-?\d+\.\d),\s(-?\d+\.\d)\]", text)
    return {tuple(map(float, figure)) for figure in found}


def test_figures_of_the_first_page_are_those_of_the_reports() -> None:
    """Each with an interval stands in a report or, without a report, on a recipe's page."""
    published = {
        f for page in (*REPORTS, *own(ROOT, "egs/*/README.md")) for f in figures(page.read_text())
    }
    said = figures(README)
    assert len(said) > 20
    assert said - published == set()
    assert [figure for figure in said if not figure[1] <= figure[0] <= figure[2]] == []
