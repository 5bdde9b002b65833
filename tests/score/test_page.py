"""The page: complete, self-contained, safe with whatever was said, and usable in a browser."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import opened
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from tiny_predictions import SYSTEMS, change, run_score, write_logs, write_predictions

from ser.score.report.page import audio_of

EVIL = "</script><img src=x onerror=alert(1)> <b>ONE"


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 30 utterances and three systems: one hears markup, one is sure of a decision."""
    exp_dir = tmp_path_factory.mktemp("page") / "exp"
    write_predictions(exp_dir)
    write_logs(exp_dir)
    (exp_dir.parent / "conf").mkdir()
    for path in (exp_dir / "predictions" / "transformer_tl_mtl").glob("*.tsv"):
        path.write_text(path.read_text().replace("ONE TWO\tONE", f"ONE TWO\t{EVIL}", 1))
    change(
        exp_dir / "predictions" / "mine" / "seed1_fold1.tsv",
        "0.7\t0.1\t0.1\t0.1",
        "1.0\t0.0\t0.0\t0.0",
    )
    with pytest.MonkeyPatch.context() as patch:
        run_score(patch, exp_dir)
    return exp_dir / "report.html"


def test_page_needs_nothing_else(html: Path) -> None:
    text = html.read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", text)
    assert not re.findall(r"https?:", re.sub(r"data:image[^\"]*", "", text))
    images = re.findall(r'alt="([^"]+)" [^>]* src="data:image/png;base64,([^"]+)"', text)
    assert len(images) == len(SYSTEMS) + 4
    assert all(base64.b64decode(data).startswith(b"\x89PNG") for _, data in images)


def test_page_shows_the_sections_of_the_report(html: Path) -> None:
    text = html.read_text()
    titles = re.findall(r"^## (.*)$", (html.parent / "RESULTS.md").read_text(), re.M)
    for title in titles:
        assert f">{title}</" in text, title


def test_what_is_said_is_no_markup(html: Path) -> None:
    text = html.read_text()
    assert EVIL not in text
    assert text.count("</script>") == 5  # three of ours, two of data
    assert "<img src=x" not in text


@pytest.fixture(scope="module")
def browser(html: Path) -> Iterator[webdriver.Chrome]:
    with opened(html) as driver:
        yield driver


@pytest.fixture
def fresh(browser: webdriver.Chrome) -> webdriver.Chrome:
    browser.refresh()
    return browser


def column(browser: webdriver.Chrome, number: int) -> list[str]:
    cells = browser.find_elements(By.CSS_SELECTOR, f"#table tbody td:nth-child({number})")
    return [cell.text for cell in cells]


def count(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.ID, "count").text


def test_no_console_error_and_no_script_of_a_transcript_runs(fresh: webdriver.Chrome) -> None:
    assert fresh.get_log("browser") == []
    assert count(fresh) == "90 of 90 decisions"
    assert any("onerror" in text for text in column(fresh, 9) + _next_page(fresh))


def _next_page(browser: webdriver.Chrome) -> list[str]:
    browser.find_element(By.ID, "next").click()
    assert browser.find_element(By.ID, "page").text == "page 2 of 2"
    return column(browser, 9)


def test_filters(fresh: webdriver.Chrome) -> None:
    Select(fresh.find_element(By.ID, "system")).select_by_visible_text("mine")
    assert count(fresh) == "30 of 90 decisions"
    fresh.find_element(By.ID, "wrong").click()
    assert set(column(fresh, 4)) == {"mine"}
    assert all(text.endswith(" (wrong)") for text in column(fresh, 6))
    fresh.find_element(By.ID, "search").send_keys("no such thing")
    assert count(fresh) == "0 of 90 decisions"


def test_filters_of_classes(fresh: webdriver.Chrome) -> None:
    Select(fresh.find_element(By.ID, "ref")).select_by_visible_text("ang")
    assert set(column(fresh, 5)) == {"ang"}
    assert count(fresh) == "27 of 90 decisions"  # three of ten utterances a fold, three systems
    Select(fresh.find_element(By.ID, "hyp")).select_by_visible_text("sad")
    assert all(text == "sad (wrong)" for text in column(fresh, 6))


def test_numbers_sort_as_numbers(fresh: webdriver.Chrome) -> None:
    Select(fresh.find_element(By.ID, "system")).select_by_visible_text("mine")
    fresh.find_element(By.CSS_SELECTOR, "#table thead th:nth-child(7) button").click()
    values = [max(map(int, re.findall(r"(\d+) %", text))) for text in column(fresh, 7)]
    assert values == [70] * 29 + [100]


def test_sorting_by_keyboard_alone(fresh: webdriver.Chrome) -> None:
    fresh.find_element(By.ID, "search").send_keys("1-")
    button = fresh.find_element(By.CSS_SELECTOR, "#table thead th:nth-child(5) button")
    button.send_keys(Keys.ENTER)
    references = column(fresh, 5)
    assert references == sorted(references)
    head = fresh.find_element(By.CSS_SELECTOR, "#table thead th:nth-child(5)")
    assert head.get_attribute("aria-sort") == "ascending"
    button.send_keys(Keys.ENTER)
    assert column(fresh, 5) == sorted(references, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"


def test_the_first_tab_reaches_the_skip_link(fresh: webdriver.Chrome) -> None:
    fresh.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    active = fresh.switch_to.active_element
    assert active.text == "Skip to the utterances"
    assert active.value_of_css_property("outline-style") != "none"


def test_every_bar_has_its_number(fresh: webdriver.Chrome) -> None:
    bars = fresh.find_elements(By.CSS_SELECTOR, "#table tbody tr:first-child .bar span")
    assert [re.fullmatch(r"\w+ \d+ %", bar.text) is not None for bar in bars] == [True] * 4


def test_audio_in_a_folder_that_is_closed(unprivileged: Path) -> None:
    closed = unprivileged / "closed"
    closed.mkdir()
    (closed / "a.wav").touch()
    closed.chmod(0)
    sources = {"a": str(closed / "a.wav"), "b": f"{closed / 'b.ark'}:7"}
    found = audio_of(sources, unprivileged / "report.html")
    assert {said["why"] for said in found.values()} == {
        "no audio: the file is not there, or may not be read"
    }
