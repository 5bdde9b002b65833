"""The report on a phone: it fits, what scrolls says so, and what was said can be heard."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browser import check_fit, opened, show_at
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from tiny_predictions import run_score, write_logs, write_predictions

from ser.kaldi.table import write_table
from ser.page.frame import audio_link
from ser.score.report.document import upright
from ser.score.report.page import stated_audio
from ser.score.verify import verify

LABELS = tuple("anger boredom calm disgust fear happiness neutral surprise".split())
OWN = "my_conformer_of_42_epochs"
SYSTEMS = ("cnn_blstm_sa", OWN)
MISSING = {
    "1-1": ("touch stolen |", "no audio: a command, not a file"),
    "1-2": ("audio.ark:17", "no audio: in an archive"),
    "1-3": ("gone.wav", "no audio: the file is not there, or may not be read"),
}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scored recipe of eight classes whose audio is a file, a command, in an archive, or gone."""
    root = tmp_path_factory.mktemp("phone") / "recipe"
    (root / "conf").mkdir(parents=True)
    (root / "dump").mkdir()
    (root / "wavs").mkdir()
    wavs = {f"{fold}-{i}": f"wavs/#{fold}?{i} <b>.wav" for fold in "123" for i in range(10)}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_predictions(Path("exp"), LABELS, SYSTEMS)
        write_logs(Path("exp"))
        for wav in wavs.values():
            soundfile.write(wav, 0.1 * np.sin(np.arange(8000) / 9), 16000)
        Path("audio.ark").touch()
        sources = {utt: source for utt, (source, _) in MISSING.items()}
        write_table(Path("dump/wav.scp"), wavs | sources)
        run_score(patch, Path("exp"), "--systems", " ".join(SYSTEMS), "--feats", "dump")
        Path(wavs["1-4"]).unlink()  # after the report was written
    return root


def test_links_are_relative_and_no_command_is_run(recipe: Path) -> None:
    audio = stated_audio((recipe / "exp" / "report.html").read_text())
    assert audio is not None
    assert audio["1-0"] == {"link": "../wavs/%231%3F0%20%3Cb%3E.wav"}
    assert {utt: audio[utt]["why"] for utt in MISSING} == {
        u: why for u, (_, why) in MISSING.items()
    }
    assert not list(recipe.rglob("stolen"))


def test_audio_elsewhere_has_an_absolute_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recipe").mkdir()
    monkeypatch.chdir(tmp_path / "recipe")
    there = tmp_path / "a b.wav"
    assert audio_link(there, Path("exp/report.html")) == there.as_uri()
    assert audio_link(Path("javascript:x"), Path("report.html")) == "javascript%3Ax"


def test_the_report_is_verified_wherever_the_audio_lies(recipe: Path, tmp_path: Path) -> None:
    shutil.copytree(recipe / "exp", tmp_path / "exp")
    assert verify(tmp_path / "exp").wrong == []
    page = tmp_path / "exp" / "report.html"
    page.write_text(page.read_text().replace("../wavs/", "javascript:alert(1)<b>", 1))
    (wrong,) = verify(tmp_path / "exp").wrong  # not as it would have been written
    assert "report.html: is not the page" in wrong


def test_an_own_system_has_its_name(recipe: Path) -> None:
    text = (recipe / "exp" / "RESULTS.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert not [row for row in rows if row.startswith("| —")]
    assert f"![Confusion matrix, {OWN}](figures/confusion_{OWN}.png)" in text


def test_the_shorter_side_of_a_table_is_across() -> None:
    wide = [["system", "a", "b"], ["x", "1", "2"]]
    assert upright(wide, "class") == [["class", "x"], ["a", "1"], ["b", "2"]]
    tall = [["system", "a"], ["x", "1"], ["y", "2"]]
    assert upright(tall, "class") == tall


@pytest.fixture(scope="module")
def browser(recipe: Path) -> Iterator[webdriver.Chrome]:
    with opened(recipe / "exp" / "report.html") as driver:
        yield driver


def test_the_page_fits(browser: webdriver.Chrome) -> None:
    show_at(browser, 1280, "report")
    desktop = check_fit(browser)
    assert not desktop["Results: table"]
    show_at(browser, 375, "report")
    phone = check_fit(browser)
    assert phone["Comparisons: table"]
    for table in ("Recall and precision by class", "Audit: classes", "Environment"):
        assert not phone[f"{table}: table"], table
    assert not phone["Utterances: table"]  # cards


def test_what_was_said_is_heard_where_it_is_there(browser: webdriver.Chrome) -> None:
    player = "audio[aria-label='Audio of {}']"
    WebDriverWait(browser, 10).until(
        lambda b: b.execute_script(
            "return document.querySelector(arguments[0]).duration > 0.4", player.format("1-0")
        )
    )
    WebDriverWait(browser, 10).until(
        lambda b: not b.find_elements(By.CSS_SELECTOR, player.format("1-4"))
    )
    said = {
        row.find_element(By.CSS_SELECTOR, "[data-name=utterance]").text: row.find_element(
            By.CSS_SELECTOR, "[data-name=said]"
        ).text
        for row in browser.find_elements(By.CSS_SELECTOR, "#table tbody tr")[:5]
    }
    for utt, (_, why) in MISSING.items():
        assert why in said[utt] and not browser.find_elements(By.CSS_SELECTOR, player.format(utt))
    assert "no audio: moved away" in said["1-4"]
    assert "no audio" not in said["1-0"]
