"""Recipes of corpora that are not at hand, on trees of their layouts, and of one's own corpus."""

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from corpora import PLANTERS, plant_audio
from programs import call
from recipe_shell import plant_checkout, prepare, run, run_script
from tiny import whisper_config
from tiny_whisper import write_published
from tracked import ROOT

from ser.base.files import digest_file
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.corpus.fold_files import read_fold
from ser.kaldi.data_dir import read_data_dir

pytestmark = pytest.mark.long
WHISPER = whisper_config(d_model=16, num_heads=2, ffn_dim=32)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return plant_checkout(tmp_path)


@pytest.mark.parametrize(
    ("name", "corpus"), {**{n: n for n in PLANTERS}, "ravdess8": "ravdess"}.items()
)
def test_stage_0_passes(tree: Path, name: str, corpus: str) -> None:
    PLANTERS[corpus](tree / "corpus")
    recipe, protocol = tree / "egs" / name, "conf/protocol/paper.yaml"
    prepared = prepare(recipe, **{corpus.upper(): str(tree / "corpus")})
    assert prepared.returncode == 0, prepared.stderr
    with contextlib.chdir(recipe):
        made = call("make_folds", "data/ser", "exp/folds", "--protocol", protocol)
        assert made.status == 0, made.err
        audited = call("audit", "data/ser", "exp", "--protocol", protocol)
        assert audited.status == 0, audited.err
    data = read_data_dir(recipe / "data" / "ser")
    labels = load_config(recipe / "conf" / "labels.yaml", LabelsConfig)
    assert set(data["utt2emo"].values()) == set(labels.names)
    assert ("No test speaker is heard in training" in audited.out) == (name != "meld")
    assert not (recipe / "data" / "asr_train").exists()


def test_across_corpora(tree: Path) -> None:
    """Two corpora by their own recipes, then a recipe of both to the table."""
    for name in ("crema_d", "emodb"):
        PLANTERS[name](tree / name)
        prepared = prepare(tree / "egs" / name, **{name.upper(): str(tree / name)})
        assert prepared.returncode == 0, prepared.stderr
    recipe = tree / "egs" / "cross"
    for path in (recipe / "conf/cross.yaml", recipe / "conf/protocol/paper.yaml"):
        path.write_text(path.read_text().replace("ravdess", "emodb"))
    shrink(tree / "egs" / "ravdess")  # its settings are those of all
    result = run(recipe, "--recogniser", "none", "--systems", "transformer")
    assert result.returncode == 0, result.stderr
    assert "No test speaker is heard in training" in result.stdout
    results = json.loads((recipe / "exp" / "results.json").read_text())
    tested = [utt for utt, part in read_fold(recipe / "exp/folds", "1").items() if part == "test"]
    assert results["systems"]["transformer"]["num_utts"] == len(tested)
    assert all(utt.startswith("emodb_") for utt in tested)


SHORT = {"max_epochs": 1, "num_folds": 3}  # as many as validation by the next one needs
SMALL = SHORT | {"num_channels": 4, "d_model": 16, "num_blocks": 1, "lstm_dim": 4}
SMALL |= {"head_dim": 4, "ffn_dim": 16}


def shrink(recipe: Path, sizes: Mapping[str, object] = SMALL) -> None:
    """Sets what makes a recipe large, wherever its configuration says it."""
    for path in (recipe / "conf").rglob("*.yaml"):
        text = path.read_text()
        for key, value in sizes.items():
            text = re.sub(rf"(?m)^( *{key}:) \S+", rf"\1 {value}", text)
        path.write_text(text)


