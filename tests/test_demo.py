"""The page with a model: what it says of a recording, and of what is none; in a browser too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browser import check_fit, opened, show_at
from programs import call
from tiny_audio import plant_files, untrained_model

from ser.bin import ser_demo
from ser.demo.answer import answer
from ser.demo.page import MAX_MEGABYTES, card_of, serve
from ser.infer.loading import load

VOICE = "Go away. I do not want to see you again."


def test_an_answer_has_label_timeline_and_picture(tmp_path: Path) -> None:
    said = answer(untrained_model(), str(plant_files(tmp_path)[1]), 600)
    assert "<h2>lively</h2>" in said or "<h2>calm</h2>" in said
    assert "calm" in said and "lively" in said
    assert "<svg" in said and "Over time" in said


def test_a_long_recording_has_a_timeline_alone(tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    noise = 0.1 * np.random.default_rng(0).normal(size=70 * 16000)
    noise.reshape(7, -1)[::2] *= 0.001  # pauses of ten seconds
    soundfile.write(long, noise, 16000)
    said = answer(untrained_model(), str(long), 600)
    assert "Labels of 3 stretches over 70 s" in said
    assert "<svg" not in said and "more than a minute is not drawn" in said


def test_what_cannot_be_heard_is_a_sentence(tmp_path: Path) -> None:
    model = untrained_model()
    assert "No recording yet" in answer(model, None, 600)
    (tmp_path / "a<b>.wav").write_text("no audio")
    said = answer(model, str(tmp_path / "a<b>.wav"), 600)
    assert said.startswith('<p role="alert">a&lt;b&gt;.wav: ') and str(tmp_path) not in said
    soundfile.write(tmp_path / "long.wav", np.zeros(16000 * 61), 16000)
    said = answer(model, str(tmp_path / "long.wav"), 60)
    assert "long.wav: 1.0 minutes; expected 1 or less; cut it" in said
    soundfile.write(tmp_path / "silence.wav", np.zeros(16000), 16000)
    said = answer(model, str(tmp_path / "silence.wav"), 600)
    assert "<h2>No label</h2>" in said and "silence: this can hardly be speech" in said


def test_the_card_is_shown_without_what_is_for_the_hub(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n\n# model\n\n---\n")
    assert card_of(tmp_path).strip() == "# model\n\n---"
    for said in ("Unsuitable", "Article 5(1)(f)", "Article 50(3)", "human attributes"):
        assert said in card_of(tmp_path / "model.onnx")


def test_a_fault_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ser_demo, "require_gradio", lambda: None)
    for words, said in (
        ((tmp_path / "none",), "none: no package.json; expected a model"),
        ((tmp_path, "--max-minutes", "0"), "--max-minutes 0: expected minutes above 0"),
        ((tmp_path, "--port", "70000"), "--port 70000: expected 0 to 65535"),
    ):
        ended = call("ser_demo", *words)
        assert ended.status == 1 and said in ended.err and ended.err.count("\n") == 1
    monkeypatch.undo()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ended = call("ser_demo", "owner/model")  # which is not fetched first
    assert ended.status == 1
    assert ended.err == (
        "error: gradio is not installed; expected it for the page; pip install gradio\n"
    )


@pytest.mark.slow
def test_in_a_browser(package: Path, tmp_path: Path) -> None:
    gradio = pytest.importorskip("gradio", reason="Gradio is not installed (pip install gradio)")
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    from ser.corpus.synthetic.espeak import SAMPLE_RATE_HZ, Prosody, speak

    voice, bad = tmp_path / "voice.wav", tmp_path / "bad.wav"
    prosody = Prosody(rate_wpm=170, volume=120, pitch=50, pitch_range=50)
    soundfile.write(voice, speak(VOICE, "f1", prosody), SAMPLE_RATE_HZ)
    bad.write_text("no audio")
    model = replace(load(package), longest_seconds=30.0)  # else windows, without attention
    address = serve(model, card_of(package), "127.0.0.1", 0, 10.0, block=False)
    try:
        with opened(address) as driver:
            wait = WebDriverWait(driver, 60)

            def listen(path: Path) -> None:
                if found := driver.find_elements(
                    By.CSS_SELECTOR, "#heard button[aria-label='Clear']"
                ):
                    found[0].click()
                upload = wait.until(
                    lambda d: d.find_element(By.CSS_SELECTOR, "#heard input[type=file]")
                )
                upload.send_keys(str(path))
                wait.until(
                    lambda d: d.find_elements(By.CSS_SELECTOR, "#heard [aria-label='Clear']")
                )
                driver.find_element(By.ID, "listen").click()

            listen(voice)
            wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, "#said h2"))
            label = driver.find_element(By.CSS_SELECTOR, "#said h2").text
            assert label in ("ang", "hap", "neu", "sad")
            assert driver.find_elements(By.CSS_SELECTOR, "#said svg")
            assert driver.find_elements(By.CSS_SELECTOR, "#said .timeline span")
            shown = driver.find_element(By.TAG_NAME, "body").text
            for said in ("Heard:", "attention", f"{MAX_MEGABYTES} MB", "Article 5(1)(f)"):
                assert said in shown
            for width in (1280, 390):
                show_at(driver, width, "demo")
                check_fit(driver)
            loaded = driver.execute_script(
                "return performance.getEntriesByType('resource').map(e => e.name)"
            )
            assert loaded and all(one.startswith((address, "data:", "blob:")) for one in loaded)
            assert not driver.find_elements(By.CSS_SELECTOR, "[aria-label='Share']")
            told = " ".join(entry["message"] for entry in driver.get_log("browser"))
            assert "Content Security Policy" not in told and "ERR_" not in told  # asks nobody else
            listen(bad)
            wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, "#said [role=alert]"))
            assert "bad.wav" in driver.find_element(By.ID, "said").text
    finally:
        gradio.close_all()
