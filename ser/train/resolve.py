"""A fine-tuning run as it is asked for, and with all that it is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser.base.errors import SerError
from ser.base.files import digest_json
from ser.base.paths import run_folder
from ser.base.record import Record, Stage
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.made_with import labels_of
from ser.config.pretraining import require_same_head
from ser.config.protocol import ProtocolConfig, under_protocol
from ser.config.schema import SCRATCH, SystemConfig
from ser.config.systems import load_trained_system
from ser.corpus.fold_files import read_fold, require_folds
from ser.kaldi.table import Table
from ser.text.bpe import Tokenizer
from ser.train.inputs import TrainingRun, head_of, require_inputs
from ser.train.training_folder import as_begun


@dataclass(frozen=True, kw_only=True)
class FinetuneRun(TrainingRun):
    """One fine-tuning run.

    Attributes:
        conf: The recipe's ``conf`` folder.
        system: Name of ``conf/systems/<system>.yaml``.
        fold: The held-out fold.
        protocol: ``conf/protocol/<name>.yaml``.
        feats: Features of the emotional utterances.
        pretrain: Folder that holds ``<init>/model.safetensors``.
        exp_dir: Folder of folds, systems and predictions.
    """

    conf: Path
    system: str
    fold: str
    protocol: Path
    feats: Path
    pretrain: Path
    exp_dir: Path

    @property
    def folder(self) -> Path:
        """Where the run is written."""
        return run_folder(self.exp_dir, self.system, self.seed, self.fold)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.system}, seed {self.seed}, fold {self.fold}"


@dataclass(frozen=True, kw_only=True)
class ResolvedRun:
    """A run with all that it is made from, as things stand when it is looked at.

    Attributes:
        run: What was asked for.
        record: Its folder, configuration and inputs: the run's identity.
        system: Its configuration, as the protocol has it trained.
        labels: The classes.
        protocol: Who is held out, and how weights are chosen.
        fold: The part of each utterance.
        notes: What its record says of its inputs, besides their identities.
    """

    run: FinetuneRun
    record: Record
    system: SystemConfig
    labels: LabelsConfig
    protocol: ProtocolConfig
    fold: Table
    notes: Mapping[str, Any]

    def tokenizer(self) -> Tokenizer | None:
        """The tokens of a system with a CTC head, else None."""
        return Tokenizer.load(self.run.bpe / "bpe.model") if self.system.ctc_alpha else None


def resolve(run: FinetuneRun) -> ResolvedRun:
    """Reads configuration, folds and records of a run, once.

    Raises:
        SerError: A configuration is wrong, or an input is missing, stale or made with another one.
    """
    system = load_trained_system(run.conf, run.system)
    protocol = load_config(run.protocol, ProtocolConfig)
    system = under_protocol(run.system, system, protocol, run.protocol)
    folds = run.exp_dir / "folds"
    inputs = require_inputs(
        run.conf,
        run.system,
        system.model,
        feats=[run.feats],
        speed_factors=system.training.speed_factors,
        bpe=run.bpe if system.ctc_alpha else None,
        start=None if system.init == SCRATCH else run.pretrain / system.init,
    )
    labels = labels_of(run.conf, run.feats, inputs.feats)
    if inputs.start:
        head = head_of(inputs.start)
        require_same_head(run.system, system, head)
        made_with = inputs.start["inputs"].values()
        if head and system.ctc_alpha and inputs.identities[str(run.bpe)] not in made_with:
            raise SerError(
                f"{run.bpe}: another BPE model than that of {run.pretrain / system.init}, whose "
                "CTC head is taken over; expected the same; name the one in its run.json (--bpe)"
            )
    fold_lists = require_folds(folds, protocol, run.protocol)
    fold = read_fold(folds, run.fold)
    config = {
        "system": system.model_dump(),
        "labels": labels.record(),
        "protocol": protocol.model_dump(),
        "seed": run.seed,
        "fold": run.fold,
    }
    return ResolvedRun(
        run=run,
        record=as_begun(
            Record(
                run.folder,
                Stage.FINETUNE,
                config,
                {**inputs.identities, str(folds): fold_lists["identity"]},
            )
        ),
        system=system,
        labels=labels,
        protocol=protocol,
        fold=fold,
        notes={**inputs.notes, "fold_digest": digest_json(fold)},
    )
