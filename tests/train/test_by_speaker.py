"""Systems that take a speaker's mean off: what is trained, predicted and enrolled is one thing."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tiny import ALONE, optimizer_config, system_config, training_config, write_config
from tiny_recipe import (
    CONF,
    EXP,
    FEATS,
    PROTOCOL,
    change_system,
    finetune_run,
    write_folds_of,
)

from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.config.baselines import ProbeConfig
from ser.config.network import PAPER_READOUT, ReadoutConfig
from ser.config.schema import HeadConfig, SpecAugmentConfig
from ser.config.systems import load_trained_system
from ser.corpus.fold_files import TRAIN, VALID, in_part, read_fold
from ser.data.utterances import FeatureReader, read_feature_dir
from ser.feats.speaker_means import shifts, speaker_means, training_mean
from ser.infer.loading import load
from ser.nn.readout import MIN_SD
from ser.nn.weights import load_weights
from ser.predict import linear, networks
from ser.predict.folds import predict_all
from ser.predict.networks import predict_parts
from ser.train.finetune import finetune
from ser.train.resolve import FinetuneRun, resolve
from ser.train.split import load_split

pytestmark = pytest.mark.usefixtures("recipe")
NAME = "transformer_tl"
READOUT = ReadoutConfig(type="mean_sd", speaker_prior=3.0)


def by_speaker(**changes: Any) -> FinetuneRun:
    change_system(NAME, readout=READOUT, optimizer__frozen=["encoder"], **changes)
    return finetune_run(NAME)


def test_enrolled_by_the_test_turns_a_model_says_what_stage_5_says() -> None:
    """The same in two ways: shifted vectors, and features through a model for each speaker."""
    run = by_speaker(training__max_epochs=6, optimizer__learning_rate=0.01)
    finetune(run)
    features = read_feature_dir(FEATS / "ser")
    table = {p.utt: p.posteriors for p in predict_parts(resolve(run), features, ("test",))}
    inputs: dict[str, dict[str, Floats]] = defaultdict(dict)
    for utt in table:
        matrix = np.empty((features.num_frames[utt], features.feats.num_bins), np.float32)
        features.feats.read_normalised(utt, matrix)
        inputs[features.data["utt2spk"][utt]][utt] = matrix
    assert len(inputs) == 2  # a session has a woman and a man
    engine: Any = load(run.folder).engine
    differences = []
    for turns in inputs.values():
        one_by_one = [[matrix] for matrix in turns.values()]
        for batches in (one_by_one, [list(turns.values())]):
            found = [rows for batch in batches for rows in engine.vectors(batch)[0]]
            (mean,) = speaker_means(("one", rows) for rows in found).values()
            enrolled = engine.for_speaker([mean])
            for utt, output in zip(turns, enrolled(list(turns.values())), strict=True):
                assert output.posteriors == pytest.approx(table[utt], abs=1e-4)
        alone = engine(list(turns.values()))
        differences += [
            np.abs(output.posteriors - table[utt]).max()
            for utt, output in zip(turns, alone, strict=True)
        ]
    assert max(differences) > 0.01  # a speaker who is not enrolled is another matter


def test_the_readout_holds_the_mean_of_the_training_speakers() -> None:
    """So that who is not enrolled is taken for it; and the deviations from each speaker's own."""
    run = by_speaker(training__max_epochs=1)
    finetune(run)
    encoded = read_feature_dir(EXP / "encoded" / "ctc.mean_sd" / "ser")
    train = in_part(read_fold(EXP / "folds", "1"), TRAIN)
    spk_of = encoded.data["utt2spk"]
    vectors = {utt: encoded.feats[utt][0] for utt in train}
    mean = training_mean(speaker_means((spk_of[utt], vectors[utt]) for utt in train), 3.0)
    added = shifts([train], spk_of, vectors.__getitem__, 3.0)
    shifted = np.array([vectors[utt] + added[utt] for utt in train], np.float64)
    held = load_weights(run.folder / "model.safetensors")
    assert held["readout.offset"].numpy() == pytest.approx(mean, abs=1e-5)
    wanted = np.maximum(shifted.std(axis=0), MIN_SD)
    assert held["readout.scale"].numpy() == pytest.approx(wanted, abs=1e-4)
    spread = np.array(list(vectors.values()), np.float64).std(axis=0)
    assert wanted.mean() < 0.95 * spread.mean()  # what tells speakers apart is no longer in it


