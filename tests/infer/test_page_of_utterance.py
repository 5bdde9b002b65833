"""The page of one utterance: complete, self-contained, safe, and whole in a browser."""

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import soundfile
from browser import check_fit, opened, show_at
from matplotlib.figure import Figure
from programs import Said
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.infer import page
from ser.infer.alignment import align
from ser.infer.engine import Output
from ser.infer.model import Model
from ser.infer.page import view, write_page
from ser.infer.torch_engine import TorchEngine
from ser.text.ctc import BLANK_ID


def test_words_are_where_they_were_said() -> None:
    """Two words of three pieces, in frames of a tenth of a second."""
    best = [0, 1, 1, 0, 2, 0, 0, 3, 3, 0]
    ctc = np.full((10, 4), 0.01, np.float32)
    ctc[range(10), best] = 0.97
    found = align(ctc, [1, 2, 3], [" HE", "LLO", " YOU"], seconds=1.0)
    assert [(w.text, round(w.start, 6), round(w.end, 6)) for w in found] == [
        ("HELLO", 0.1, 0.5),
        ("YOU", 0.7, 0.9),
    ]
    assert align(ctc, [], [], seconds=1.0) == []


def test_a_letter_said_twice_is_two_letters() -> None:
    ctc = np.full((5, 2), 0.02, np.float32)
    ctc[range(5), [1, 1, 0, 1, 0]] = 0.98
    (word,) = align(ctc, [1, 1], [" A", "A"], seconds=5.0)
    assert (word.text, word.start, word.end) == ("AA", 0.0, 4.0)


def audio(folder: Path, seconds: float = 2.0) -> Path:
    path = folder / "<b>&amp.wav"
    samples = 0.1 * np.random.default_rng(0).normal(size=int(16000 * seconds))
    soundfile.write(path, samples, 16000)
    return path


