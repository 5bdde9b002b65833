"""Puts this folder on the path, so that tests in all folders can import ``tiny``."""

import gc
import logging
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import fork_server
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from ser.infer.model import Model

settings.register_profile("ser", deadline=None)  # other work on the cores is no failure
settings.load_profile("ser")
# A shell starts what runs in the background with Ctrl-C ignored, and so would the programs tested.
signal.signal(signal.SIGINT, signal.default_int_handler)
# No power is cut here: faults/ has its own disk. Programs that are started call the real one.
os.fsync = lambda descriptor: None

# Where the user's own corpora lie is told to no recipe here.
for script in (Path(__file__).parents[1] / "egs").glob("*/db.sh"):
    for name in re.findall(r"(?m)^export (\w+)=", script.read_text(encoding="utf-8")):
        os.environ.pop(name, None)

NOBODY = 65534
LONGEST = ("test_recipes.py", "test_corpus_recipes.py", "test_export.py", "test_torchrun.py")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """What is built on the tiny recipe trains, browsers are slow; the longest files begin first."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "pretrained_recipe" in fixtures:
            item.add_marker("long")
        if "browser" in fixtures:
            item.add_marker("slow")
    yield  # pytest-randomly shuffles, -m chooses
    first = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: first.get(item.path.name, len(first)))


def pytest_configure(config: pytest.Config) -> None:
    """One server for pytest-xdist's parent process and all its workers."""
    if not hasattr(config, "workerinput"):
        fork_server.listen()


def pytest_collection_finish() -> None:
    gc.freeze()  # what was imported is not searched for garbage again and again


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The seed of the order, which -q hides: a failure can be had again."""
    seed = config.getoption("randomly_seed", None)
    if seed is not None:
        terminalreporter.write_line(f"order of the tests: --randomly-seed={seed}")


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated corpora, small: ``IEMOCAP_full_release`` and ``LibriSpeech``. Read only."""
    from ser.corpus.synthetic.corpus import write_corpora

    root = tmp_path_factory.mktemp("generated") / "corpora"
    write_corpora(root, num_emotion_turns=80, num_read_sentences=60)
    return root


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    import torch  # not above: pytest-xdist's parent process needs none

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_process() -> Iterator[None]:
    """What a program that is called in this process sets, later tests do not see."""
    import torch

    from ser.base.log import logger

    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    torch.set_flush_denormal(False)  # Hypothesis draws denormal numbers
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)
    torch.set_flush_denormal(False)


class Log(logging.Handler):
    """Keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def find(self, pattern: str) -> list[str]:
        """The lines that match."""
        return [line for line in self.lines if re.search(pattern, line)]


@pytest.fixture
def log() -> Log:
    """What is said to the user while a test runs."""
    from ser.base.log import logger

    handler = Log()
    logger.addHandler(handler)  # until same_process ends
    logger.setLevel(logging.INFO)
    return handler


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real corpora and published weights, where they are."""
    import ser

    beside = Path(ser.__file__).parents[2] / "shared" / "data"
    path = Path(os.environ.get("SER_SHARED_DATA", beside))
    if not path.is_dir():
        pytest.skip(f"no real corpora in {path}; SER_SHARED_DATA names another folder")
    return path


@pytest.fixture(scope="session")
def pretrained_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny recipe after stage 3; not to be changed."""
    import tiny_recipe

    root = tmp_path_factory.mktemp("recipe")
    with pytest.MonkeyPatch.context() as patch:
        tiny_recipe.build(root, patch)
    return root


@pytest.fixture(scope="session")
def trained_recipe(pretrained_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after stage 5, with a package ``model`` of TL+MTL; not to be changed."""
    import tiny_audio

    root = tmp_path_factory.mktemp("trained") / "recipe"
    shutil.copytree(pretrained_recipe, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        tiny_audio.train_and_pack()
    return root


def copied(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a recipe to work in, as the current directory."""
    root = tmp_path / "recipe"
    shutil.copytree(recipe, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def recipe(pretrained_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the pre-trained recipe."""
    return copied(pretrained_recipe, tmp_path, monkeypatch)


@pytest.fixture
def trained(trained_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the trained recipe."""
    return copied(trained_recipe, tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def model(trained_recipe: Path) -> "Model":
    """TL+MTL without its first fold."""
    return run_of(trained_recipe, "transformer_tl_mtl")


@pytest.fixture(scope="session")
def baseline(trained_recipe: Path) -> "Model":
    """CNN-BLSTM-SA without its first fold."""
    return run_of(trained_recipe, "cnn_blstm_sa")


def run_of(recipe: Path, system: str) -> "Model":
    """A system of the trained recipe, without its first fold."""
    from tiny_audio import run_folder

    from ser.infer.loading import load

    return load(recipe / run_folder(system, "1"))


@pytest.fixture
def package(trained: Path) -> Path:
    """An ensemble of three folds, calibrated on their predictions, beside their ``exp``."""
    return trained / "model"


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user whom permissions bind, which they do not bind root."""
    folder = Path(tempfile.mkdtemp())
    user = os.geteuid()
    if user == 0:
        os.chown(folder, NOBODY, -1)
        os.seteuid(NOBODY)
    yield folder
    os.seteuid(user)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o700)
    shutil.rmtree(folder)
