"""``run.sh``: the same in every recipe, its options, and their errors."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from recipe_shell import RECIPES, run

pytestmark = pytest.mark.long


@pytest.mark.parametrize("name", ["run.sh", "path.sh"])
def test_recipes_share_their_scripts(name: str) -> None:
    assert len(RECIPES) > 2
    assert len({(recipe / name).read_bytes() for recipe in RECIPES}) == 1


def test_run_script_holds_no_number_of_the_method() -> None:
    text = (RECIPES[0] / "run.sh").read_text()
    assert not re.search(r"\b(awk|sed|perl|grep|eval)\b", text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stge", "1"], "unknown option '--stge'"),
        (["--path", "x"], "unknown option '--path'"),
        (["stage", "1"], "unknown option 'stage'"),
        (["--stage"], "--stage has no value"),
        (["--systems", "--force"], "--systems has no value"),
        (["--stage", "two"], "--stage is 'two', which is no whole number"),
        (["--stage", "9"], "--stage 9 --stop-stage 6 is no range"),
        (["--stage", "5", "--stop-stage", "3"], "--stage 5 --stop-stage 3 is no range"),
        (["--stop-stage", "99999999999999999999"], "which is no whole number"),
        (["--nj", "-1"], "--nj is '-1', which is no whole number"),
        (["--cmd", "here"], "--cmd is 'here', which is none of local slurm"),
        (["--conf", "conf/whispr"], "--conf is 'conf/whispr', which is no folder"),
    ],
)
def test_wrong_calls_exit_2_with_one_line(options: list[str], message: str) -> None:
    result = run(RECIPES[0], *options)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("conf", ["conf/", "./conf", "conf/../conf//", "{recipe}/conf"])
def test_the_configuration_by_any_path(conf: str) -> None:
    conf = conf.format(recipe=RECIPES[0])
    said = run(RECIPES[0], "--conf", conf, "--stage", "6", "--recogniser", "none").stderr
    assert "exp/predictions" in said and "exp/conf" not in said


def test_help_prints_the_header() -> None:
    result = run(RECIPES[0], "--help")
    assert result.returncode == 0
    assert "--stop-stage N" in result.stdout
    assert "set -euo" not in result.stdout


@pytest.mark.parametrize("missing", ["nproc", "flock"])
def test_what_the_machine_lacks_is_named(missing: str, tmp_path: Path) -> None:
    for name in ("bash", "dirname", "basename", "nproc", "flock"):
        found = shutil.which(name)
        assert found is not None
        if name != missing:
            (tmp_path / name).symlink_to(found)
    done = subprocess.run(
        [str(tmp_path / "bash"), str(RECIPES[0] / "run.sh"), "--help"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: bash .*: expected bash 4 or later, nproc and flock.*\n", done.stderr
    )


@pytest.mark.parametrize("recipe", [r for r in RECIPES if r.name != "mini"], ids=lambda p: p.name)
def test_unset_corpora_are_named(recipe: Path) -> None:
    names = re.findall(r"export (\w+)=", (recipe / "db.sh").read_text())
    result = run(recipe, "--stop-stage", "0", **dict.fromkeys(names, ""))
    assert result.returncode != 0
    assert re.search(r"error: \w+ is not set; set it in db.sh or the environment", result.stderr)
    assert "egs/mini needs no corpus" in result.stderr
    assert "Traceback" not in result.stderr
