"""Audio files from the shell, by a run that was copied away from its recipe."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny_recipe import FEATS, LABELS, WORDS, change_system, finetune_run

from ser.base.errors import SerError
from ser.base.files import read_json, write_json
from ser.infer import files as files_module
from ser.infer.files import load_trained, predict_files
from ser.infer.predictor import Prediction
from ser.train.finetune import finetune

RATES = {"a.wav": 16000, "b.flac": 8000, "c.ogg": 44100}


@pytest.fixture
def run_folder(recipe: Path, tmp_path: Path) -> Path:
    """A finished run alone, elsewhere; the recipe is gone."""
    finetune(finetune_run("transformer_tl_mtl"))
    alone = tmp_path / "alone"
    shutil.move(finetune_run("transformer_tl_mtl").folder, alone)
    for child in recipe.iterdir():
        shutil.rmtree(child)
    return alone


@pytest.fixture
def audio(tmp_path: Path) -> list[Path]:
    """Files of several formats, rates and lengths, one shorter than a frame."""
    random = np.random.default_rng(0)
    paths = []
    for i, (name, rate) in enumerate(RATES.items()):
        paths.append(tmp_path / name)
        soundfile.write(paths[-1], 0.1 * random.normal(size=(rate * (i + 1), 1 + i)), rate)
    paths.append(tmp_path / "short.wav")
    soundfile.write(paths[-1], 0.1 * random.normal(size=100), 16000)
    return paths


def shell(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ser.bin.predict_files", *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_line_for_each_file(run_folder: Path, audio: list[Path]) -> None:
    result = shell(run_folder, *audio)
    assert (result.returncode, result.stderr) == (0, "")
    header, *rows = (line.split("\t") for line in result.stdout.splitlines())
    assert header == ["path", "label", *(f"post_{name}" for name in WORDS), "words"]
    assert [row[0] for row in rows] == [str(path) for path in audio]
    for row in rows:
        posteriors = dict(zip(WORDS, map(float, row[2:6]), strict=True))
        assert sum(posteriors.values()) == pytest.approx(1, abs=5e-6)
        assert row[1] == max(posteriors, key=lambda name: posteriors[name])


def test_a_bad_file_is_named_and_the_others_go_on(run_folder: Path, audio: list[Path]) -> None:
    broken = audio[0].with_name("broken.wav")
    broken.write_bytes(audio[0].read_bytes()[:30])
    absent = audio[0].with_name("absent.wav")
    result = shell(run_folder, audio[0], broken, absent, audio[1])
    assert result.returncode == 1
    assert [line.split("\t")[0] for line in result.stdout.splitlines()[1:]] == [
        str(audio[0]),
        str(audio[1]),
    ]
    errors = result.stderr.splitlines()
    assert len(errors) == 2
    assert errors[0].startswith(f"error: {broken}: not readable as audio")
    assert errors[1].startswith(f"error: {absent}: no such file")


def test_together_as_alone(
    run_folder: Path, audio: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = load_trained(run_folder)
    together = list(predict_files(trained, audio))
    monkeypatch.setattr(files_module, "AHEAD", 1)
    for (path, a), (_, b) in zip(together, predict_files(trained, audio), strict=True):
        assert isinstance(a, Prediction) and isinstance(b, Prediction)
        assert a.utt == b.utt == str(path)
        assert a.words == b.words
        assert a.posteriors == pytest.approx(b.posteriors, abs=1e-5)


def test_batches_fit_into_memory(
    run_folder: Path, audio: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    predict = files_module._predict

    def note(trained, names, feats):
        sizes.append(len(names) * max(len(f) for f in feats))
        return predict(trained, names, feats)

    monkeypatch.setattr(files_module, "_predict", note)
    trained = load_trained(run_folder)
    object.__setattr__(trained, "max_frames", 300)
    assert len(list(predict_files(trained, audio))) == len(audio)
    assert len(sizes) > 1 and max(sizes) <= 300


def test_a_system_without_words(recipe: Path, audio: list[Path]) -> None:
    finetune(finetune_run("cnn_blstm_sa"))
    folder = finetune_run("cnn_blstm_sa").folder
    assert not (folder / "bpe.model").exists()
    ((_, prediction),) = predict_files(load_trained(folder), audio[:1])
    assert isinstance(prediction, Prediction)
    assert prediction.words is None
    assert len(prediction.posteriors) == len(LABELS.names)


def test_unfinished_and_foreign_folders_are_named(recipe: Path) -> None:
    with pytest.raises(SerError, match=r"exp/transformer/seed1/fold1: no run\.json; expected"):
        load_trained(finetune_run("transformer").folder)
    with pytest.raises(SerError, match=r"ser/run\.json: no record of a system.*'system'"):
        load_trained(FEATS / "ser")
    change_system("transformer", training__max_epochs=1)
    finetune(finetune_run("transformer"))
    path = finetune_run("transformer").folder / "run.json"
    record = read_json(path)
    write_json(path, {**record, "notes": {}})
    with pytest.raises(SerError, match=r"run\.json: no record of a system.*'fbank'.*--force"):
        load_trained(path.parent)


def test_imports_of_the_program_are_few() -> None:
    """What costs a start: each of these takes longer than a prediction."""
    code = "import sys, ser.bin.predict_files; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {
        "torchaudio",
        "tensorboard",
        "matplotlib",
        "scipy.stats",
        "sklearn",
        "jiwer",
        "kaldiio",
    }
    assert not heavy & set(loaded)
