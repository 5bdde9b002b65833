"""Fine-tuning (section 3.2) of one system, with one seed, for one held-out fold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser.base.errors import SerError
from ser.base.files import digest_json
from ser.base.record import Record, require
from ser.config.load import load_config
from ser.config.schema import SCRATCH, LabelsConfig, ProtocolConfig, SystemConfig
from ser.corpus.folds import TRAIN, VALID, read_fold
from ser.data.batch import Batch
from ser.data.loader import load_batches
from ser.data.sampler import sorted_batches
from ser.data.utterances import (
    FeatureDir,
    Utterance,
    check_num_mel_bins,
    read_feature_dir,
    report_padded,
    select,
)
from ser.kaldi.table import Table
from ser.metrics.classification import confusion_matrix, unweighted_accuracy, weighted_accuracy
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.emotion import EmotionModel
from ser.nn.losses import Loss, ctc_sum, multitask_loss
from ser.nn.systems import build_system, transfer
from ser.text.bpe import Tokenizer
from ser.train.checkpoint import load_weights
from ser.train.ctc_targets import check_ctc_lengths, encode_transcripts
from ser.train.device import choose_device, prepare_process
from ser.train.folder import train_in_folder
from ser.train.loop import ComputeLoss, Selection, Trainer, TrainingData, autocast


@dataclass(frozen=True, kw_only=True)
class FinetuneRun:
    """One fine-tuning run.

    Attributes:
        conf: The recipe's ``conf`` folder.
        system: Name of ``conf/systems/<system>.yaml``.
        seed: Seed of initialisation, order and dropout.
        fold: The held-out fold.
        protocol: ``conf/protocol/<name>.yaml``.
        feats: Features of the emotional utterances.
        bpe: Folder of the BPE model.
        pretrain: Folder that holds ``<init>/model.safetensors``.
        exp_dir: Folder of folds, systems and predictions.
        num_gpus: 0 or 1.
        num_threads: Threads of this run.
        force: Whether another run in the folder is moved aside.
    """

    conf: Path
    system: str
    seed: int
    fold: str
    protocol: Path
    feats: Path
    bpe: Path
    pretrain: Path
    exp_dir: Path
    num_gpus: int
    num_threads: int
    force: bool

    @property
    def folder(self) -> Path:
        """Where the run is written."""
        return self.exp_dir / self.system / f"seed{self.seed}" / f"fold{self.fold}"

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.system}, seed {self.seed}, fold {self.fold}"


def finetune_record(run: FinetuneRun) -> tuple[Record, SystemConfig, LabelsConfig, ProtocolConfig]:
    """What a run is made from, as things stand now.

    Raises:
        SerError: A configuration is wrong, or an input is missing or stale.
    """
    system = load_config(run.conf / "systems" / f"{run.system}.yaml", SystemConfig)
    labels = load_config(run.conf / "labels.yaml", LabelsConfig)
    protocol = load_config(run.protocol, ProtocolConfig)
    folds = run.exp_dir / "folds"
    feats = require(run.feats, 1)
    check_num_mel_bins(feats, system.model.num_mel_bins, run.feats)
    inputs = {
        str(run.feats): feats["identity"],
        str(folds): require(folds, 0, protocol.model_dump())["identity"],
    }
    read_fold(folds, run.fold)
    if system.ctc_alpha:
        inputs[str(run.bpe)] = require(run.bpe, 2)["identity"]
    if system.init != SCRATCH:
        source = run.pretrain / system.init
        inputs[str(source)] = require(source, 3)["identity"]
    config = {
        "system": system.model_dump(),
        "labels": labels.model_dump(),
        "protocol": protocol.model_dump(),
        "seed": run.seed,
        "fold": run.fold,
    }
    return Record(run.folder, 4, config, inputs), system, labels, protocol


def encoders_needed(conf: Path, systems: Sequence[str]) -> list[str]:
    """The names of the pre-trained encoders that some systems start from, each once.

    Raises:
        SerError: A system's configuration is missing or wrong.
    """
    inits = [load_config(conf / "systems" / f"{s}.yaml", SystemConfig).init for s in systems]
    return [name for name in dict.fromkeys(inits) if name != SCRATCH]


def finetune(run: FinetuneRun) -> None:
    """Trains one system on all folds but one; ``model.safetensors`` is there at the end.

    Raises:
        SerError: An input is missing or stale, the pre-trained weights do not fit, or the folder
            holds another run.
    """
    record, system, labels, protocol = finetune_record(run)
    train_in_folder(record, run.force, lambda: _train(run, system, labels, protocol))


def load_tokenizer(run: FinetuneRun, system: SystemConfig) -> Tokenizer | None:
    """The tokens of a system with a CTC head, else None."""
    return Tokenizer.load(run.bpe / "bpe.model") if system.ctc_alpha else None


def _train(
    run: FinetuneRun, system: SystemConfig, labels: LabelsConfig, protocol: ProtocolConfig
) -> dict[str, Any]:
    prepare_process(run.num_threads, run.seed)
    device = choose_device(run.num_gpus)
    features = read_feature_dir(run.feats)
    tokenizer = load_tokenizer(run, system)
    model = build_system(system, len(labels.names), tokenizer.vocab_size if tokenizer else None).to(
        device
    )
    if isinstance(model, EmotionModel) and system.init != SCRATCH:
        weights_path = run.pretrain / system.init / "model.safetensors"
        transfer(load_weights(weights_path), model, str(weights_path))
    fold = read_fold(run.exp_dir / "folds", run.fold)
    train = _part(features, fold, TRAIN, labels, tokenizer)
    report_padded(train, model.min_frames, run.name)
    if tokenizer and isinstance(model, EmotionModel):
        check_ctc_lengths(
            train, model.encoder, system.ctc, run.feats, run.folder / "too_short_for_ctc.txt"
        )
    valid = _part(features, fold, VALID, labels, None) if protocol.validation != "none" else []

    notes = Trainer(
        model,
        emotion_loss(model, system),
        TrainingData(train, features.feats),
        system.training,
        system.optimizer,
        run.folder,
        run.seed,
        (lambda: _validate(model, valid, features, labels, system)) if valid else None,
        Selection("valid_ua", higher_is_better=True) if protocol.selection != "last" else None,
    ).run()
    return {**notes, "num_threads": run.num_threads, "fold_digest": digest_json(fold)}


def emotion_loss(model: EmotionModel | CnnBlstmSa, system: SystemConfig) -> ComputeLoss:
    """The loss of fine-tuning, eq. (8), from a batch."""

    def compute_loss(batch: Batch) -> Loss:
        output = model(batch.feats, batch.feat_lens)
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
) -> list[Utterance]:
    """The utterances of one part of a fold, with their classes and, where asked, tokens."""
    classes = label_indices(features, labels)
    utts = [utt for utt, belongs in fold.items() if belongs == part]
    tokens = encode_transcripts(features, tokenizer) if tokenizer else None
    chosen = select(features, utts, tokens, classes)
    absent = set(range(len(labels.names))) - {u.label for u in chosen}
    if absent:
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
) -> dict[str, float]:
    """WA and UA on the validation utterances; the model is in evaluation mode."""
    device = next(model.parameters()).device
    references, hypotheses = [], []
    batches = sorted_batches([u.num_frames for u in valid], system.training.batch_size_utts)
    for batch in load_batches(valid, features.feats, batches):
        with autocast(device, system.training.precision):
            output = model(*(batch.to(device).feats, batch.to(device).feat_lens))
        references += [labels.names[i] for i in batch.labels.tolist()]
        hypotheses += [labels.names[i] for i in output.emotion_logits.argmax(dim=1).tolist()]
    confusion = confusion_matrix(references, hypotheses, labels.names)
    return {"valid_wa": weighted_accuracy(confusion), "valid_ua": unweighted_accuracy(confusion)}
