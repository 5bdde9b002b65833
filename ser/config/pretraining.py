"""``conf/pretrain``: the encoders that systems start from, trained here or published."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ser.base.errors import SerError
from ser.base.names import ENCODER
from ser.base.record import first_difference
from ser.config.baselines import ProbeConfig
from ser.config.load import validate
from ser.config.network import CtcHeadConfig, WhisperConfig
from ser.config.schema import SCRATCH, PretrainConfig, SystemConfig
from ser.config.section import Section
from ser.config.systems import AnySystem, load_system, trained_systems
from ser.config.yaml_file import read_yaml

OF_TRAINING = ("dropout_prob", "attention_dropout_prob", "initialisation")  # not of the network


class PublishedConfig(Section):
    """Where published weights come from.

    ``name`` and ``revision`` are those of the Hugging Face hub; ``note`` is what their own model
    card says that a user of the emotions must know. ``sha256`` is the digest of their
    ``model.safetensors``: whatever else is given is not called by their name. Without it any
    weights of the same shapes are, which is reported.
    """

    name: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    licence: Annotated[str, Field(min_length=1)]
    note: str
    # No part of a record: what was given is recorded with its own digest.
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$", exclude=True)] = None


class ImportConfig(Section):
    """``conf/pretrain/<name>.yaml``: the encoder of a published recogniser."""

    encoder: WhisperConfig
    published: PublishedConfig


def load_pretraining(conf: Path, name: str) -> PretrainConfig | ImportConfig:
    """``<conf>/pretrain/<name>.yaml``.

    Raises:
        SerError: It is missing or wrong, or its name cannot be that of its folder.
    """
    if fault := ENCODER.fault(name):
        raise SerError(f"{conf / 'pretrain'}: {fault}")
    path = conf / "pretrain" / f"{name}.yaml"
    if not path.exists():
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise SerError(
            f"{path}: no such encoder; expected one of {' '.join(known) or 'some (none is there)'}"
        )
    values = read_yaml(path)
    if isinstance(values, dict) and "published" in values:
        return validate(path, ImportConfig, values)
    return validate(path, PretrainConfig, values)


def encoders_needed(conf: Path, systems: Sequence[str]) -> dict[str, PretrainConfig | ImportConfig]:
    """The encoders that some systems start from, by name; each after the one that it starts from.

    Raises:
        SerError: A configuration is missing or wrong, or an encoder starts from itself.
    """
    ordered: dict[str, PretrainConfig | ImportConfig] = {}

    def add(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise SerError(
                f"{conf / 'pretrain'}: init is cyclic, {' <- '.join((*above, name))}; "
                "expected a start from scratch or from published weights; change one init"
            )
        config = load_pretraining(conf, name)
        if isinstance(config, PretrainConfig) and config.init != SCRATCH:
            add(config.init, (*above, name))
        ordered.setdefault(name, config)

    for system in systems:
        name = start_of(load_system(conf, system))
        if name != SCRATCH:
            add(name, ())
    return ordered


def require_same_head(name: str, system: SystemConfig, recogniser: CtcHeadConfig | None) -> None:
    """Checks the CTC head of a system against that of the recogniser that it starts from.

    Args:
        name: The system.
        system: Its configuration.
        recogniser: ``ctc.head`` of the recogniser; None for an encoder without a head.

    Raises:
        SerError: They differ, or the system needs one and there is none.
    """
    if not system.ctc_alpha:
        return
    if recogniser is None:
        raise SerError(
            f"{name}: ctc_alpha {system.ctc_alpha}, and pretrain/{system.init}.yaml gives an "
            "encoder without a CTC head; expected one that was trained as a recogniser; start "
            "from such (init), or write ctc_alpha: 0.0"
        )
    own = system.ctc.head
    if own != recogniser:
        raise SerError(
            f"{name}: ctc.head {own.model_dump()}, but {recogniser.model_dump()} in "
            f"pretrain/{system.init}.yaml; write the same into both"
        )


def require_same_network(
    name: str, network: Section, encoder: Mapping[str, Any], start: str
) -> None:
    """Checks a network against that of the encoder that it starts from, by value.

    Other heads have weights of the same shapes, and another function.

    Args:
        name: What configures the network.
        network: The network.
        encoder: The values of the encoder's; keys that it lacks, as of an earlier version, pass.
        start: The encoder.

    Raises:
        SerError: They differ.
    """
    own = {k: v for k, v in network.model_dump().items() if k in encoder and k not in OF_TRAINING}
    other = {key: encoder[key] for key in own}
    if difference := first_difference(other, own):
        raise SerError(
            f"{name}: its network is not that of {start}, from which it starts "
            f"({difference}); expected the same; write the encoder's value, or "
            "start from another encoder (init)"
        )


def start_of(system: AnySystem) -> str:
    """The encoder that a system starts from, or ``scratch``."""
    if isinstance(system, SystemConfig):
        return system.init
    return system.probe_of if isinstance(system, ProbeConfig) else SCRATCH


def refuse_without_recogniser(conf: Path, systems: Sequence[str], asked: Sequence[str]) -> None:
    """Checks that systems need no recogniser (``run.sh --recogniser none``).

    Args:
        conf: The recipe's configuration.
        systems: All that are to be trained.
        asked: Those of them that are looked at.

    Raises:
        SerError: One of these starts from an encoder or has a CTC head.
    """
    heads = {n for n, system in trained_systems(conf, systems).items() if system.ctc_alpha}
    unfit = [n for n in systems if n in heads or start_of(load_system(conf, n)) != SCRATCH]
    asking = [name for name in asked if name in unfit]
    if asking:
        others = [name for name in systems if name not in unfit] or ["transformer"]
        raise SerError(
            f"--recogniser none: {' '.join(asking)}: from a recogniser, or with a CTC head; "
            f"expected systems from scratch; pass --systems '{' '.join(others)}', or a recipe that "
            "has trained one (--recogniser ../ravdess)"
        )


def needs_read_speech(conf: Path, systems: Sequence[str]) -> bool:
    """Whether some systems need transcribed speech: for an encoder or for a CTC head's tokens.

    Raises:
        SerError: A configuration is missing or wrong.
    """
    encoders = encoders_needed(conf, systems).values()
    heads = (system.ctc_alpha > 0 for system in trained_systems(conf, systems).values())
    return any(isinstance(encoder, PretrainConfig) for encoder in encoders) or any(heads)
