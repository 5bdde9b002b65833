"""Every system learns one batch of eight utterances by heart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import (
    ALONE,
    SYSTEMS,
    ark_reader,
    cnn_blstm_sa_config,
    ctc_config,
    encoder_config,
    optimizer_config,
    random_feats,
    system_config,
    training_config,
)
from torch.nn.functional import cross_entropy

from ser.data.batch import Batch, read_batch
from ser.data.utterances import Utterance
from ser.nn.emotion import EmotionModel
from ser.nn.recogniser import Recogniser, transcribe
from ser.nn.systems import build_system, load_pretrained
from ser.train.engine.loop import Trainer
from ser.train.finetune import emotion_loss
from ser.train.pretrain import recogniser_loss
from ser.train.training_data import TrainingData

VOCABULARY = 8

pytestmark = pytest.mark.long
NO_DROPOUT = {"dropout_prob": 0.0, "attention_dropout_prob": 0.0}
ENCODER = encoder_config(**NO_DROPOUT)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    random = np.random.default_rng(3)
    utterances = []
    for i in range(8):
        tokens = random.integers(1, VOCABULARY, size=3 + i % 3).tolist()
        utterances.append(Utterance(f"u{i}", 70 + 5 * i, tokens, label=i % 4))
    feats = random_feats({u.utt: u.num_frames for u in utterances})
    return TrainingData(utterances, ark_reader(tmp_path_factory.mktemp("feats"), feats), 10.0)


def whole_batch(data: TrainingData) -> Batch:
    return read_batch(data.utterances, range(len(data.utterances)), data.feats)


def transcripts(data: TrainingData) -> list[Sequence[int]]:
    return [u.tokens for u in data.utterances]


def learn(model, compute_loss, data: TrainingData, folder: Path, steps: int) -> None:
    training = training_config(max_epochs=steps)
    optimizer = optimizer_config(learning_rate=3e-3, warmup_steps=10)
    Trainer(model, compute_loss, data, training, optimizer, folder, seed=1, world=ALONE).run()
    model.eval()


@pytest.fixture(scope="module")
def recogniser(data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    torch.manual_seed(1)
    model = Recogniser(ENCODER, VOCABULARY)
    learn(model, recogniser_loss(ctc_config()), data, tmp_path_factory.mktemp("ctc"), steps=150)
    return model


@torch.no_grad()
def test_the_recogniser_learns_the_transcripts(recogniser: Recogniser, data: TrainingData) -> None:
    batch = whole_batch(data)
    logits, lens = recogniser(batch.feats, batch.feat_lens)
    assert transcribe(logits, lens) == transcripts(data)


@pytest.mark.parametrize("name", SYSTEMS)
def test_learns_eight_utterances(
    name: str, data: TrainingData, recogniser: Recogniser, tmp_path: Path
) -> None:
    torch.manual_seed(2)
    baseline = name == "cnn_blstm_sa"
    system = system_config(
        name, model=cnn_blstm_sa_config(dropout_prob=0.0) if baseline else ENCODER
    )
    model = build_system(system, 4, VOCABULARY)
    if isinstance(model, EmotionModel) and system.init == "ctc":
        load_pretrained(recogniser.state_dict(), model, "ctc")

    learn(model, emotion_loss(system), data, tmp_path, steps=60)
    batch = whole_batch(data)
    with torch.no_grad():
        output = model(batch.feats, batch.feat_lens)
    assert float(cross_entropy(output.emotion_logits, batch.labels)) < 0.05
    if name == "transformer_tl_mtl":
        assert transcribe(output.ctc_logits, output.frame_lens) == transcripts(data)
    else:
        assert output.ctc_logits is None
