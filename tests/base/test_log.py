"""The log: short lines on the console, the same with a time in a file."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser.base.log import log_to_console, log_to_file, logger


@pytest.fixture(autouse=True)
def keep_the_logger() -> Iterator[None]:
    """Other tests find the logger as it was."""
    before = logger.handlers, logger.level, logger.propagate
    yield
    logger.handlers, logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


@pytest.mark.parametrize(("quiet", "shown"), [(False, "said\nwarned\n"), (True, "warned\n")])
def test_console(quiet: bool, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_console(quiet)
    log_to_console(quiet)  # twice, and yet each line once
    logger.info("said")
    logger.warning("warned")
    assert capsys.readouterr() == ("", shown)


def test_file_grows_as_long_as_the_block_lasts(tmp_path: Path) -> None:
    logger.setLevel(logging.INFO)
    path = tmp_path / "new" / "train.log"
    for number in (1, 2):
        with pytest.raises(RuntimeError), log_to_file(path):
            logger.info("epoch %s", number)
            raise RuntimeError
    logger.info("outside")
    lines = path.read_text().splitlines()
    assert [line.split(" INFO ")[1] for line in lines] == ["epoch 1", "epoch 2"]
    assert lines[0][:2] == "20"  # the year
