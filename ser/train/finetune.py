"""Fine-tuning (section 3.2) of one system, with one seed, for one held-out fold."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ser.base.files import read_text
from ser.base.paths import CURVE
from ser.config.labels import LabelsConfig
from ser.config.schema import SCRATCH, SystemConfig
from ser.data.batch import Batch
from ser.data.utterances import report_lengths
from ser.metrics.classification import unweighted_accuracy, weighted_accuracy
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.emotion import EmotionModel
from ser.nn.losses import Loss, ctc_sum, multitask_loss
from ser.nn.systems import build_system, load_pretrained
from ser.nn.weights import load_weights
from ser.text.bpe import Tokenizer
from ser.train.ctc_targets import check_ctc_lengths
from ser.train.engine.distributed import Distributed, init_distributed, prepare_process
from ser.train.engine.forward import forward_batches
from ser.train.engine.loop import OnStep, Trainer
from ser.train.engine.selection import Selection
from ser.train.engine.step import ComputeLoss, run_emotion_model
from ser.train.frozen import frames_together, with_head_alone
from ser.train.resolve import FinetuneRun, ResolvedRun, resolve
from ser.train.split import Split, load_split
from ser.train.standardise import standardise
from ser.train.training_data import TrainingData, frame_shift_ms
from ser.train.training_folder import train_in_folder


def finetune(run: FinetuneRun) -> None:
    """Trains one system on a fold's training part; ``model.safetensors`` is there at the end.

    Raises:
        SerError: An input is missing or stale, the pre-trained weights do not fit, or the folder
            holds another run.
    """
    finetune_resolved(resolve(run))


def finetune_resolved(resolved: ResolvedRun, on_step: OnStep | None = None) -> None:
    """``finetune`` of a run that was looked at before.

    Args:
        resolved: What is trained.
        on_step: Told of the steps done and of all steps; who asks shows the progress.
    """
    run = resolved.run
    world = init_distributed(run.num_gpus)

    def train(num_threads: int) -> dict[str, Any]:
        prepare_process(num_threads, run.seed)
        tokenizer = resolved.tokenizer()
        model = build_model(resolved, tokenizer).to(world.device)
        fit = partial(_fit, resolved, model, tokenizer, world)
        if at_first := with_head_alone(resolved.system):
            head = run.folder / "head"
            if not (head / "model.safetensors").exists():
                fit(at_first, head, on_step and (lambda *_: None))  # no bar over who shows it
            model.load_state_dict(load_weights(head / "model.safetensors"))
        notes = fit(resolved.system, run.folder, on_step)
        notes["train_seconds"] = round(notes["train_seconds"] + _seconds(run.folder / "head"), 1)
        if resolved.system.ctc_alpha:  # prediction needs it beside the weights
            bpe = run.bpe / "bpe.model"
            world.on_first(lambda: shutil.copyfile(bpe, run.folder / "bpe.model"))
        return {**notes, **resolved.notes}

    train_in_folder(resolved.record, world, run.num_threads, run.force, train)


def build_model(resolved: ResolvedRun, tokenizer: Tokenizer | None) -> EmotionModel | CnnBlstmSa:
    """The network of a run, with the weights that it starts from."""
    system, labels = resolved.system, resolved.labels
    model = build_system(system, len(labels.names), tokenizer.vocab_size if tokenizer else None)
    if isinstance(model, EmotionModel) and system.init != SCRATCH:
        source = resolved.run.pretrain / system.init
        load_pretrained(load_weights(source / "model.safetensors"), model, str(source))
    return model


def _seconds(head: Path) -> float:
    """Of the head's own training, where there was one."""
    if not (head / CURVE).exists():
        return 0.0
    entries = map(json.loads, read_text(head / CURVE).splitlines())
    return float(sum(entry["seconds"] for entry in entries if entry["scope"] == "epoch"))


def _fit(
    resolved: ResolvedRun,
    model: EmotionModel | CnnBlstmSa,
    tokenizer: Tokenizer | None,
    world: Distributed,
    system: SystemConfig,
    folder: Path,
    on_step: OnStep | None,
) -> dict[str, Any]:
    """Trains the model as ``system`` says, the run's own or that of its head alone, in a folder."""
    run = resolved.run
    split = load_split(resolved, system, tokenizer, world)
    if not split.features.feats.encoded:
        report_lengths(split.train, model.min_frames, run.name)
    if isinstance(model, EmotionModel):
        if tokenizer:
            listing = run.folder / "too_short_for_ctc.txt"
            encoder = model.encoder
            world.on_first(
                lambda: check_ctc_lengths(split.train, encoder, system.ctc, run.feats, listing)
            )
        if system.head_first is None:  # else the training of the head came before
            frames = frames_together(system.training)
            standardise(model, split.train, split.features.feats, world, frames)
    validate = selection = None
    if split.valid:
        validate = partial(_validate, model, split, resolved.labels, system, world)
        keep_best = resolved.protocol.selection != "last"
        selection = Selection("valid_ua", higher_is_better=True, keep_best=keep_best)
    notes = Trainer(
        model,
        emotion_loss(system),
        TrainingData(split.train, split.features.feats, frame_shift_ms(split.features)),
        system.training,
        system.optimizer,
        folder,
        run.seed,
        world,
        validate=validate,
        selection=selection,
        deadline=run.deadline,
        on_step=on_step,
        identity=f"{resolved.record.identity} {folder.name}",  # the head's own is another
    ).run()
    seconds = split.features.data["utt2dur"]
    return {**notes, "longest_seconds": max(float(seconds[u.utt]) for u in split.train)}


def emotion_loss(system: SystemConfig) -> ComputeLoss:
    """The loss of fine-tuning, eq. (8), from a network and a batch."""

    def compute_loss(network: nn.Module, batch: Batch) -> Loss:
        output = run_emotion_model(network, batch)
        ctc = None
        if output.ctc_logits is not None:
            ctc = ctc_sum(
                output.ctc_logits, output.frame_lens, batch.tokens, batch.token_lens, system.ctc
            )
        return multitask_loss(
            output.emotion_logits, batch.labels, ctc, system.ctc_alpha, system.label_smoothing_prob
        )

    return compute_loss


def _validate(
    model: EmotionModel | CnnBlstmSa,
    split: Split,
    labels: LabelsConfig,
    system: SystemConfig,
    world: Distributed,
) -> dict[str, float]:
    """WA and UA on the validation utterances, shared out to the processes.

    The model is in evaluation mode.
    """
    num_labels = len(labels.names)
    counts = torch.zeros(num_labels, num_labels, dtype=torch.int64, device=world.device)
    forward = partial(run_emotion_model, model)
    given = split.valid, split.features.feats, system.training
    for batch, output in forward_batches(forward, *given, world.device, world.share):
        recognised = output.emotion_logits.argmax(dim=1)
        counts.index_put_((batch.labels, recognised), counts.new_ones(()), accumulate=True)
    confusion = world.sum(counts).cpu().numpy()
    return {"valid_wa": weighted_accuracy(confusion), "valid_ua": unweighted_accuracy(confusion)}