def test_the_page_is_self_contained_and_safe(model: Model, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    model = replace(model, longest_seconds=30.0)
    write_page(model, audio(tmp_path), out, 1.0, 0.5)
    text = out.read_text()
    loaded = re.findall(r"""(?:src|href)=["'](?!data:|#)([^"']*)""", text)
    assert loaded == [(tmp_path / "<b>&amp.wav").as_uri()]
    assert text.count("<script") == 2 and "default-src &#39;none&#39;" in text
    assert "<b>&amp.wav" not in text
    for part in ("waveform", "log-mel band", "posterior", "attention"):
        assert part in text, part
    again = tmp_path / "again.html"
    write_page(model, audio(tmp_path), again, 1.0, 0.5)
    assert again.read_text() == text


@pytest.mark.parametrize(
    ("seconds", "window", "hop"), [(0.5, 1.0, 0.25), (3.0, 1.5, 0.375), (9.0, 3.0, 0.75)]
)
def test_windows_are_half_the_file_within_limits(
    model: Model, tmp_path: Path, seconds: float, window: float, hop: float
) -> None:
    model = replace(model, longest_seconds=5.0)
    shown = view(model, audio(tmp_path, seconds), None, None)
    assert (shown.window, shown.hop) == (window, hop)
    assert shown.over_time[0].end == min(window, seconds)


def test_what_is_predicted_in_windows_has_no_attention(model: Model, tmp_path: Path) -> None:
    whole = write_page(
        replace(model, longest_seconds=1.0), audio(tmp_path), tmp_path / "page.html", 1.0, 0.5
    )
    assert "ttention" not in (tmp_path / "page.html").read_text()
    assert (whole.start, whole.end) == (0.0, 2.0)


def test_a_recording_is_not_drawn_over(model: Model, tmp_path: Path) -> None:
    path = audio(tmp_path)
    before = path.read_bytes()
    with pytest.raises(SerError, match=f"{path}: is there and was not written by this program"):
        write_page(model, path, path, 1.0, 0.5)
    assert path.read_bytes() == before
    theirs = tmp_path / "thesis.html"
    theirs.write_text("<!doctype html>\n<p>years of work")
    with pytest.raises(SerError, match=r"thesis\.html: is there and was not written by this"):
        write_page(model, path, theirs, 1.0, 0.5)


def test_what_is_no_speech_is_called_so(
    ser_predict_here: Callable[..., Said], tmp_path: Path
) -> None:
    path, out = tmp_path / "silence.wav", tmp_path / "page.html"
    soundfile.write(path, np.zeros(16000), 16000)
    said = ser_predict_here(path, "--html", out)
    assert said.err == f"warning: {path}: silence; no label (--any-audio gives one)\n"
    assert "Silence: this can hardly be speech." in out.read_text()
    assert "threshold" not in out.read_text()


def test_a_model_without_attention_is_drawn_without(baseline: Model, tmp_path: Path) -> None:
    write_page(baseline, audio(tmp_path), tmp_path / "page.html", 1.0, 0.5)
    text = re.sub('src="[^"]*"', "", (tmp_path / "page.html").read_text())
    assert "ttention" not in text and "ords:" not in text  # neither drawn nor explained
    assert 'aria-label="Waveform, log-mel energies, posteriors over time"' in text


def test_a_class_may_be_called_anything(model: Model, tmp_path: Path) -> None:
    """It is shown as it is: neither a formula nor markup."""
    names = (r"$\bad$", "<script>alert(1)</script>", '<img src="http://x.invalid/y">', "a&lt;b")
    write_page(replace(model, labels=names), audio(tmp_path), tmp_path / "page.html", 1.0, 0.5)
    text = (tmp_path / "page.html").read_text()
    assert r"$\bad$" in text and "a&amp;lt;b" in text
    assert text.count("<script") == 2 and "<img src" not in text


def test_many_classes_leave_room_for_what_is_drawn(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their names stand in rows; one that begins with an underscore too."""
    labels = tuple(f"_emotion_{number}" for number in range(24))
    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda f, *a, **k: drawn.append(f) or save(f, *a, **k))

    def engine(inputs: Sequence[Floats]) -> list[Output]:
        return [Output(np.full(24, 1 / 24, np.float32), None) for _ in inputs]

    view(replace(model, engine=engine, labels=labels, tokenizer=None), audio(tmp_path))
    posteriors = drawn[0].axes[2]
    legend = posteriors.get_legend()
    assert legend is not None and tuple(t.get_text() for t in legend.get_texts()) == labels
    assert posteriors.get_position().width > 0.8


def test_windows_are_no_longer_than_the_turns_of_the_training(model: Model, tmp_path: Path) -> None:
    assert view(replace(model, longest_seconds=1.25), audio(tmp_path, 4.0)).window == 1.2
    assert view(replace(model, longest_seconds=30.0), audio(tmp_path, 4.0)).window == 2.0


def test_letters_that_the_font_of_the_picture_lacks(model: Model, tmp_path: Path) -> None:
    """The browser has them: no word about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = view(replace(model, labels=("화남", "기쁨", "슬픔", "중립")), audio(tmp_path))
    assert "화남" in drawn.picture


def test_a_long_file_is_no_page(model: Model, tmp_path: Path) -> None:
    """Its header says so; it is not read."""
    path = audio(tmp_path, 61)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "read_file", lambda *_: pytest.fail("it was read"))
        with pytest.raises(SerError, match="61 s; expected 60 s or less for a page; cut it"):
            write_page(model, path, tmp_path / "page.html", 1.0, 0.5)
    assert not (tmp_path / "page.html").exists()


class Hearing(TorchEngine):
    """A recogniser that hears GO AWAY in whatever it is given."""

    tokens: ClassVar[list[int]] = []

    def __call__(self, inputs: Sequence[Floats]) -> list[Output]:
        return [replace(output, ctc=self._heard(output)) for output in super().__call__(inputs)]

    def _heard(self, output: Output) -> Floats:
        assert output.ctc is not None
        ctc = np.full_like(output.ctc, 1e-6)
        path = [t for token in self.tokens for t in (token, BLANK_ID)]
        ctc[np.arange(len(ctc)), (path + [BLANK_ID] * len(ctc))[: len(ctc)]] = 1.0
        return ctc


@pytest.fixture
def hearing(model: Model, monkeypatch: pytest.MonkeyPatch) -> Model:
    assert model.tokenizer is not None and isinstance(model.engine, TorchEngine)
    monkeypatch.setattr(Hearing, "tokens", model.tokenizer.encode("GO AWAY"))
    return replace(model, engine=Hearing(model.engine.networks), longest_seconds=30.0)


@pytest.fixture
def browser(hearing: Model, tmp_path: Path) -> Iterator[webdriver.Chrome]:
    write_page(hearing, audio(tmp_path), tmp_path / "page.html", 1.0, 0.5)
    with opened(tmp_path / "page.html") as driver:
        yield driver


def test_words_are_drawn_whoever_computes_the_features(hearing: Model, tmp_path: Path) -> None:
    """An engine that takes samples is given samples."""

    def from_samples(inputs: Sequence[Floats]) -> list[Output]:
        assert all(x.ndim == 1 for x in inputs)
        return hearing.engine([hearing.features(x) for x in inputs])

    inside = replace(hearing, engine=from_samples, features_inside=True)
    write_page(inside, audio(tmp_path), tmp_path / "page.html", 1.0, 0.5)
    text = (tmp_path / "page.html").read_text()
    assert ">AWAY<" in text and "Words: what" in text
    assert "ttention" not in text


def test_in_a_browser(browser: webdriver.Chrome) -> None:
    assert browser.get_log("browser") == []
    picture = browser.find_element(By.CSS_SELECTOR, "figure svg")
    assert picture.size["width"] > 600 and picture.size["height"] > 300
    figure = browser.find_element(By.CSS_SELECTOR, "figure")
    assert "over time" in (figure.get_attribute("aria-label") or "")
    rows = browser.find_elements(By.CSS_SELECTOR, "#posteriors th[scope=row]")
    assert [row.text for row in rows] == ["ang", "hap", "neu", "sad"]
    browser.find_element(By.TAG_NAME, "summary").click()
    cells = browser.find_elements(By.CSS_SELECTOR, "#windows th[scope=row]")
    assert [cell.text for cell in cells] == ["0.00 to 1.00", "0.50 to 1.50", "1.00 to 2.00"]
    drawn = browser.find_elements(By.CSS_SELECTOR, "figure svg text")
    assert {"GO", "AWAY", "words", "attention"} <= {text.text for text in drawn}
    words = browser.find_elements(By.CSS_SELECTOR, "#words tr")
    assert [row.text.split()[0] for row in words] == ["word", "GO", "AWAY"]
    starts = [float(row.text.split()[1]) for row in words[1:]]
    assert starts == sorted(starts) and 0 <= starts[0] < starts[1] < 2
    for width in (1280, 375):
        show_at(browser, width, "prediction")
        boxes = check_fit(browser)
        assert boxes["Picture"] == (width == 375)
        assert not boxes["Words: table"]


def test_the_page_plays_its_file(browser: webdriver.Chrome) -> None:
    """From where it lies; once that is gone, the page says so."""
    duration = WebDriverWait(browser, 10).until(
        lambda b: b.execute_script("return document.querySelector('audio').duration || null")
    )
    assert duration == pytest.approx(2.0, abs=0.01)
    link = browser.find_element(By.TAG_NAME, "audio").get_attribute("src") or ""
    Path(unquote(urlsplit(link).path)).unlink()
    browser.refresh()
    WebDriverWait(browser, 10).until(lambda b: not b.find_elements(By.TAG_NAME, "audio"))
    assert "no audio: moved away" in browser.find_element(By.TAG_NAME, "main").text
