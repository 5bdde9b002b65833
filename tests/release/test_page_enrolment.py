"""The page in the browser takes recordings that enrol the speaker."""

from pathlib import Path

import pytest
from browser import check_fit, opened

from ser.demo.answer import answer
from ser.demo.page import serve
from ser.infer.loading import load


def test_the_page_enrols_a_speaker(packed: Path, turns: list[Path], tmp_path: Path) -> None:
    model, (path, *others) = load(packed / "model"), map(str, turns)
    assert "No speaker is enrolled: the mean of the training speakers" in answer(model, path, 600)
    said = answer(model, path, 600, others)  # silence is no turn
    assert "The speaker is enrolled by 2 turns: few; ten bring most of the gain." in said
    share, *_ = model.enrol(others).predict(path).posteriors.values()
    assert f"<td>{100 * share:.1f}&nbsp;%</td>" in said
    (tmp_path / "bad.wav").write_text("no audio")
    said = answer(model, path, 600, [*others, str(tmp_path / "bad.wav")])
    assert said.startswith('<p role="alert">bad.wav: ') and str(tmp_path) not in said
    assert answer(model, path, 600, others[-1:]).startswith('<p role="alert">enrolment: 0 turns')


@pytest.mark.slow
def test_the_page_takes_recordings_of_the_speaker(packed: Path, turns: list[Path]) -> None:
    gradio = pytest.importorskip("gradio", reason="Gradio is not installed (pip install gradio)")
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    address = serve(load(packed / "model"), "card", "127.0.0.1", 0, 10.0, block=False)
    try:
        with opened(address) as driver:
            wait = WebDriverWait(driver, 60)
            for place, files in (("heard", turns[:1]), ("turns", turns[:3])):
                upload = wait.until(
                    lambda d, p=place: d.find_element(By.CSS_SELECTOR, f"#{p} input[type=file]")
                )
                upload.send_keys("\n".join(map(str, files)))
            wait.until(lambda d: "2.wav" in d.find_element(By.ID, "turns").text.replace("\n", ""))
            wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, "#heard [aria-label='Clear']"))
            driver.find_element(By.ID, "listen").click()
            wait.until(lambda d: "enrolled by 3 turns" in d.find_element(By.ID, "said").text)
            check_fit(driver)
    finally:
        gradio.close_all()
