"""Fine-tuning (section 3.2) of one system, with one seed, for one held-out fold."""

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ser.base.errors import SerError
from ser.base.files import digest_json
from ser.base.record import read_record, require
from ser.config.protocol import ProtocolConfig
from ser.config.schema import SCRATCH, LabelsConfig, SystemConfig
from ser.corpus.fold_lists import TRAIN, VALID, read_fold
from ser.data.batch import Batch
from ser.data.loader import load_batches
from ser.data.sampler import sorted_batches
from ser.data.utterances import (
    FeatureDir,
    Utterance,
    read_with_copies,
    report_lengths,
    select,
    short_enough,
)
from ser.feats.speed import speed_prefix
from ser.kaldi.table import Table
from ser.metrics.classification import unweighted_accuracy, weighted_accuracy
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.emotion import EmotionModel
from ser.nn.losses import Loss, ctc_sum, multitask_loss
from ser.nn.systems import build_system, transfer
from ser.text.bpe import Tokenizer
from ser.train.checkpoint import load_weights
from ser.train.ctc_targets import check_ctc_lengths, choose_targets, encode_transcripts
from ser.train.device import prepare_process
from ser.train.encoded import encode_features
from ser.train.finetune_run import FinetuneRun, finetune_record, load_tokenizer
from ser.train.folder import train_in_folder
from ser.train.frozen import encoding_of, with_head_alone
from ser.train.loop import OnStep, Trainer
from ser.train.selection import Selection
from ser.train.standardise import standardise
from ser.train.step import ComputeLoss, autocast, run_emotion_model
from ser.train.training_data import TrainingData, frame_shift_ms
from ser.train.world import World, join_world


def finetune(run: FinetuneRun, on_step: OnStep | None = None) -> None:
    """Trains one system on all folds but one; ``model.safetensors`` is there at the end.

    Args:
        run: What is trained.
        on_step: Told of the steps done and of all steps; who asks shows the progress.

    Raises:
        SerError: An input is missing or stale, the pre-trained weights do not fit, or the folder
            holds another run.
    """
    record, system, labels, protocol = finetune_record(run)
    world = join_world(run.num_gpus)

    def train(num_threads: int) -> dict[str, Any]:
        prepare_process(num_threads, run.seed)
        return _train(run, system, labels, protocol, world, on_step)

    train_in_folder(record, world, run.num_threads, run.force, train)


def _train(
    run: FinetuneRun,
    system: SystemConfig,
    labels: LabelsConfig,
    protocol: ProtocolConfig,
    world: World,
    on_step: OnStep | None,
) -> dict[str, Any]:
    tokenizer = load_tokenizer(run, system)
    model = build_system(system, len(labels.names), tokenizer.vocab_size if tokenizer else None)
    model.to(world.device)
    published = None
    if isinstance(model, EmotionModel) and system.init != SCRATCH:
        source = run.pretrain / system.init
        transfer(load_weights(source / "model.safetensors"), model, str(source))
        published = read_record(source)["notes"].get("published")
    fold = read_fold(run.exp_dir / "folds", run.fold)
    fit = partial(_fit, model, run, labels, protocol, fold, tokenizer, world)
    head = run.folder / "head"
    if at_first := with_head_alone(system):
        if not (head / "model.safetensors").exists():
            fit(at_first, head, True, None)
        world.on_first(lambda: None)  # nobody reads before it is written
        model.load_state_dict(load_weights(head / "model.safetensors"))
    notes = fit(system, run.folder, system.head_first is None, on_step)
    if world.is_first:
        (head / "model.safetensors").unlink(missing_ok=True)
        if tokenizer:
            shutil.copyfile(run.bpe / "bpe.model", run.folder / "bpe.model")
    return {
        **notes,
        "published": published,
        "fold_digest": digest_json(fold),
        "fbank": require(run.feats, 1)["config"],  # with the weights, all that prediction needs
    }


