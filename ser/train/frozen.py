"""Where an encoder is frozen, and what of it can be computed once. Needs no torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ser.config.network import EncoderConfig, ReadoutConfig
from ser.config.schema import PretrainConfig, SystemConfig, TrainingConfig, can_be_encoded
from ser.feats.speed_copies import speed_dir
from ser.train.resolve import FinetuneRun, ResolvedRun

MAX_FRAMES = 20_000


def frames_together(training: TrainingConfig) -> int:
    """Padded frames of a batch that passes through an encoder without a backward pass."""
    return min(MAX_FRAMES, training.max_frames_in_memory)


def with_head_alone(system: SystemConfig) -> SystemConfig | None:
    """The system while what is new in it is trained on the frozen encoder, if that comes first."""
    if system.head_first is None:
        return None
    changes = {
        "optimizer": system.head_first.optimizer,
        "training": system.head_first.training,
        "head_first": None,
    }
    return system.model_copy(update=changes)


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What is encoded.

    Attributes:
        config: Of the encoder.
        readout: Whose gathered outputs are kept; None for the last block's, which CTC reads.
        encoder: Its folder, of stage 3.
        feats: Folder of the features, of stage 1.
        speed_factors: Of its copies, which are encoded too.
        max_frames: Padded feature frames that are encoded together.
        out: The folder of all encoded features.
    """

    config: EncoderConfig
    readout: ReadoutConfig | None
    encoder: Path
    feats: Path
    speed_factors: Sequence[float]
    max_frames: int
    out: Path

    @property
    def folder(self) -> Path:
        """Where the encoded features go; those of the copies lie beside."""
        kind = "last_block"
        if self.readout is not None:
            least = self.readout.least_loudness
            kind = f"{self.readout.type}{f'_{least:g}' if least else ''}"
        return self.out / f"{self.encoder.name}.{kind}" / self.feats.name

    @property
    def folders(self) -> list[Path]:
        """That one and those of the copies."""
        return [speed_dir(self.folder, factor) for factor in (1.0, *self.speed_factors)]


def encodings_of(runs: Iterable[ResolvedRun]) -> list[Encoding]:
    """What some runs read instead of features, each once, with the copies that any reads."""
    wanted: dict[Path, Encoding] = {}
    for resolved in runs:
        for phase in (resolved.system, with_head_alone(resolved.system)):
            if phase and (encoding := encoding_of(resolved.run, phase)):
                earlier = wanted.get(encoding.folder, encoding)
                factors = sorted({*earlier.speed_factors, *encoding.speed_factors})
                most = min(earlier.max_frames, encoding.max_frames)
                wanted[encoding.folder] = replace(encoding, speed_factors=factors, max_frames=most)
    return list(wanted.values())


def encoding_of(run: FinetuneRun, system: SystemConfig) -> Encoding | None:
    """What a run of a system reads instead of features; None where it reads these."""
    return encoding_in(run.exp_dir, system, run.feats, run.pretrain)


def encoding_in(
    exp_dir: Path, system: SystemConfig, feats: Path, pretrain: Path
) -> Encoding | None:
    """The same by the folders of the experiment, the features and all encoders."""
    if not can_be_encoded(system) or system.model.type == "cnn_blstm_sa":
        return None
    return Encoding(
        config=system.model,
        readout=system.readout,
        encoder=pretrain / system.init,
        feats=feats,
        speed_factors=system.training.speed_factors,
        max_frames=frames_together(system.training),
        out=exp_dir / "encoded",
    )


def encoding_of_recogniser(
    config: PretrainConfig, pretrain: Path, feats: Path, speed_factors: Sequence[float]
) -> Encoding:
    """What a recogniser whose encoder is frozen reads instead of features.

    Args:
        config: Of its training.
        pretrain: Folder of all encoders.
        feats: Folder of the features.
        speed_factors: Of the copies that are read too.
    """
    return Encoding(
        config=config.encoder,
        readout=None,
        encoder=pretrain / config.init,
        feats=feats,
        speed_factors=speed_factors,
        max_frames=frames_together(config.training),
        out=pretrain / "encoded",
    )
