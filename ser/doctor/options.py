"""What a call of ``run.sh`` asks for, with the defaults that ``run.sh`` has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ser.base.options import distinct_words
from ser.config.pretraining import ImportConfig, encoders_needed, needs_read_speech
from ser.config.schema import PretrainConfig, SystemConfig
from ser.config.systems import trained_systems

Check = Callable[[], object]
SER, READ = Path("data/ser"), Path("data/asr_train")
HERE, NONE = ".", "none"  # what --recogniser says beside a folder


def experiment_of(conf: Path) -> Path:
    """Where a recipe keeps what a configuration makes, from its folder."""
    return Path("exp") if conf == Path("conf") else Path("exp") / conf.name


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of a call, in the recipe's folder.

    Attributes:
        stage: The first stage.
        stop_stage: The last one.
        conf: The recipe's configuration.
        protocol: ``conf/protocol/<name>.yaml``.
        systems_text: Names of systems.
        folds: Names of folds; empty for all.
        seeds: Numbers.
        exp_dir: Of folds, systems, predictions and results.
        recogniser: A recipe, ``.`` for this one, or ``none``.
        nj: Processes of feature extraction.
        jobs: Fine-tuning runs side by side; None for as many as fit.
        ngpu: GPUs.
        max_minutes: After which training leaves; None for no limit.
        force: Whether runs of another configuration are moved aside.
        cmd: ``local`` or ``slurm``.
        whole: Whether all that is finished is read whole.
        corpora: The variables of ``db.sh``.
    """

    stage: int
    stop_stage: int
    conf: Path
    protocol: Path
    systems_text: str
    folds: str
    seeds: str
    exp_dir: Path
    recogniser: str
    nj: int
    jobs: int | None
    ngpu: int
    max_minutes: float | None
    force: bool
    cmd: str
    whole: bool
    corpora: Mapping[str, str]

    def runs(self, stage: int) -> bool:
        """Whether a stage is among those that are asked for."""
        return self.stage <= stage <= self.stop_stage

    @property
    def systems(self) -> list[str]:
        """Their names."""
        return distinct_words("--systems", self.systems_text)

    @cached_property
    def networks(self) -> Mapping[str, SystemConfig]:
        """The systems that stage 4 trains."""
        return trained_systems(self.conf, self.systems)

    @cached_property
    def heads(self) -> list[str]:
        """The systems that have a CTC head, and so need the recogniser's BPE."""
        return [name for name, system in self.networks.items() if system.ctc_alpha]

    @cached_property
    def encoders(self) -> Mapping[str, PretrainConfig | ImportConfig]:
        """The encoders that the systems start from."""
        return encoders_needed(self.conf, self.systems)

    @cached_property
    def trains_encoder(self) -> bool:
        """Whether one of them is trained here, on transcribed speech."""
        trained = (isinstance(config, PretrainConfig) for config in self.encoders.values())
        return self.recogniser == HERE and any(trained)

    @cached_property
    def read_speech(self) -> bool:
        """Whether transcribed speech is prepared here."""
        return self.recogniser == HERE and needs_read_speech(self.conf, self.systems)

    @property
    def experiment(self) -> Path:
        """Where a recipe keeps what this configuration makes, from its folder."""
        return experiment_of(self.conf)

    @property
    def bpe(self) -> Path:
        """Folder of the BPE model."""
        return self.recogniser / self.experiment / "bpe"

    @property
    def pretrain(self) -> Path:
        """Folder of the encoders."""
        return self.recogniser / self.experiment / "pretrain"

    @property
    def dump(self) -> Path:
        """Folder of the features: another one for other features than ``conf`` has."""
        own, first = self.conf / "fbank.yaml", Path("conf/fbank.yaml")
        same = own.exists() and first.exists() and own.read_bytes() == first.read_bytes()
        return Path("dump/fbank") if same else Path("dump") / self.conf.name

    @property
    def parts(self) -> list[str]:
        """The data directories that stage 0 makes."""
        return ["ser", *(["asr_train", "asr_valid"] if self.read_speech else [])]