def test_the_validation_part_is_shifted_as_prediction_shifts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_folds_of(
        PROTOCOL.model_copy(update={"validation": "next_fold", "selection": "best_valid_ua"})
    )
    run = by_speaker(training__max_epochs=1)
    finetune(run)
    split = load_split(resolve(run), resolve(run).system, None, ALONE)
    given: list[FeatureReader] = []
    monkeypatch.setattr(
        networks, "predict_utterances", lambda model, utts, feats, *_: given.append(feats)
    )
    predict_parts(resolve(run), read_feature_dir(FEATS / "ser"), (VALID,))
    for u in split.valid:
        width = split.features.feats.num_bins
        validated, predicted, plain = (np.empty((1, width), np.float32) for _ in range(3))
        split.features.feats.read_normalised(u.utt, validated)
        given[0].read_normalised(u.utt, predicted)
        split.features.feats.read_into(u.utt, plain)
        assert validated == pytest.approx(predicted, abs=1e-5)
        assert np.abs(validated - plain).max() > 1e-3
    assert len(split.valid) == 8


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer__frozen": []},
        {"optimizer__frozen": ["encoder.blocks.0"]},
        {"init": "scratch"},
        {"ctc_alpha": 0.6},
        {
            "training__spec_augment": SpecAugmentConfig(
                num_freq_masks=1,
                max_freq_mask_bins=2,
                num_time_masks=0,
                max_time_mask_frames=0,
                max_time_mask_prob=0.0,
            )
        },
        {
            "head_first": HeadConfig(
                optimizer=optimizer_config(frozen=["encoder"]), training=training_config()
            )
        },
    ],
)
def test_an_encoder_that_is_trained_is_refused(changes: dict[str, Any]) -> None:
    run = by_speaker()
    change_system(NAME, **changes)
    with pytest.raises(SerError, match=r"speaker_prior 3; expected with it optimizer.frozen"):
        load_trained_system(run.conf, NAME)


@pytest.mark.parametrize("readout", ["emotion_vector", "attentive"])
def test_readouts_without_statistics_are_refused(readout: Any) -> None:
    with pytest.raises(ValidationError, match=f"speaker_prior 3 with {readout}; expected null"):
        ReadoutConfig(type=readout, speaker_prior=3.0)


def test_systems_without_it_are_recorded_as_before() -> None:
    assert "speaker_prior" not in str(system_config(NAME).model_dump())
    assert "speaker_prior" not in PAPER_READOUT.model_dump()
    assert (
        "speaker_prior"
        not in ProbeConfig(probe_of="ctc", costs=[1.0], num_cost_folds=2).model_dump()
    )


def test_a_linear_baseline_does_not_see_a_voice_that_is_added(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = ProbeConfig(probe_of="ctc", costs=[1e-2], num_cost_folds=2, speaker_prior=1e-6)
    write_config(CONF / "baselines" / "probe.yaml", config)
    write_config(
        CONF / "baselines" / "plain.yaml", config.model_copy(update={"speaker_prior": None})
    )

    def table(name: str) -> list[list[float]]:
        predict_all([finetune_run(name)])
        text = (EXP / "predictions" / name / "seed1_fold1.tsv").read_text()
        return [[float(x) for x in line.split("\t")[6:10]] for line in text.splitlines()[1:]]

    original = linear.load_weights
    tables = {name: table(name) for name in ("probe", "plain")}
    spk_of = read_feature_dir(FEATS / "ser").data["utt2spk"]

    def with_voices(*given: Any) -> Any:
        return {
            utt: vector + 2 * (of_speaker(spk_of[utt]) - 0.5)
            for utt, vector in original(*given).items()
        }

    def of_speaker(speaker: str) -> float:
        return {"F": 0.0, "M": 1.0}[speaker[-1]] + int(speaker[4])

    monkeypatch.setattr(linear, "load_weights", with_voices)
    for name in tables:
        for path in (EXP / "predictions" / name).iterdir():
            path.unlink()
    assert table("probe") == pytest.approx(np.array(tables["probe"]), abs=1e-3)
    assert np.abs(np.array(table("plain")) - tables["plain"]).max() > 0.01
