"""The recipe of egs/mini in small: all stages, reruns, kills, and the pages on what it made."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from programs import call
from recipe_shell import SYSTEMS, run, run_script, shrink
from tiny import tsv_rows
from tracked import ROOT

from ser.kaldi.table import read_table
from ser.text.normalise import normalise_transcript

STAGES = range(7)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny recipe, dropped into a tree whose path has blanks, run from stage 0 to 6."""
    top = tmp_path_factory.mktemp("a tree with blanks")
    (top / "tools").symlink_to(ROOT / "tools")
    recipe = top / "egs" / "tiny"
    recipe.parent.mkdir()
    made = shutil.ignore_patterns("corpus", "data", "dump", "exp*")
    shutil.copytree(ROOT / "egs" / "mini", recipe, ignore=made)
    shrink(recipe)
    result = run(recipe, "--nj", "2", "--jobs", "2")
    assert result.returncode == 0, result.stderr
    assert "Transformer (TL+MTL)" in result.stdout
    assert "`./run.sh --nj 2 --jobs 2`" in (recipe / "exp" / "RESULTS.md").read_text()
    return recipe


def test_all_stages_give_the_table(tiny: Path) -> None:
    results = json.loads((tiny / "exp" / "results.json").read_text())
    assert results["labels"] == ["ang", "hap", "neu", "sad"]
    assert list(results["systems"]) == SYSTEMS
    for name, row in results["systems"].items():
        assert row["num_utts"] == 80
        assert set(row["seeds"]["1"]["folds"]) == set("12")
        assert set(row["by"]["cue"]) == {"prosody", "words"}
        assert (row["wer"] is None) == (name != "transformer_tl_mtl")
    report = (tiny / "exp" / "RESULTS.md").read_text()
    assert "paper WA" not in report  # the paper's figures belong to egs/iemocap alone


def test_the_audit_finds_exactly_the_planted_script_lines(tiny: Path) -> None:
    audited = json.loads((tiny / "exp" / "audit.json").read_text())
    words = read_table(tiny / "data" / "ser" / "text")
    seen = {
        words[utt]
        for fold in audited["seen"].values()
        for utt, heard in fold.items()
        if heard["line"] == "yes"
    }
    planted = (tiny / "corpus" / "script_lines.txt").read_text().splitlines()
    assert seen == {normalise_transcript(line) for line in planted}
    assert audited["missing"] == []
    assert set(audited["baselines"]) == {"constant", "majority", "scene", "words"}
    report = (tiny / "exp" / "RESULTS.md").read_text()
    for part in ("By line heard in training", "Human ceiling", "Calibration", "Audit: what the"):
        assert part in report, part


def test_controls_run_like_systems(tiny: Path) -> None:
    """Another encoder, other CTC targets, and a reader of words, beside what is there already."""
    recipe = tiny.with_name("controls")
    shutil.copytree(tiny, recipe)
    systems = "transformer_tl_mtl mtl_shuffled words_of_mtl tl_shuffled"
    corpus = {"MINI_CORPUS": str(tiny / "corpus")}
    options = ["--stage", "3", "--systems", systems, "--jobs", "2"]
    result = run(recipe, *options, **corpus)
    assert result.returncode == 0, result.stderr
    assert list(json.loads((recipe / "exp" / "results.json").read_text())["systems"]) == (
        systems.split()
    )
    assert (recipe / "exp" / "pretrain" / "shuffled" / "model.safetensors").exists()
    words = (recipe / "exp" / "predictions" / "words_of_mtl" / "seed1_fold1.tsv").read_text()
    assert "ctc_text" not in words
    assert call("verify", recipe / "exp").status == 0
    result = run(recipe, "--stage", "4", "--systems", "words_of_mtl", **corpus)
    assert result.returncode == 0, result.stderr  # nothing to train; its source is there


@pytest.mark.parametrize("stage", STAGES)
def test_every_single_stage_reruns(tiny: Path, stage: int) -> None:
    weights = tiny / "exp" / "transformer" / "seed1" / "fold1" / "model.safetensors"
    before = weights.stat().st_mtime_ns
    result = run(tiny, "--stage", str(stage), "--stop-stage", str(stage))
    assert result.returncode == 0, result.stderr
    assert weights.stat().st_mtime_ns == before


