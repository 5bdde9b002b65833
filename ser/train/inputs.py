"""What a training reads of earlier stages: there, whole, and made with what the recipe says now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ser.base.record import Stage, StageRecord, identity_of, require
from ser.config.features import require_bands, require_same_features
from ser.config.made_with import require_bpe, require_encoder, require_features
from ser.config.network import CnnBlstmSaConfig, CtcHeadConfig, EncoderConfig
from ser.config.pretraining import require_same_network
from ser.feats.speed_copies import speed_dir


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """What is asked of any training.

    Attributes:
        bpe: Folder of the BPE model.
        seed: Seed of initialisation, order and dropout.
        num_gpus: GPUs of this run on this machine, one for each process; 0 is the CPU.
        num_threads: Threads of each of its processes.
        force: Whether another run in the folder is moved aside.
        deadline: ``time.monotonic()`` at which it writes a checkpoint and leaves, or None.
    """

    bpe: Path
    seed: int
    num_gpus: int
    num_threads: int
    force: bool
    deadline: float | None = None


@dataclass(frozen=True)
class Inputs:
    """The folders that a training reads.

    Attributes:
        identities: Of each folder, by its path.
        feats: The record of the features.
        start: The record of the encoder that it starts from; None from scratch.
    """

    identities: dict[str, str]
    feats: StageRecord
    start: StageRecord | None

    @property
    def notes(self) -> dict[str, Any]:
        """What the record of the training says of them, so that its folder can stand alone."""
        published: Mapping[str, Any] | None = self.start and self.start["notes"].get("published")
        return {"fbank": self.feats["config"], "published": published}


def head_of(encoder: StageRecord) -> CtcHeadConfig | None:
    """The CTC head of an encoder, by its record; None of a published one."""
    recogniser = encoder["config"].get("ctc")
    return None if recogniser is None else CtcHeadConfig(**recogniser.get("head", {}))


def require_inputs(
    conf: Path,
    name: str,
    network: EncoderConfig | CnnBlstmSaConfig,
    feats: Sequence[Path],
    speed_factors: Sequence[float],
    bpe: Path | None,
    start: Path | None,
) -> Inputs:
    """Reads the records of a training's inputs, and compares them with the configuration.

    Args:
        conf: The recipe's configuration.
        name: What configures the network, for messages.
        network: What is trained.
        feats: Folders of features; those that are trained on are first.
        speed_factors: Of the copies that are trained on too.
        bpe: Folder of the BPE model; None without a CTC head.
        start: Folder of the encoder that the training starts from; None from scratch.

    Raises:
        SerError: One is missing or stale, was made with another configuration, or does not fit
            the network.
    """
    copies = [speed_dir(feats[0], factor) for factor in speed_factors]
    made = {folder: require(folder, Stage.FEATURES) for folder in (*feats, *copies)}
    made |= {
        folder: require(folder, stage)
        for folder, stage in ((bpe, Stage.BPE), (start, Stage.PRETRAIN))
        if folder
    }
    for folder in (*feats, *copies):
        require_features(folder, made[folder], conf)
    require_bands(conf, name, network.num_mel_bins)
    if bpe:
        require_bpe(bpe, made[bpe], conf)
    if start:
        require_encoder(start, made[start], conf)
        require_same_network(name, network, made[start]["config"].get("encoder", {}), str(start))
        trained_on = made[start]["notes"].get("fbank", {})  # earlier versions did not note them
        require_same_features(made[feats[0]]["config"], trained_on, feats[0], str(start))
    identities = {str(folder): identity_of(record) for folder, record in made.items()}
    return Inputs(identities, made[feats[0]], made[start] if start else None)
