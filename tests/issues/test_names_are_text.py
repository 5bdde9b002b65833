"""A class, a system or an utterance may be called anything: it is shown, and is never obeyed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import opened
from markdown_it import MarkdownIt
from selenium import webdriver
from selenium.webdriver.common.by import By
from tiny_predictions import run_score, write_predictions

from ser.score.report.document import code, escape

LABELS = (
    "<script>alert(1)</script>",
    "![x](http://nowhere.invalid/x.png)",
    r"$\bad$",
    "*a|`b`_\N{RIGHT-TO-LEFT OVERRIDE}c\"'&lt;",
)
SYSTEM = "my_<b>$\\frac$'\"[x](y)[z"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored experiment whose names are markup; figures are drawn."""
    exp_dir = tmp_path_factory.mktemp("names") / "exp"
    systems = ("mine", SYSTEM)
    write_predictions(exp_dir, LABELS, systems)
    (exp_dir.parent / "conf").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        run_score(patch, exp_dir, "--systems", " ".join(systems))
    return exp_dir


@pytest.mark.parametrize("name", [*LABELS, SYSTEM, "a_b", "70.6 [65.1, 76.0]", "<0.0001", "a`b``c"])
def test_a_name_is_what_markdown_shows(name: str) -> None:
    """CommonMark with tables and everything else that it has switched on."""
    shown = MarkdownIt("gfm-like", {"linkify": False}).parseInline(f"{escape(name)} {code(name)}")
    (line,) = shown
    assert line.children is not None
    assert {token.type for token in line.children} <= {"text", "text_special", "code_inline"}
    *text, span = line.children
    assert "".join(token.content for token in text) == f"{name} "
    assert span.content == name


def test_plain_names_stay_readable_in_the_source() -> None:
    for name in ("transformer_tl_mtl", "Transformer (TL+MTL)", "70.6 [65.1, 76.0]", "<0.0001"):
        assert escape(name) == name


def test_the_report_holds_the_names(hostile: Path) -> None:
    text = (hostile / "RESULTS.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert any(escape(LABELS[1]) in row for row in rows)
    html = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    images = re.findall(r'<img src="([^"]*)"', html)
    assert images and all(src.startswith("figures/") for src in images)
    assert "<script" not in html and "<a " not in html
    for match in re.findall(r"<table>.*?</table>", html, re.S):
        widths = {row.count("</t") for row in re.findall(r"<tr>.*?</tr>", match, re.S)}
        assert len(widths) == 1, match


@pytest.fixture(scope="module")
def browser(hostile: Path) -> Iterator[webdriver.Chrome]:
    with opened(hostile / "report.html") as driver:
        yield driver


def test_the_page_shows_the_names_and_loads_nothing(browser: webdriver.Chrome) -> None:
    assert browser.get_log("browser") == []
    loaded = browser.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
        ".filter(name => !name.startsWith('data:'))"
    )
    assert loaded == []
    assert not browser.find_elements(By.CSS_SELECTOR, "main a, main b, td img, th img")
    cells = browser.execute_script(
        "return [...document.querySelectorAll('#recall-and-precision-by-class ~ .wide th')]"
        ".map(e => e.textContent.replaceAll('\\u00a0', ' '))"
    )
    for label in LABELS:
        assert f"{label}: recall %" in cells
    assert SYSTEM in cells
    options = browser.find_elements(By.CSS_SELECTOR, "#ref option")
    shown = [option.get_property("textContent") for option in options]
    assert shown == ["all", *LABELS]