@pytest.mark.slow
def test_from_a_published_encoder(tree: Path) -> None:
    """The skeleton on a folder of WAV files: the weights alone, beside the first experiment."""
    assert run_script(tree / "tools" / "new_recipe.sh", "demo").returncode == 0
    recipe = tree / "egs" / "demo"
    wav = plant_speakers(tree / "wavs")[0][0]
    shrink(recipe, WHISPER.model_dump(exclude={"type"}) | SHORT)
    weights = write_published(tree / "whisper-mini", WHISPER)
    named = recipe / "conf" / "whisper" / "pretrain" / "published.yaml"
    digest = digest_file(weights / "model.safetensors")
    named.write_text(re.sub(r"(?m)^( *sha256:) \S+", rf"\1 {digest}", named.read_text()))
    conf = ["--conf", "conf/whisper"]
    given = {"DEMO": str(tree / "wavs"), "WHISPER": str(weights), "SLURM_CPUS_PER_TASK": "1"}
    names = "whisper_probe transformer_tl"
    result = run(recipe, *conf, "--systems", names, **given)
    assert result.returncode == 0, result.stderr
    assert "MIT" in (recipe / "exp" / "whisper" / "RESULTS.md").read_text()
    results = json.loads((recipe / "exp" / "whisper" / "results.json").read_text())
    assert results["systems"].keys() == set(names.split())
    assert results["run"]["published"].keys() == set(names.split())
    assert not (recipe / "exp" / "pretrain").exists(), "nothing of the first experiment is touched"
    assert not (recipe / "dump" / "fbank").exists()
    assert not (recipe / "data" / "asr_train").exists()
    with contextlib.chdir(recipe):
        verified = call("verify", "exp/whisper")
        assert verified.status == 0, verified.err
        packed = call("pack", "exp/whisper/transformer_tl", "--out", "model", "--folds", "1")
        assert packed.status == 0, packed.err
        assert "openai/whisper-tiny.en" in (recipe / "model" / "README.md").read_text()
        assert "Copyright (c) 2022 OpenAI" in (recipe / "model" / "NOTICE").read_text()
        assert str(wav) in call("ser_predict", "model", str(wav)).out
    kept = run(recipe, *conf, "--stage", "3", "--stop-stage", "3", DEMO=given["DEMO"])
    assert kept.returncode == 0, "weights that were imported are not asked for again"


def choose_settings(recipe: Path, wavs: Path) -> None:
    """As egs/README.md has it: variants on validation speakers, nothing of the test read."""
    settings = "transformer transformer_half_rate"
    options = ["--protocol", "conf/protocol/next_fold.yaml", "--exp-dir", "exp/choice"]
    options += ["--recogniser", "none", "--stop-stage", "4", "--systems", settings]
    trained = run(recipe, *options, DEMO=str(wavs))
    assert trained.returncode == 0, trained.stderr
    with contextlib.chdir(recipe):
        chosen = call("choose", "exp/choice", "--systems", settings)
    assert chosen.status == 0, chosen.err
    assert "2 settings on the validation part of 3 folds (next_fold), last epoch" in chosen.out


def test_a_recipe_of_ones_own(tree: Path) -> None:
    """A folder of WAV files and the skeleton as it is: from nothing to the table."""
    script = tree / "tools" / "new_recipe.sh"
    made = run_script(script, "demo")
    assert made.returncode == 0, made.stderr
    recipe = tree / "egs" / "demo"
    assert (recipe / "run.sh").read_bytes() == (ROOT / "egs/ravdess/run.sh").read_bytes()
    assert not any(path.is_symlink() for path in recipe.rglob("*"))
    assert (recipe / "conf" / "baselines" / "egemaps_svm.yaml").is_file()
    lines = (recipe / "local" / "data.sh").read_text().splitlines()
    assert sum(bool(line.strip()) and not line.startswith("#") for line in lines) <= 15
    for speaker in ("anna", "ben", "carl", "dana", "élise"):
        for label in ("angry", "happy", "neutral", "sad"):
            for take in "12":
                suffix = "WAV" if speaker == "ben" else "wav"
                plant_audio(tree / "my wavs" / f"{speaker}_{label}_{take}.{suffix}", seconds=0.5)
    shrink(recipe)
    systems = ["--recogniser", "none", "--systems", "cnn_blstm_sa transformer transformer_tl_mtl"]
    result = run(recipe, *systems, DEMO=str(tree / "my wavs"))
    assert result.returncode == 0, result.stderr
    results = json.loads((recipe / "exp" / "results.json").read_text())
    assert results["systems"]["transformer"]["num_utts"] == 40
    assert "warning: no words; systems with a CTC head will be left out" in result.stderr
    assert "no words; left out: transformer_tl_mtl" in result.stderr
    assert list(results["systems"]) == ["cnn_blstm_sa", "transformer"]
    refused = run(recipe, "--stage", "4", "--recogniser", "none")
    assert refused.returncode == 1
    assert "error: --recogniser none: transformer_tl: from a recogniser" in refused.stderr
    assert "pass --systems 'cnn_blstm_sa transformer', or a recipe that" in refused.stderr
    choose_settings(recipe, tree / "my wavs")
    untrained = ["--recogniser", "../ravdess", "--systems", "transformer_tl"]
    refused = run(recipe, "--stage", "4", *untrained)
    assert refused.returncode == 1
    assert "../ravdess/exp/pretrain/ctc: not there or not whole" in refused.stderr
    assert "run cd ../ravdess && ./run.sh --stop-stage 3\n" in refused.stderr

    again = run_script(script, "demo")
    assert again.returncode == 1
    assert again.stderr == "error: egs/demo: is there already; take another name, or remove it\n"


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("none", "DEMO is '{}': no such folder, seen from {recipe}; .*; give its full path"),
        ("empty", "{}: 0 audio files in it; correct the path, or local/data.sh"),
        (
            "odd",
            "{}: 1 of 1 names are not of the pattern '.*': a-angry-1.wav; expected all to match",
        ),
    ],
)
@pytest.mark.parametrize("relative", [False, True])
def test_files_that_the_skeleton_does_not_know(
    tree: Path, folder: str, said: str, relative: bool
) -> None:
    assert run_script(tree / "tools" / "new_recipe.sh", "demo").returncode == 0
    (tree / "empty").mkdir()
    plant_audio(tree / "odd" / "a-angry-1.wav")
    recipe = tree / "egs" / "demo"
    root = f"../../{folder}" if relative else str(tree / folder)
    result = prepare(recipe, DEMO=root)
    assert result.returncode == 1
    assert re.match("error: " + said.format(root, recipe=recipe), result.stderr)
    assert result.stderr.count("\n") == 1
    assert not (recipe / "data" / "ser").exists()


