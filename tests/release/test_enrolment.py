"""A speaker is enrolled: from training to ``ser-predict``, with what each step tells."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from programs import call
from tiny import optimizer_config, system_config, tsv_rows
from tiny_predictions import run_score
from tiny_recipe import EXP

from ser.base.errors import SerError
from ser.base.files import read_json
from ser.config.network import ReadoutConfig
from ser.feats.speaker_means import speaker_means
from ser.infer import batches
from ser.infer.loading import load
from ser.infer.model import Model
from ser.infer.torch_engine import TorchEngine
from ser.infer.windows import equal_window
from ser.nn.systems import build_system

NAME = "transformer_tl"
RATE = 16000


def shares(model: Model, path: Path) -> list[float]:
    return list(model.predict(path).posteriors.values())


def test_report_and_card_say_what_the_figures_know(packed: Path) -> None:
    said = "the mean of a test speaker's turns is taken off each of them, without labels"
    report = (packed / EXP / "RESULTS.md").read_text()
    assert f"{said} (speaker_prior 2.5)" in report
    assert read_json(packed / EXP / "results.json")["run"]["speaker_prior"] == {NAME: 2.5}
    card = (packed / "model" / "README.md").read_text()
    assert "ser-predict model a.wav --enrol recordings_of_the_speaker/" in card
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
        result = call(
            "ser_predict", packed / "model", turns[0], "--format", "tsv", "--enrol", *enrolled
        )
        assert result.status == 0
        assert "warning: enrolled by 3 turns, fewer than 5" in result.err
        rows += tsv_rows(result.out)
    assert rows[0] == rows[1] == rows[2]
    model = load(packed / "model").enrol(turns[:3])  # silence is no turn
    for name, share in model.predict(turns[0]).posteriors.items():
        assert float(rows[0][f"post_{name}"]) == pytest.approx(share, abs=1e-5)
        assert abs(float(plain[0][f"post_{name}"]) - share) > 1e-6


def test_arrays_and_long_recordings_are_turns_too(packed: Path, turns: list[Path]) -> None:
    model = load(packed / "model")
    samples, _ = soundfile.read(turns[0], dtype="float32")
    by_array = model.enrol([samples], sample_rate=RATE)
    assert shares(by_array, turns[1]) == pytest.approx(
        shares(model.enrol([turns[0]]), turns[1]), abs=1e-5
    )
    assert model.longest_seconds and model.longest_seconds < 2.5
    rng = np.random.default_rng(1)
    louder = np.linspace(0.01, 0.9, 5 * RATE, dtype=np.float32)  # each window is another
    long = (louder * rng.uniform(-1, 1, 5 * RATE)).astype(np.float32)
    window = equal_window(5.0, model.whole_seconds, RATE)
    cut = [long[i : i + window] for i in range(0, len(long), window)]
    assert len(cut) >= 3
    whole, parts = (model.enrol(x, sample_rate=RATE) for x in ([long], cut))
    assert shares(whole, turns[1]) == pytest.approx(shares(parts, turns[1]), abs=1e-5)
    first = model.enrol(cut[:1], sample_rate=RATE)
    assert np.abs(np.subtract(shares(whole, turns[1]), shares(first, turns[1]))).max() > 1e-5


def test_members_with_encoders_of_their_own() -> None:
    """Each takes off the mean of what its own encoder gives."""
    readout = ReadoutConfig(type="mean_sd", speaker_prior=2.0)
    optimizer = optimizer_config(frozen=["encoder"])
    system = system_config(NAME, readout=readout, optimizer=optimizer)
    networks = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        networks.append(build_system(system, 4, None).eval())
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(n, 80)).astype(np.float32) for n in (80, 90, 100)]

    def enrolled(engine: TorchEngine) -> TorchEngine:
        means = speaker_means(
            (str(i), row) for i, rows in enumerate(engine.vectors(inputs)) for row in rows
        )
        return engine.for_speaker(list(means.values()))

    both = enrolled(TorchEngine(networks))
    assert len(both.vectors(inputs)) == 2
    alone = [enrolled(TorchEngine([network])) for network in networks]
    wanted = np.mean([engine(inputs)[0].posteriors for engine in alone], axis=0)
    assert both(inputs)[0].posteriors == pytest.approx(wanted, abs=1e-6)
    plain = TorchEngine(networks)(inputs)[0].posteriors
    assert np.abs(plain - wanted).max() > 1e-4


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
    again = model.enrol([turns[2]]).enrol([turns[1]])  # another speaker, not a mixture of both
    assert shares(again, turns[0]) == first
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
    for one in (str(turns[0]), turns[0], b"RIFF", np.zeros(RATE), np.zeros((RATE, 2)), 5, None):
        with pytest.raises(SerError, match=r"enrolment: no list; expected a list of recordings"):
            model.enrol(one)
    with turns[0].open("rb") as file, pytest.raises(SerError, match="no list; expected a list"):
        model.enrol(file)
    for wrong in ([turns[0], turns], [turns[0], None]):
        with pytest.raises(SerError, match=r"^turn 2: no recording; expected a path, bytes"):
            model.enrol(wrong)
    with pytest.raises(SerError, match=r"^turn 2: "):
        model.enrol([np.full(RATE, 0.1), np.full(RATE, np.nan)], sample_rate=RATE)
    with pytest.raises(SerError, match=r"(?s)2 faults:.*cut\.wav.*no\.wav"):
        model.enrol([cut, turns[0], tmp_path / "no.wav"])
    with pytest.raises(SerError, match="the model takes no mean of a speaker"):
        load(trained_recipe / "model").enrol(turns)
    result = call("ser_predict", packed / "model", turns[0], "--enrol", tmp_path)
    assert result.status == 1 and result.err.startswith("error: ") and "cut.wav" in result.err
    result = call("ser_predict", packed / "model", turns[0], "--enrol", "-")
    assert result.status == 1 and "--enrol -: expected a file" in result.err


def test_a_file_that_is_not_finite_is_named(packed: Path, turns: list[Path]) -> None:
    samples = np.zeros(RATE, np.float32) + 0.1 * np.random.default_rng(0).normal(size=RATE)
    samples[RATE // 2] = 1e30
    soundfile.write(turns[1], samples, RATE, subtype="FLOAT")
    with pytest.raises(SerError, match=r"1\.wav: .* not finite"):
        load(packed / "model").enrol(turns)


def test_what_is_no_turn_is_told_and_twice_is_once(
    packed: Path, turns: list[Path], log: Any
) -> None:
    model = load(packed / "model")
    once = shares(model.enrol(turns[:2]), turns[2])
    link = turns[0].with_name("link.wav")
    link.symlink_to(turns[1])
    roundabout = turns[0].parent / ".." / turns[0].parent.name / "0.wav"
    twice = model.enrol([turns[0], str(turns[1]), turns[1], link, roundabout])
    assert shares(twice, turns[2]) == once and twice.num_enrolled == 2
    assert not log.lines
    model.enrol(turns)
    (line,) = log.lines
    assert "3.wav: left out of enrolment: silence" in line
    long = np.concatenate(
        [0.3 * np.random.default_rng(0).normal(size=3 * RATE), np.zeros(9 * RATE)]
    )
    soundfile.write(turns[3], long, RATE)
    assert 1 <= model.enrol(turns[3:]).num_enrolled <= 3
    assert re.search(r"3\.wav: \d of \d+ windows left out of enrolment: ", log.lines[-1])
    assert len(log.lines) == 2


def test_batches_of_enrolment_fit_into_memory_as_those_of_prediction_do(
    packed: Path, turns: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(packed / "model")
    wanted = shares(model.enrol(turns[:3]), turns[0])
    sizes = []
    original = TorchEngine.vectors

    def noted(self: TorchEngine, inputs: Any) -> Any:
        sizes.append(len(inputs))
        return original(self, inputs)

    monkeypatch.setattr(TorchEngine, "vectors", noted)
    monkeypatch.setattr(batches, "MAX_FRAMES", 150)
    assert shares(model.enrol(turns[:3]), turns[0]) == pytest.approx(wanted, abs=1e-5)
    assert sizes == [1, 1, 1]

    def full(self: TorchEngine, inputs: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(TorchEngine, "vectors", full)
    with pytest.raises(SerError, match="does not fit into memory"):
        model.enrol(turns)


@pytest.mark.parametrize("more", ["--window 0.5", "--segments vad", "--html page.html"])
def test_all_kinds_of_prediction_are_of_the_speaker(
    packed: Path, turns: list[Path], more: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(turns[0].parent)
    samples, _ = soundfile.read(turns[0])
    soundfile.write("a.wav", np.concatenate([0.0001 * samples, samples, 0.0001 * samples]), RATE)
    pages = []
    for enrolled in ([], ["--enrol", turns[1], turns[2]]):
        said = call("ser_predict", packed / "model", "a.wav", *more.split(), *enrolled)
        assert said.status == 0
        assert ("no speaker is enrolled (--enrol, not with .onnx)" in said.err) == (not enrolled)
        pages.append(Path("page.html").read_text() if "html" in more else said.out)
    assert pages[0] != pages[1] and len(pages[0].splitlines()) >= 2


def test_without_the_runs_the_report_still_says_it(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shutil.copytree(packed, tmp_path / "shipped")
    monkeypatch.chdir(root)
    shutil.rmtree(root / EXP / NAME)
    run_score(monkeypatch, EXP, "--systems", NAME, "--seeds", "1")
    assert "speaker_prior 2.5" in (root / EXP / "RESULTS.md").read_text()


def test_an_onnx_file_is_of_one_mean(packed: Path, turns: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    out = tmp_path / "model.onnx"
    said = call("export", packed / "model", "--out", out, "--features-inside")
    assert said.status == 0 and "no speaker can be enrolled" in said.err
    exported = load(out)
    assert shares(exported, turns[0]) == pytest.approx(
        shares(load(packed / "model"), turns[0]), abs=1e-4
    )
    assert "no speaker is enrolled" in call("ser_predict", out, turns[0]).err
    with pytest.raises(SerError, match=r"mean is fixed in an \.onnx file"):
        exported.enrol(turns)
