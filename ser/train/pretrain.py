"""Pre-training (section 3.1): the encoder as a CTC speech recogniser."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ser.base.record import Record, Stage
from ser.config.load import load_config
from ser.config.made_with import require_subsets
from ser.config.schema import SCRATCH, CtcConfig, PretrainConfig, can_be_encoded
from ser.data.batch import Batch
from ser.data.utterances import (
    FeatureDir,
    Utterance,
    read_feature_dir,
    read_with_copies,
    report_lengths,
    select,
    short_enough,
)
from ser.metrics.wer import word_errors
from ser.nn.losses import Loss, ctc_sum
from ser.nn.recogniser import Recogniser, transcribe
from ser.nn.systems import build_recogniser, load_pretrained
from ser.nn.weights import load_weights
from ser.text.bpe import Tokenizer
from ser.train.ctc_targets import check_ctc_lengths, choose_targets, encode_transcripts
from ser.train.encoded import encode_features
from ser.train.engine.distributed import Distributed, init_distributed, prepare_process
from ser.train.engine.forward import forward_batches
from ser.train.engine.loop import Trainer
from ser.train.engine.selection import Selection
from ser.train.engine.step import ComputeLoss, run_recogniser
from ser.train.frozen import encoding_of_recogniser
from ser.train.inputs import Inputs, TrainingRun, require_inputs
from ser.train.training_data import TrainingData, frame_shift_ms
from ser.train.training_folder import as_begun, train_in_folder


@dataclass(frozen=True, kw_only=True)
class PretrainRun(TrainingRun):
    """One pre-training run.

    Attributes:
        config_path: ``conf/pretrain/<name>.yaml``.
        train_data: ``data/asr_train``, whose record has the missing subsets.
        train_feats: Features of the training utterances.
        valid_feats: Features of the validation utterances.
        folder: Where the run is written.
    """

    config_path: Path
    train_data: Path
    train_feats: Path
    valid_feats: Path
    folder: Path


def resolve_pretraining(run: PretrainRun) -> tuple[PretrainConfig, Inputs, Record]:
    """Reads configuration and records of a run: with its identity, which says if it is finished.

    Raises:
        SerError: An input is missing or stale, or subsets are missing that the configuration does
            not allow to miss.
    """
    config = load_config(run.config_path, PretrainConfig)
    inputs = require_inputs(
        run.config_path.parents[1],
        str(run.config_path),
        config.encoder,
        feats=[run.train_feats, run.valid_feats],
        speed_factors=config.training.speed_factors,
        bpe=run.bpe,
        start=None if config.init == SCRATCH else run.folder.with_name(config.init),
    )
    require_subsets(run.train_data, config, run.config_path)
    settings = {**config.model_dump(), "seed": run.seed}
    return config, inputs, as_begun(Record(run.folder, Stage.PRETRAIN, settings, inputs.identities))


def pretrain(run: PretrainRun) -> None:
    """Trains the recogniser; encoder and CTC head are in ``model.safetensors`` at the end.

    Raises:
        SerError: As of ``resolve_pretraining``, or the folder holds another run.
    """
    config, inputs, record = resolve_pretraining(run)
    world = init_distributed(run.num_gpus)

    def train(num_threads: int) -> dict[str, Any]:
        prepare_process(num_threads, run.seed)
        return {**_train(run, config, world, record.identity), **inputs.notes}

    train_in_folder(record, world, run.num_threads, run.force, train)


def _train(
    run: PretrainRun, config: PretrainConfig, world: Distributed, identity: str
) -> dict[str, float]:
    tokenizer = Tokenizer.load(run.bpe / "bpe.model")
    train_feats, valid_feats = run.train_feats, run.valid_feats
    if can_be_encoded(config):
        train_feats = _encoded(run, config, train_feats, config.training.speed_factors, world)
        valid_feats = _encoded(run, config, valid_feats, (), world)
    train = read_with_copies(train_feats, config.training.speed_factors)
    valid = read_feature_dir(valid_feats)
    model = build_recogniser(config, tokenizer.vocab_size).to(world.device)
    if config.init != SCRATCH:
        weights_path = run.folder.with_name(config.init) / "model.safetensors"
        load_pretrained(load_weights(weights_path), model, str(weights_path))
    utts = short_enough(train, train.data.utts, config.training.max_seconds, train_feats)
    utterances = select(train, utts, tokens=encode_transcripts(train, tokenizer))
    valid_utterances = select(valid, valid.data.utts, tokens=encode_transcripts(valid, tokenizer))
    factors = config.training.speed_factors
    utterances = choose_targets(
        utterances, config.ctc.targets, tokenizer.vocab_size, factors, run.seed
    )
    if not train.feats.encoded:
        report_lengths(utterances, model.encoder.min_frames, str(run.folder))
    listing = run.folder / "too_short_for_ctc.txt"
    world.on_first(
        lambda: check_ctc_lengths(
            utterances,
            None if train.feats.encoded else model.encoder,
            config.ctc,
            run.train_feats,
            listing,
        )
    )

    return Trainer(
        model,
        recogniser_loss(config.ctc),
        TrainingData(utterances, train.feats, frame_shift_ms(train)),
        config.training,
        config.optimizer,
        run.folder,
        run.seed,
        world,
        validate=lambda: validate(model, valid, valid_utterances, tokenizer, config, world),
        selection=Selection(
            "valid_wer", higher_is_better=False, keep_best=config.selection != "last"
        ),
        deadline=run.deadline,
        identity=identity,
    ).run()


def _encoded(
    run: PretrainRun,
    config: PretrainConfig,
    feats: Path,
    speed_factors: Sequence[float],
    world: Distributed,
) -> Path:
    """The folder of what the frozen encoder makes of some features."""
    encoding = encoding_of_recogniser(config, run.folder.parent, feats, speed_factors)
    world.on_first(lambda: encode_features(encoding, world.device, run.deadline))
    return encoding.folder


def recogniser_loss(config: CtcConfig) -> ComputeLoss:
    """The loss of pre-training, from a network and a batch."""

    def compute_loss(network: nn.Module, batch: Batch) -> Loss:
        logits, frame_lens = run_recogniser(network, batch)
        ctc = ctc_sum(logits, frame_lens, batch.tokens, batch.token_lens, config)
        return Loss(ctc, emotion=None, ctc=ctc)

    return compute_loss


def validate(
    model: Recogniser,
    valid: FeatureDir,
    utterances: Sequence[Utterance],
    tokenizer: Tokenizer,
    config: PretrainConfig,
    world: Distributed,
) -> dict[str, float]:
    """Loss and greedy WER on the validation utterances, shared out to the processes.

    The model is in evaluation mode.
    """
    total, words = 0.0, {}
    forward = partial(run_recogniser, model)
    given = utterances, valid.feats, config.training
    for batch, output in forward_batches(forward, *given, world.device, world.share):
        logits, frame_lens = output
        loss = ctc_sum(logits, frame_lens, batch.tokens, batch.token_lens, config.ctc)
        total += loss.item()
        for utt, tokens in zip(batch.utts, transcribe(logits, frame_lens), strict=True):
            words[utt] = tokenizer.decode(tokens)
    text = valid.data["text"]
    errors = word_errors([text[utt] for utt in words], list(words.values()))
    counts = torch.tensor([total, *errors], dtype=torch.float64, device=world.device)
    total, num_errors, num_words = world.sum(counts).tolist()
    return {
        "valid_loss": total / len(utterances),
        "valid_wer": num_errors / num_words if num_words else math.nan,
    }
