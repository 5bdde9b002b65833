"""``run.sh``: the same in every recipe, its options, and their errors."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from recipe_shell import RECIPES, plant_checkout, run, run_script

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
        (["--recogniser", ""], "--recogniser is empty"),
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


@pytest.mark.parametrize("recogniser", ["./", "{recipe}", "../{name}"])
def test_the_recogniser_of_the_recipe_itself_by_any_path(recogniser: str, tmp_path: Path) -> None:
    recipe = plant_checkout(tmp_path) / "egs" / "mini"
    recogniser = recogniser.format(recipe=recipe, name=recipe.name)
    stage_3 = ("--stage", "3", "--stop-stage", "3", "--systems", "transformer_tl")
    said = run(recipe, *stage_3, "--recogniser", recogniser)
    assert said.returncode == 1 and "error: dump/fbank/asr_train: not there" in said.stderr


@pytest.mark.parametrize("place", [".", "..", "data", "conf/mine", "README.md", "exp/a_system"])
def test_results_have_a_place_of_their_own(place: str, tmp_path: Path) -> None:
    recipe = plant_checkout(tmp_path) / "egs" / "mini"
    (recipe / "exp" / "a_system" / "seed1").mkdir(parents=True)
    said = run(recipe, "--stop-stage", "0", "--exp-dir", place)
    assert said.returncode == 1 and f"error: --exp-dir {place}: " in said.stderr
    assert not (recipe / "data").exists()


@pytest.mark.parametrize("name", ["db.sh", "cmd.sh"])
def test_a_file_of_the_recipe_that_fails_is_named(name: str, tmp_path: Path) -> None:
    recipe = plant_checkout(tmp_path) / "egs" / "mini"
    with (recipe / name).open("a") as stream:
        stream.write("[ -d /nowhere ] && export MINI_CORPUS=/nowhere\n")
    said = run(recipe, "--stop-stage", "0")
    assert said.returncode == 1
    assert said.stderr.startswith(f"error: {name}: ends with status 1; expected 0")


def test_cdpath_leads_nowhere_else(tmp_path: Path) -> None:
    top = plant_checkout(tmp_path / "here")
    elsewhere = plant_checkout(tmp_path / "elsewhere")
    (elsewhere / "egs" / "mini" / "run.sh").write_text("")
    said = run_script(Path("egs/mini/run.sh"), "--help", cwd=top, CDPATH=str(elsewhere))
    assert said.returncode == 0 and "--stop-stage N" in said.stdout
    run_script(Path("tools/new_recipe.sh"), "demo0", cwd=top, CDPATH=str(elsewhere))
    assert not (elsewhere / "egs" / "demo0").exists()


def test_help_prints_the_header() -> None:
    result = run(RECIPES[0], "--help")
    assert result.returncode == 0
    assert "--stop-stage N" in result.stdout
    assert "set -euo" not in result.stdout


def test_what_the_machine_lacks_is_named(tmp_path: Path) -> None:
    for name in ("bash", "dirname", "basename"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    done = subprocess.run(
        [str(tmp_path / "bash"), str(RECIPES[0] / "run.sh"), "--help"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"error: bash .*: expected bash 4\.4 or later and flock.*\n", done.stderr)


@pytest.mark.parametrize("recipe", [r for r in RECIPES if r.name != "mini"], ids=lambda p: p.name)
def test_unset_corpora_are_named(recipe: Path) -> None:
    names = re.findall(r"export (\w+)=", (recipe / "db.sh").read_text())
    result = run(recipe, "--stop-stage", "0", **dict.fromkeys(names, ""))
    assert result.returncode != 0
    assert re.search(r"error: \w+ is not set; set it in db.sh or the environment", result.stderr)
    assert "egs/mini needs no corpus" in result.stderr
    assert "Traceback" not in result.stderr


def test_processes_by_the_cores_that_this_job_has(tmp_path: Path) -> None:
    """Not by those of the machine, of which a job of Slurm or a container has a share."""
    recipe = plant_checkout(tmp_path) / "egs" / "mini"
    for given, expected in (([], "--nj 3 "), (["--nj", "2"], "--nj 2 ")):
        words = ["-x", str(recipe / "run.sh"), "--stage", "5", "--stop-stage", "5", *given]
        said = run_script(Path("bash"), *words, SLURM_CPUS_PER_TASK="3")
        assert expected in said.stderr