def _fit(
    model: EmotionModel | CnnBlstmSa,
    run: FinetuneRun,
    labels: LabelsConfig,
    protocol: ProtocolConfig,
    fold: Table,
    tokenizer: Tokenizer | None,
    world: World,
    system: SystemConfig,
    folder: Path,
    is_start: bool,
    on_step: OnStep | None,
) -> dict[str, Any]:
    """Trains the model as the system says, in a folder; ``is_start`` where nothing came before."""
    factors = system.training.speed_factors
    encoding = encoding_of(run, system)
    if encoding:
        world.on_first(partial(encode_features, encoding, world.device))
    encoded = encoding is not None
    features = read_with_copies(encoding.folder if encoding else run.feats, factors)
    training = system.training
    train = _part(features, fold, TRAIN, labels, tokenizer, factors, training.max_seconds)
    if tokenizer:
        if not any(u.tokens for u in train):
            raise SerError(
                f"{run.feats}: no words in {len(train)} training utterances, and {run.system} has "
                f"ctc_alpha {system.ctc_alpha}; expected transcripts; leave this system out "
                "(--systems)"
            )
        train = choose_targets(train, system.ctc.targets, tokenizer.vocab_size, factors, run.seed)
    if not encoded:
        report_lengths(train, model.min_frames, run.name)
    if tokenizer and isinstance(model, EmotionModel):
        listing = run.folder / "too_short_for_ctc.txt"
        encoder = model.encoder
        world.on_first(lambda: check_ctc_lengths(train, encoder, system.ctc, run.feats, listing))
    if is_start and isinstance(model, EmotionModel):
        standardise(model, train, features.feats, encoded, world)
    valid = _part(features, fold, VALID, labels, None) if protocol.validation != "none" else []
    keep_best = protocol.selection != "last"
    return Trainer(
        model,
        emotion_loss(system, encoded),
        TrainingData(train, features.feats, frame_shift_ms(features)),
        system.training,
        system.optimizer,
        folder,
        run.seed,
        world,
        validate=(lambda: _validate(model, valid, features, labels, system, world, encoded))
        if valid
        else None,
        selection=Selection("valid_ua", higher_is_better=True, keep_best=keep_best)
        if valid
        else None,
        deadline=run.deadline,
        on_step=on_step,
    ).run()


def emotion_loss(system: SystemConfig, encoded: bool = False) -> ComputeLoss:
    """The loss of fine-tuning, eq. (8), from a network and a batch.

    Args:
        system: Its CTC term.
        encoded: Whether the batch holds what a frozen encoder made of the features.
    """

    def compute_loss(network: nn.Module, batch: Batch) -> Loss:
        output = run_emotion_model(network, batch, encoded)
        ctc = None
        if output.ctc_logits is not None:
            ctc = ctc_sum(
                output.ctc_logits, output.frame_lens, batch.tokens, batch.token_lens, system.ctc
            )
        return multitask_loss(output.emotion_logits, batch.labels, ctc, system.ctc_alpha)

    return compute_loss


def _part(
    features: FeatureDir,
    fold: Table,
    part: str,
    labels: LabelsConfig,
    tokenizer: Tokenizer | None,
    speed_factors: Sequence[float] = (),
    max_seconds: float | None = None,
) -> list[Utterance]:
    """The utterances of one part of a fold, with their classes and, where asked, tokens.

    Each has its copies at other speeds beside it; longer ones than ``max_seconds`` are left out.
    """
    classes = label_indices(features, labels)
    prefixes = ["", *map(speed_prefix, speed_factors)]
    utts = [p + utt for p in prefixes for utt, belongs in fold.items() if belongs == part]
    utts = short_enough(features, utts, max_seconds, features.data.path)
    tokens = encode_transcripts(features, tokenizer) if tokenizer else None
    chosen = select(features, utts, tokens, classes)
    absent = set(range(len(labels.names))) - {u.label for u in chosen}
    if absent and part == TRAIN:
        raise SerError(
            f"{features.data.path}: no {labels.names[min(absent)]} in the {part} part of a fold; "
            "expected every class; change the protocol or labels.yaml"
        )
    return chosen


def label_indices(features: FeatureDir, labels: LabelsConfig) -> Mapping[str, int]:
    """Class index of every utterance.

    Raises:
        SerError: ``utt2emo`` holds a class that ``labels.yaml`` does not name.
    """
    index = {name: i for i, name in enumerate(labels.names)}
    for utt, name in features.data["utt2emo"].items():
        if name not in index:
            raise SerError(
                f"{features.data.path / 'utt2emo'}: {utt} has the class '{name}'; expected one of "
                f"{', '.join(labels.names)} (labels.yaml); rerun from stage 0"
            )
    return {utt: index[name] for utt, name in features.data["utt2emo"].items()}


def _validate(
    model: EmotionModel | CnnBlstmSa,
    valid: list[Utterance],
    features: FeatureDir,
    labels: LabelsConfig,
    system: SystemConfig,
    world: World,
    encoded: bool,
) -> dict[str, float]:
    """WA and UA on the validation utterances, shared out to the processes.

    The model is in evaluation mode.
    """
    num_labels = len(labels.names)
    counts = torch.zeros(num_labels, num_labels, dtype=torch.int64, device=world.device)
    batches = sorted_batches([u.num_frames for u in valid], system.training.batch_size_utts)
    mine = batches[world.rank :: world.size]
    for batch in load_batches(valid, features.feats, mine, world.device):
        with autocast(world.device, system.training.precision):
            output = run_emotion_model(model, batch, encoded)
        recognised = output.emotion_logits.argmax(dim=1)
        counts.index_put_((batch.labels, recognised), counts.new_ones(()), accumulate=True)
    confusion = world.sum(counts).cpu().numpy()
    return {"valid_wa": weighted_accuracy(confusion), "valid_ua": unweighted_accuracy(confusion)}