def test_rerun_after_another_configuration_is_refused(tiny: Path) -> None:
    path = tiny / "conf" / "fbank.yaml"
    text = path.read_text()
    path.write_text(text.replace("preemphasis: 0.97", "preemphasis: 0.9"))
    try:
        assert run(tiny, "--stage", "1", "--stop-stage", "1").returncode == 0
        result = run(tiny, "--stage", "5", "--stop-stage", "5")
        assert result.returncode == 1
        assert "rerun" in result.stderr or "run ./run.sh" in result.stderr
        assert "Traceback" not in result.stderr
    finally:
        path.write_text(text)
        assert run(tiny, "--stage", "1", "--stop-stage", "1").returncode == 0


MADE = {  # by a stage: a folder, and what in it must be the same in the end
    0: ("data/ser", "[tuw]*"),  # text, utt2..., wav.scp
    1: ("dump/fbank/ser", "feats.ark"),
    3: ("exp/pretrain/ctc", "model.safetensors"),
    4: ("exp/transformer", "seed1/fold*/model.safetensors"),
    5: ("exp/predictions", "*/*.tsv"),
}


@pytest.mark.slow
@pytest.mark.parametrize("stage", MADE)
def test_killed_stage_goes_on(tiny: Path, stage: int) -> None:
    recipe = tiny.with_name(f"killed{stage}")
    shutil.copytree(tiny, recipe)
    made, pattern = MADE[stage]
    shutil.rmtree(recipe / made)
    # The audio stays where it was: a corpus elsewhere is another corpus to the later stages.
    corpus = {"MINI_CORPUS": str(tiny / "corpus")}
    options = ["--stage", str(stage), "--stop-stage", str(stage), "--jobs", "2"]
    process = subprocess.Popen(
        [str(recipe / "run.sh"), *options],
        env={**os.environ, **corpus},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    # Stage 0 writes beside and renames: its unfinished folder is the sign that it is at work.
    sign = recipe / ("data/.ser.partial" if stage == 0 else made)
    deadline = time.monotonic() + 60
    while not any(sign.rglob("*")) and time.monotonic() < deadline:
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (recipe / made / "run.json").exists()
    result = run(recipe, *options, **corpus)
    assert result.returncode == 0, result.stderr
    new, old = (
        {path.relative_to(root): path.read_bytes() for path in (root / made).glob(pattern)}
        for root in (recipe, tiny)
    )
    assert new and new == old
    new, old = (
        [
            json.loads(path.read_text())["identity"]
            for path in sorted((root / made).rglob("run.json"))
        ]
        for root in (recipe, tiny)
    )
    assert new and new == old  # so that later stages keep what they have


WRONG = [
    (["--stage", "1", "--stop-stage", "1", "--nj", "0"], "--nj 0: expected 1 to "),
    (["--stage", "3", "--systems", ""], "--systems '': is empty"),
    (["--stage", "4", "--folds", "1 1"], "--folds '1 1': '1' occurs twice"),
    (["--stage", "6", "--seeds", "1 1"], "--seeds '1 1': '1' occurs twice"),
    (["--stage", "4", "--max-minutes", "0"], "--max-minutes 0: expected more than 0"),
    (["--stage", "5", "--folds", "9"], "--folds 9: no such fold"),
    (["--stage", "4", "--ngpu", "2"], "--ngpu 2: this machine has 0 GPUs; expected 2"),
]


def test_wrong_values_are_one_line_and_harm_nothing(tiny: Path) -> None:
    before = (tiny / "exp" / "results.json").read_bytes()
    for options, message in WRONG:
        result = run(tiny, *options)
        assert result.returncode == 1, options
        assert f"error: {message}" in result.stderr
        assert "Traceback" not in result.stderr
    assert run(tiny, "--stage", "6").returncode == 0
    after = json.loads((tiny / "exp" / "results.json").read_text())
    assert after["systems"] == json.loads(before)["systems"]


def test_failed_set_up_stops_the_recipe(tiny: Path) -> None:
    """An environment that cannot be made is an error, not a reason to go on without one."""
    top = tiny.parents[1].with_name("no environment")
    (top / "tools").mkdir(parents=True)
    for path in (ROOT / "tools").glob("*.*"):
        if path.suffix in (".sh", ".txt"):
            shutil.copy(path, top / "tools")
    shutil.copy(ROOT / "setup.py", top)
    shutil.copytree(tiny, top / "egs" / "tiny", ignore=shutil.ignore_patterns("exp", "dump"))
    system = f"{top}:/usr/bin:/bin"  # no Python that has ser
    result = run(top / "egs" / "tiny", PYTHON="false", PATH=system)
    assert result.returncode == 1
    assert "error: false: expected Python 3.11 or later" in result.stderr
    assert "stage 0" not in result.stderr


def test_missing_earlier_stage_names_it(tiny: Path, tmp_path: Path) -> None:
    exp_dir = tmp_path / "exp"
    options = ["--systems", "transformer transformer_tl", "--exp-dir", str(exp_dir)]
    result = run(tiny, "--stage", "4", *options, "--force")
    assert result.returncode == 1
    (message,) = re.findall(r"^error: .*no fold lists.*$", result.stderr, re.M)
    said = shlex.split(message.partition("run ./run.sh")[2])
    assert said == ["--stage", "0", "--stop-stage", "0", *options]  # the same experiment


def test_audio_files_are_predicted_as_stage_5_predicts_them(tiny: Path) -> None:
    """Features of one file at a time in memory, or of all through an archive: the same."""
    system = tiny / "exp" / "transformer_tl_mtl" / "seed1" / "fold1"
    table = tiny / "exp" / "predictions" / "transformer_tl_mtl" / "seed1_fold1.tsv"
    stage5 = {row["utt"]: row for row in tsv_rows(table.read_text())}
    wavs = dict(line.split(" ", 1) for line in (tiny / "data/ser/wav.scp").read_text().splitlines())
    utts = list(stage5)[:5]
    result = call("ser_predict", system, "--format", "tsv", *(wavs[u] for u in utts))
    assert (result.status, result.err) == (0, "")
    for utt, shell in zip(utts, tsv_rows(result.out), strict=True):
        assert shell["path"] == wavs[utt]
        assert (shell["label"], shell["words"]) == (stage5[utt]["hyp"], stage5[utt]["ctc_text"])
        for name in list(shell)[2:6]:
            assert float(shell[name]) == pytest.approx(float(stage5[utt][name]), abs=1e-5)


def using_it(page: str) -> str:
    """The commands and the Python of a page, one after the other, for a shell at the top."""
    text = (ROOT / page).read_text()
    if page == "README.md":  # whose other commands need a corpus
        section = re.search(r"## Use a model\n(.*?)\n## ", text, re.S)
        assert section is not None
        text = section[1]
    blocks = re.findall(r"```(sh|python)\n(.*?)```", text, re.S)
    assert {kind for kind, _ in blocks} == {"sh", "python"}
    links = 'ln -sf "$wav" a.wav; ln -sf "$wav" meeting.flac\n'  # soundfile goes by the content
    script = "set -e\n"
    for kind, block in blocks:
        script += block if kind == "sh" else f"{links}python - <<'END'\n{block}END\n"
    return script.replace("pip install onnx onnxruntime onnxscript\n", "")  # needs a network


def use_as_the_page_says(tree: Path, page: str) -> None:
    """Runs a page's commands in a copy of a recipe that was run."""
    recipe = tree / "egs" / "mini"
    wav = next((recipe / "corpus").rglob("Ses01F_impro*.wav"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    script = using_it(page)
    result = run_script(Path("bash"), "-c", script, cwd=tree, wav=str(wav), PATH=path)
    assert result.returncode == 0, result.stderr
    assert (recipe / "model.tar.gz").exists()


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "ser/infer/README.md"])
def test_the_pages_of_using_it_run_as_written(tiny: Path, tmp_path: Path, page: str) -> None:
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    shutil.copytree(tiny, tmp_path / "egs" / "mini")
    use_as_the_page_says(tmp_path, page)
    recipe = tmp_path / "egs" / "mini"
    if page == "README.md":
        return
    lines = (recipe / "emotions.jsonl").read_text().splitlines()
    assert len(lines) == len(list((recipe / "corpus/IEMOCAP_full_release").rglob("[!.]*.wav")))
    assert {path.name for path in recipe.glob("*.onnx")} == {"model.onnx", "small.onnx"}
    assert (recipe / "model.pt2").exists()
