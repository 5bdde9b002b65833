"""The log: short lines on the console, the same with a time in a file."""

import logging
import warnings
from pathlib import Path

import pytest

from ser.base.errors import SerError
from ser.base.log import log_to_console, log_to_file, logger


@pytest.mark.parametrize(
    ("quiet", "shown"), [(False, "said\nwarning: warned\n"), (True, "warning: warned\n")]
)
def test_console(quiet: bool, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_console(quiet)
    log_to_console(quiet)  # twice, and yet each line once
    logger.info("said")
    logger.warning("warned")
    assert capsys.readouterr() == ("", shown)


def test_quiet_console_leaves_out_what_a_file_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_to_console(quiet=True)
    with log_to_file(tmp_path / "train.log"):
        logger.warning("inside")
    logger.warning("outside")
    assert capsys.readouterr().err == "warning: outside\n"
    assert (tmp_path / "train.log").read_text().endswith("WARNING warning: inside\n")


def test_file_grows_as_long_as_the_block_lasts(tmp_path: Path) -> None:
    logger.setLevel(logging.INFO)
    path = tmp_path / "new" / "train.log"
    for number in (1, 2):
        with log_to_file(path):
            logger.info("epoch %s", number)
    logger.info("outside")
    lines = path.read_text().splitlines()
    assert [line.split(" INFO ")[1] for line in lines] == ["epoch 1", "epoch 2"]
    assert lines[0][:2] == "20"  # the year


def test_file_takes_warnings_of_libraries(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    with log_to_file(path):
        warnings.warn("old weights", stacklevel=1)
    assert "UserWarning: old weights" in path.read_text()


@pytest.mark.parametrize(
    ("error", "has_traceback"), [(SerError("a.yaml: wrong"), False), (KeyError("ours"), True)]
)
def test_file_takes_the_error_that_ends_it(
    error: Exception, has_traceback: bool, tmp_path: Path
) -> None:
    path = tmp_path / "train.log"
    with pytest.raises(type(error)), log_to_file(path):
        raise error
    text = path.read_text()
    assert f" ERROR {error}\n" in text
    assert ("Traceback" in text and "test_log.py" in text) == has_traceback
