"""``conf/fbank.yaml``: which features, by its ``type``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Tag, TypeAdapter

from ser.base.errors import SerError
from ser.config.load import read_yaml, validate
from ser.config.schema import FbankConfig, FeaturesConfig, WhisperMelConfig

DEFINITIONS: dict[str, type[FbankConfig] | type[WhisperMelConfig]] = {
    "kaldi": FbankConfig,
    "whisper": WhisperMelConfig,
}


def _type_of(values: Any) -> str:
    """The definition that values name; those of earlier versions name none and are Kaldi's."""
    named = values.get("type", "kaldi") if isinstance(values, dict) else values.type
    return str(named)


# As a field of a model: what a package or a record says of its features.
RecordedFeatures = Annotated[
    Annotated[FbankConfig, Tag("kaldi")] | Annotated[WhisperMelConfig, Tag("whisper")],
    Discriminator(_type_of),
]
_RECORDED: TypeAdapter[FeaturesConfig] = TypeAdapter(RecordedFeatures)


def load_features(conf: Path) -> FeaturesConfig:
    """``<conf>/fbank.yaml``.

    Raises:
        SerError: It is missing, names no definition that there is, or is wrong.
    """
    path = conf / "fbank.yaml"
    values = read_yaml(path)
    kind = _type_of(values) if isinstance(values, dict) else "kaldi"
    if kind not in DEFINITIONS:
        raise SerError(f"{path}: 'type' is '{kind}'; expected one of {', '.join(DEFINITIONS)}")
    return validate(path, DEFINITIONS[kind], values)


def recorded_features(values: dict[str, Any]) -> FeaturesConfig:
    """What a run's record says of its features.

    Raises:
        pydantic.ValidationError: They are no features of ours.
    """
    return _RECORDED.validate_python(values)


def require_same_features(
    found: Mapping[str, Any], trained_on: Mapping[str, Any], where: Path, encoder: str
) -> None:
    """Holds features to those that an encoder was trained on, but for how they are stored.

    Args:
        found: The configuration of the features that are there.
        trained_on: What the encoder's record says.
        where: Of the former, for the message.
        encoder: Its name.

    Raises:
        SerError: They differ.
    """
    for key, wanted in trained_on.items():
        if key not in ("storage", "speed_factor") and found.get(key) != wanted:
            raise SerError(
                f"{where}: features with {key} {found.get(key)}; {encoder} was trained on "
                f"{wanted}; expected the same; write these into fbank.yaml and rerun from stage 1"
            )
