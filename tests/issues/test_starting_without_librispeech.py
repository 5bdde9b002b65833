"""Every corpus's README, and the error about LibriSpeech, say how to start without it."""

import re
import shlex
from pathlib import Path

import pytest
from programs import call
from recipe_shell import RECIPES, plant_checkout, run_script

pytestmark = pytest.mark.long

READERS = [recipe.name for recipe in RECIPES if recipe.name != "mini"]  # it generates its own


@pytest.mark.parametrize("name", READERS)
def test_the_ways_of_the_readme_need_no_librispeech(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = plant_checkout(tmp_path) / "egs" / name
    for variable in re.findall(r"export (\w+)=", (recipe / "db.sh").read_text()):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("LIBRISPEECH", "")
    monkeypatch.setenv("WHISPER", "hub")
    monkeypatch.chdir(recipe)
    block = re.search(
        r"Without LibriSpeech, from a published encoder or from scratch.*?```sh\n(.*?)```",
        (recipe / "README.md").read_text(),
        re.S,
    )
    assert block is not None
    calls = re.findall(r"\./run\.sh ([^#\n]*)", block[1])
    assert [("conf/whisper" in c, "--recogniser none" in c) for c in calls] == [
        (True, False),
        (False, True),
    ]
    for words in calls:
        said = call("doctor", *shlex.split(words), "--read-speech")
        assert (said.status, said.out) == (0, "false\n"), said.err


def test_the_error_says_so_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the stages, and of local/data.sh alone."""
    recipe = plant_checkout(tmp_path) / "egs" / "emodb"
    told = "LIBRISPEECH is not set; .*; without LibriSpeech: ./run.sh --recogniser none .*, or "
    told += "WHISPER=.* ./run.sh --conf conf/whisper"
    monkeypatch.setenv("EMODB", str(tmp_path))
    monkeypatch.delenv("LIBRISPEECH", raising=False)
    monkeypatch.chdir(recipe)
    said = call("doctor", "--stop-stage", 0)
    assert said.status == 1 and re.search(told, said.err)
    script = recipe / "local" / "data.sh"
    done = run_script(script, cwd=recipe, EMODB=str(tmp_path), LIBRISPEECH="")
    assert done.returncode == 1 and re.search(told, done.stderr)
