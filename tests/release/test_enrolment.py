"""A speaker is enrolled: from training to ``ser-predict``, with what each step tells."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from programs import call
from tiny import tsv_rows
from tiny_audio import packing, train
from tiny_predictions import run_score
from tiny_recipe import EXP, WORDS, change_system, finetune_run

from ser.base.errors import SerError
from ser.base.files import read_json
from ser.config.network import ReadoutConfig
from ser.infer.loading import load
from ser.infer.model import Model
from ser.predict.folds import predict_all
from ser.release.pack import pack

NAME = "transformer_tl"
RATE = 16000


@pytest.fixture(scope="module")
def packed(pretrained_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe with a system that takes the speaker's mean off: scored, and packed as ``model``."""
    root = shutil.copytree(pretrained_recipe, tmp_path_factory.mktemp("by_speaker") / "recipe")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        readout = ReadoutConfig(type="mean_sd", speaker_prior=2.5)
        change_system(NAME, readout=readout, optimizer__frozen=["encoder"])
        train(NAME)
        predict_all([finetune_run(NAME, fold=fold) for fold in "123"])
        run_score(patch, EXP, "--systems", NAME, "--seeds", "1")
        pack(packing(NAME), root / "model")
    return root


@pytest.fixture
def turns(tmp_path: Path) -> list[Path]:
    """Of one speaker, the last of them silent."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.wav" for i in range(4)]
    for i, path in enumerate(paths):
        samples = (0.1 + 0.05 * i) * rng.normal(size=RATE + 1000 * i) * (i < 3)
        soundfile.write(path, samples, RATE)
    return paths


def shares(model: Model, path: Path) -> list[float]:
    return list(model.predict(path).posteriors.values())


def test_report_and_card_say_what_the_figures_know(packed: Path) -> None:
    said = "the mean of a test speaker's turns is taken off each of them, without labels"
    report = (packed / EXP / "RESULTS.md").read_text()
    assert f"{said} (speaker_prior 2.5)" in report
    assert read_json(packed / EXP / "results.json")["run"]["speaker_prior"] == {NAME: 2.5}
    card = (packed / "model" / "README.md").read_text()
    assert "--enrol recordings_of_the_speaker a.wav" in card
    assert "all test turns of the speaker were used" in card
    front = " ".join(card.partition("\n---\n")[0].split())
    assert "the mean of a test speaker's turns taken off them" in front


def test_a_speaker_is_enrolled_by_files_a_folder_or_a_list(
    packed: Path, turns: list[Path], tmp_path: Path
) -> None:
    listed = tmp_path / "wav.scp"
    listed.write_text("".join(f"u{i} {path}\n" for i, path in enumerate(turns)))
    plain = tsv_rows(call("ser_predict", packed / "model", turns[0], "--format", "tsv").out)
    rows = []
    for enrolled in ([tmp_path], [listed], turns):
        options = [word for path in enrolled for word in ("--enrol", path)]
        result = call("ser_predict", packed / "model", turns[0], "--format", "tsv", *options)
        assert result.status == 0
        rows += tsv_rows(result.out)
    assert rows[0] == rows[1] == rows[2]
    model = load(packed / "model").enrol(turns[:3])  # silence is no turn
    for name, share in model.predict(turns[0]).posteriors.items():
        assert float(rows[0][f"post_{name}"]) == pytest.approx(share, abs=1e-5)
        assert abs(float(plain[0][f"post_{name}"]) - share) > 1e-6
    assert set(model.labels) == set(WORDS)


def test_arrays_and_long_recordings_are_turns_too(packed: Path, turns: list[Path]) -> None:
    model = load(packed / "model")
    samples, _ = soundfile.read(turns[0], dtype="float32")
    by_array = model.enrol([samples], sample_rate=RATE)
    assert shares(by_array, turns[1]) == pytest.approx(
        shares(model.enrol([turns[0]]), turns[1]), abs=1e-5
    )
    assert model.longest_seconds and model.longest_seconds < 2.5
    long = np.tile(samples, 5)
    soundfile.write(turns[0], long, RATE)
    by_file, by_array = model.enrol([turns[0]]), model.enrol([long], sample_rate=RATE)
    assert shares(by_file, turns[1]) == pytest.approx(shares(by_array, turns[1]), abs=1e-3)


def test_the_members_of_a_package_are_enrolled_each_for_itself(
    packed: Path, turns: list[Path]
) -> None:
    """The mean of what the runs say alone, which have other means of training speakers."""
    members = [load(packed / EXP / NAME / "seed1" / f"fold{k}").enrol(turns[:3]) for k in "123"]
    alone = np.mean([shares(member, turns[1]) for member in members], axis=0)
    model = load(packed / "model")
    model = replace(model, engine=replace(model.engine, temperature=1.0)).enrol(turns[:3])
    assert shares(model, turns[1]) == pytest.approx(alone, abs=1e-6)


def test_what_is_enrolled_leaves_the_model_as_it_is(packed: Path, turns: list[Path]) -> None:
    model = load(packed / "model")
    before = shares(model, turns[0])
    first = shares(model.enrol([turns[1]]), turns[0])
    model.enrol([turns[2]])
    assert shares(model, turns[0]) == before
    assert shares(model.enrol([turns[1]]), turns[0]) == first


def test_what_cannot_be_enrolled(
    packed: Path, trained_recipe: Path, turns: list[Path], tmp_path: Path
) -> None:
    model, cut = load(packed / "model"), tmp_path / "cut.wav"
    cut.write_bytes(b"RIFF")
    with pytest.raises(SerError, match="enrolment: 0 turns that can be speech"):
        model.enrol(turns[3:])
    with pytest.raises(SerError, match="0 turns that can be speech"):
        model.enrol([])
    with pytest.raises(SerError, match=r"one turn; expected several; enrol takes a list"):
        model.enrol(str(turns[0]))
    with pytest.raises(SerError, match=r"(?s)2 faults:.*cut\.wav.*no\.wav"):
        model.enrol([cut, turns[0], tmp_path / "no.wav"])
    with pytest.raises(SerError, match="a model that takes no mean of a speaker"):
        load(trained_recipe / "model").enrol(turns)
    result = call("ser_predict", packed / "model", turns[0], "--enrol", tmp_path)
    assert result.status == 1 and result.err.startswith("error: ") and "cut.wav" in result.err
    result = call("ser_predict", packed / "model", turns[0], "--enrol", "-")
    assert result.status == 1 and "--enrol -: expected a file" in result.err


def test_an_onnx_file_is_of_one_mean(packed: Path, turns: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    out = tmp_path / "model.onnx"
    assert call("export", packed / "model", "--out", out, "--features-inside").status == 0
    exported = load(out)
    assert shares(exported, turns[0]) == pytest.approx(
        shares(load(packed / "model"), turns[0]), abs=1e-4
    )
    with pytest.raises(SerError, match=r"enrolment with an \.onnx file, .*; expected the package"):
        exported.enrol(turns)
