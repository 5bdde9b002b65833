"""A headless Chromium for the tests of pages."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@contextmanager
def opened(page: Path | str) -> Iterator[webdriver.Chrome]:
    """A file or an address in a browser; skips where there is none."""
    if not (BROWSER and DRIVER):
        pytest.skip("no chromium and chromedriver here (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        driver.get(page if isinstance(page, str) else page.as_uri())
        yield driver
    finally:
        driver.quit()


def show_at(driver: webdriver.Chrome, width: int, name: str) -> None:
    """Lays the page out anew at a width in CSS pixels, as a phone does below 800.

    A picture of it goes to the folder SER_SCREENSHOTS, where that is set.
    """
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 800}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_async_script(  # after the observers of this layout
        "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
    )
    if folder := os.environ.get("SER_SCREENSHOTS"):
        driver.save_screenshot(f"{folder}/{name}_{width}.png")


def check_fit(driver: webdriver.Chrome) -> dict[str, bool]:
    """The page is no wider than the screen; boxes that scroll, and these alone, say so.

    Returns:
        Whether it scrolls, by name of the box.
    """
    inner, outer = driver.execute_script(
        "const e = document.documentElement; return [e.scrollWidth, e.clientWidth]"
    )
    assert inner <= outer
    boxes = driver.execute_script(
        """return [...document.querySelectorAll(".wide")].map(box => [
             box.getAttribute("aria-label"), box.getAttribute("role"),
             box.scrollWidth > box.clientWidth, box.tabIndex === 0,
             box.previousElementSibling.className === "hint"
               && box.previousElementSibling.checkVisibility()])"""
    )
    for label, role, scrolls, reached, told in boxes:
        assert label and role == "region"
        assert scrolls == reached == told, label
    return {label: scrolls for label, _, scrolls, _, _ in boxes}