def plant_speakers(root: Path) -> list[tuple[Path, str, str]]:
    """Path, speaker and label of files of five speakers: in subfolders too, of two formats."""
    files = []
    for i, speaker in enumerate(("anna", "ben", "carl", "dana", "eve")):
        for label in ("angry", "happy", "neutral", "sad"):
            path = root / f"{'room 2/' * (i % 2)}{speaker}_{label}.{'flac' if i == 2 else 'wav'}"
            plant_audio(path, seconds=0.5)
            files.append((path, speaker, label))
    return files


@pytest.mark.parametrize("kind", ["folder", "table", "kaldi"])
def test_whatever_the_skeleton_is_given(tree: Path, kind: str) -> None:
    """A folder, a table or a data directory: `local/data.sh` stays as it was made."""
    assert run_script(tree / "tools" / "new_recipe.sh", "demo").returncode == 0
    files = plant_speakers(tree / "corpus")
    for name in ("notes.txt", "fay_sad.m4a", ".hidden.wav"):
        (tree / "corpus" / name).write_text("mine")
    given = tree / "corpus"
    if kind == "table":
        given = given / "corpus.csv"
        rows = (f"{path.relative_to(tree / 'corpus')},{label},{spk}" for path, spk, label in files)
        given.write_text("\n".join(["path,label,speaker", *rows, ""]))
    if kind == "kaldi":
        given = tree / "kaldi"
        given.mkdir()
        values = {"wav.scp": 0, "utt2spk": 1, "utt2emo": 2}
        for name, i in values.items():
            lines = (f"{spk}-{label} {(path, spk, label)[i]}\n" for path, spk, label in files)
            (given / name).write_text("".join(lines))
    recipe = tree / "egs" / "demo"
    if kind == "folder":
        options = ["--stop-stage", "0", "--recogniser", "none", "--systems", "transformer"]
        result = run(recipe, *options, DEMO=str(given))
    else:
        result = prepare(recipe, DEMO=str(given))
    assert result.returncode == 0, result.stderr
    data = read_data_dir(recipe / "data" / "ser")
    assert sorted(data["wav.scp"].values()) == sorted(str(path) for path, _, _ in files)
    assert len(set(data["utt2spk"].values())) == 5
    assert (recipe / "exp" / "folds" / "run.json").exists() == (kind == "folder")
    warned = f"warning: {given}: 2 others are not taken (.m4a, .txt); a table can name them\n"
    assert (warned in result.stderr) == (kind == "folder")


@pytest.mark.parametrize("name", ["path", "home", "uid", "librispeech", "lc_all", "esd_speakers"])
def test_names_that_mean_something_else(tree: Path, name: str) -> None:
    result = run_script(tree / "tools" / "new_recipe.sh", name)
    assert result.returncode == 1
    assert f"error: {name}: {name.upper()} is a variable with another meaning" in result.stderr
    assert not (tree / "egs" / name).exists()


@pytest.mark.parametrize("words", [[], ["a", "b"], ["../x"], ["A"], ["1a"], [""]])
def test_names_that_are_no_recipe(tree: Path, words: list[str]) -> None:
    result = run_script(tree / "tools" / "new_recipe.sh", *words)
    assert result.returncode == 2
    assert re.search("expected (one name of small letters|NAME, or NAME --pattern)", result.stderr)
