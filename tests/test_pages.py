"""Every command of every page: its programs, options and names are those of the code.

The blocks of README.md ("Use a model") and ser/infer/README.md are run for good by
``tests/test_recipes.py``; what needs a corpus, a network or a microphone is only parsed here.
"""

import argparse
import importlib
import re
import shutil
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from pages import PAGES, Typed, blocks, home_of, plant, read, spans, typed
from tracked import ROOT

from ser.base.errors import SerError
from ser.bin import ser_predict

NOT_RUN = {"pip": "a network", "git": "a network", "arecord": "a microphone"}
HEADER = (ROOT / "egs" / "iemocap" / "run.sh").read_text()
SWITCHES = {"--publish"}  # of run.sh, which the doctor does not know


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose programs only note how they are called."""
    folder = tmp_path_factory.mktemp("pages")
    plant(folder)
    return folder


def parsed(program: str, words: list[str]) -> argparse.Namespace:
    """The arguments of a program of ``ser.bin``.

    Raises:
        AssertionError: It refuses them.
    """
    main = importlib.import_module(f"ser.bin.{program}")
    with patch.object(sys, "argv", [program, *words]):
        try:
            args: argparse.Namespace = main.parse_args()
        except SystemExit as ended:
            raise AssertionError(f"{program} {words}: status {ended.code}") from ended
    return args


def check_recipe(top: Path, call: Typed) -> None:
    """Options, configuration, protocol, systems and the other recipe of a ``./run.sh``."""
    for word in call.words:
        assert not word.startswith("--") or f"#   {word} " in HEADER, call
    args = parsed("doctor", [word for word in call.words if word not in SWITCHES])
    recipe = top / call.home
    assert (recipe / args.conf / "systems").is_dir(), call
    if args.protocol is not None:
        assert (recipe / args.protocol).is_file(), call
    for system in (args.systems or "").split():
        assert list((recipe / args.conf).glob(f"*/{system}.yaml")) or system == "mine", call
    if args.recogniser != "none":
        assert (recipe / args.recogniser / "run.sh").exists(), call


def check_python(call: Typed) -> None:
    """A program of ``ser.bin``, or a file of the checkout."""
    if call.words[0] == "-m":
        parsed(call.words[1].removeprefix("ser.bin."), call.words[2:])
    elif call.words[0] != "-":
        assert (ROOT / call.folder / call.words[0]).is_file(), call


def check(top: Path, call: Typed) -> None:
    """One command.

    Raises:
        AssertionError: It could not be typed as the page has it.
    """
    if call.name == "run.sh" and call.home.parts[0] == "egs":
        check_recipe(top, call)
    elif call.name == "python":
        check_python(call)
    elif call.name == "ser-predict":
        args = parsed("ser_predict", call.words)
        ser_predict.check_options(args)
    elif call.home.parts[0] in ("tools", "tests"):
        assert (ROOT / call.home / call.name).stat().st_mode & 0o111, call
    else:
        assert call.name in NOT_RUN, call


@pytest.mark.parametrize("page", PAGES, ids=read)
def test_commands_can_be_typed(top: Path, page: Path) -> None:
    for block in blocks(page):
        if made := re.search(r"new_recipe\.sh (\w+)", block):
            shutil.rmtree(top / "egs" / made[1], ignore_errors=True)
        calls = typed(top, home_of(page), block)
        assert calls, block
        for call in calls:
            check(top, call)
    for span in spans(page):
        for call in typed(top, home_of(page, ROOT / "egs" / "iemocap"), span):
            check(top, call)


def test_a_wrong_command_is_noticed(top: Path) -> None:
    for wrong in (
        "./run.sh --stop 3",
        "./run.sh --systems transformer_tll",
        "./run.sh --protocol conf/protocol/papers.yaml",
        "./run.sh --conf conf/wisper",
        "python -m ser.bin.pack exp/transformer --output model",
        "python tools/benchmark.py",
        "ser-predict model a.wav --hop 1",
        "git clone x && arecord | python -m ser.bin.choose exp",
    ):
        calls = typed(top, ROOT / "egs" / "ravdess", wrong)
        with pytest.raises((AssertionError, SerError)):
            for call in calls:
                check(top, call)
