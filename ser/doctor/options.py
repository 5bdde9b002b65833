"""What a call of ``run.sh`` asks for, with the defaults that ``run.sh`` has."""

import argparse
import os
import subprocess
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from ser.base.errors import SerError
from ser.base.options import distinct_words
from ser.config.pretraining import ImportConfig, encoders_needed, needs_read_speech
from ser.config.schema import PretrainConfig, SystemConfig
from ser.config.systems import trained_systems

SER, READ = Path("data/ser"), Path("data/asr_train")
HERE, NONE = ".", "none"  # what --recogniser says beside a folder


class RunOptions:
    """The options of a call, in the recipe's folder: those of ``ser.bin.doctor`` by their names.

    Attributes:
        corpora: The variables of ``db.sh``.
    """

    stage: int
    stop_stage: int
    conf: Path
    protocol: Path
    systems: str
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

    def __init__(self, args: argparse.Namespace) -> None:
        vars(self).update(vars(args))
        self.protocol = args.protocol or self.conf / "protocol" / "paper.yaml"
        if args.systems in (None, "all"):
            self.systems = " ".join(sorted(p.stem for p in (self.conf / "systems").glob("*.yaml")))
        if Path(args.recogniser).resolve() == Path.cwd():
            self.recogniser = HERE
        self.exp_dir = args.exp_dir or self.experiment
        self.corpora = variables()

    def runs(self, stage: int) -> bool:
        """Whether a stage is among those that are asked for."""
        return self.stage <= stage <= self.stop_stage

    @property
    def system_names(self) -> list[str]:
        """Those of ``systems``."""
        return distinct_words("--systems", self.systems)

    @cached_property
    def networks(self) -> Mapping[str, SystemConfig]:
        """The systems that stage 4 trains."""
        return trained_systems(self.conf, self.system_names)

    @cached_property
    def heads(self) -> list[str]:
        """The systems that have a CTC head, and so need the recogniser's BPE."""
        return [name for name, system in self.networks.items() if system.ctc_alpha]

    @cached_property
    def encoders(self) -> Mapping[str, PretrainConfig | ImportConfig]:
        """The encoders that the systems start from."""
        return encoders_needed(self.conf, self.system_names)

    @cached_property
    def trains_encoder(self) -> bool:
        """Whether one of them is trained here, on transcribed speech."""
        trained = (isinstance(config, PretrainConfig) for config in self.encoders.values())
        return self.recogniser == HERE and any(trained)

    @cached_property
    def read_speech(self) -> bool:
        """Whether transcribed speech is prepared here."""
        return self.recogniser == HERE and needs_read_speech(self.conf, self.system_names)

    def trains(self, encoder: str) -> bool:
        """Whether an encoder is still to be trained, as far as its folder shows."""
        return not (self.pretrain / encoder / "model.safetensors").exists()

    @property
    def experiment(self) -> Path:
        """Where a recipe keeps what this configuration makes, from its folder."""
        return Path("exp") if self.conf == Path("conf") else Path("exp") / self.conf.name

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


def variables() -> dict[str, str]:
    """The environment as the recipe's ``db.sh`` leaves it."""
    if not Path("db.sh").exists():
        return dict(os.environ)
    words = ["bash", "-c", ". ./db.sh && env -0"]
    said = subprocess.run(words, capture_output=True, check=False)
    if said.returncode:
        reason = os.fsdecode(said.stderr).strip() or f"ends with status {said.returncode}"
        raise SerError(f"db.sh: {reason}; expected variables of corpora; correct it")
    pairs = (line.partition("=") for line in os.fsdecode(said.stdout).split("\0"))
    return {name: value for name, _, value in pairs}
