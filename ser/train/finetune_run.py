"""One fine-tuning run: what it is made from, and whether that is all there."""

from dataclasses import dataclass
from pathlib import Path

from ser.base.record import Record, require
from ser.config.features import require_same_features
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig, under_protocol
from ser.config.schema import SCRATCH, LabelsConfig, SystemConfig
from ser.config.systems import load_trained_system
from ser.corpus.fold_lists import read_fold, require_folds
from ser.data.utterances import check_num_mel_bins, copy_identities
from ser.text.bpe import Tokenizer


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
        num_gpus: GPUs of this run on this machine, one for each process; 0 is the CPU.
        num_threads: Threads of each of its processes.
        force: Whether another run in the folder is moved aside.
        deadline: ``time.monotonic()`` at which it writes a checkpoint and leaves, or None.
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
    deadline: float | None = None

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
    system = load_trained_system(run.conf, run.system)
    labels = load_config(run.conf / "labels.yaml", LabelsConfig)
    protocol = load_config(run.protocol, ProtocolConfig)
    system = under_protocol(run.system, system, protocol, run.protocol)
    folds = run.exp_dir / "folds"
    feats = require(run.feats, 1)
    check_num_mel_bins(feats, system.model.num_mel_bins, run.feats)
    inputs = {
        str(run.feats): feats["identity"],
        str(folds): require_folds(folds, protocol.model_dump(), run.protocol)["identity"],
        **copy_identities(run.feats, system.training.speed_factors),
    }
    read_fold(folds, run.fold)
    if system.ctc_alpha:
        inputs[str(run.bpe)] = require(run.bpe, 2)["identity"]
    if system.init != SCRATCH:
        source = run.pretrain / system.init
        start = require(source, 3)
        inputs[str(source)] = start["identity"]
        # Earlier versions did not note the features.
        trained_on = start["notes"].get("fbank", {})
        require_same_features(feats["config"], trained_on, run.feats, str(source))
    config = {
        "system": system.model_dump(),
        "labels": labels.record(),
        "protocol": protocol.model_dump(),
        "seed": run.seed,
        "fold": run.fold,
    }
    return Record(run.folder, 4, config, inputs), system, labels, protocol


def load_tokenizer(run: FinetuneRun, system: SystemConfig) -> Tokenizer | None:
    """The tokens of a system with a CTC head, else None."""
    return Tokenizer.load(run.bpe / "bpe.model") if system.ctc_alpha else None
