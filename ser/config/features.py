"""``conf/fbank.yaml``: which features, by its ``type``."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from ser.base.errors import SerError
from ser.config.load import validate
from ser.config.section import Milliseconds, NotNegative, NumBands, Positive, SampleRate, Section
from ser.config.yaml_file import read_yaml

Normalisation = Literal["utterance_mean", "none"]  # the mean of each band is taken off, or not
Storage = Literal["float32", "kaldi_compressed"]
# Of a stored value; Kaldi's compressed form also has a header of each band.
STORED_BYTES: dict[Storage, int] = {"float32": 4, "kaldi_compressed": 1}


class FbankConfig(Section):
    """``conf/fbank.yaml``: Kaldi's log-mel filterbank, without dither.

    ``normalisation`` is done when features are loaded. Files and packages of earlier versions name
    neither ``type`` nor ``normalisation``.
    """

    type: Literal["kaldi"] = "kaldi"
    sample_rate_hz: SampleRate
    num_mel_bins: NumBands
    frame_length_ms: Milliseconds
    frame_shift_ms: Milliseconds
    preemphasis: Annotated[float, Field(ge=0, le=1)]
    low_freq_hz: NotNegative
    high_freq_hz: Positive
    normalisation: Normalisation = "utterance_mean"
    storage: Storage

    @model_validator(mode="after")
    def _band_fits(self) -> "FbankConfig":
        if not self.low_freq_hz < self.high_freq_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"low_freq_hz {self.low_freq_hz} and high_freq_hz {self.high_freq_hz}: expected "
                f"low < high <= {self.sample_rate_hz / 2}, half the sample rate"
            )
        num_samples = int(self.sample_rate_hz * self.frame_length_ms / 1000)
        if num_samples < self.num_mel_bins:
            raise ValueError(
                f"frame_length_ms {self.frame_length_ms}: {num_samples} samples for "
                f"{self.num_mel_bins} num_mel_bins; expected as many samples as bands, or more"
            )
        if self.frame_shift_ms > self.frame_length_ms:
            raise ValueError(
                f"frame_shift_ms {self.frame_shift_ms}, frame_length_ms {self.frame_length_ms}; "
                "expected a shift of at most the length: what lies between would not be heard"
            )
        return self


class WhisperMelConfig(Section):
    """``conf/fbank.yaml``: the log-mel spectrogram of Whisper.

    ``pad_seconds`` pads an utterance with silence at its end to so many seconds, as Whisper does
    with 30; null leaves it as long as it is.
    """

    type: Literal["whisper"]
    num_mel_bins: Literal[80, 128]
    pad_seconds: Annotated[float, Field(gt=0, le=30)] | None
    normalisation: Normalisation
    storage: Storage
    # Whisper's, for all its sizes.
    sample_rate_hz: ClassVar[int] = 16000
    frame_length_ms: ClassVar[float] = 25.0
    frame_shift_ms: ClassVar[float] = 10.0


FeaturesConfig = FbankConfig | WhisperMelConfig


DEFINITIONS: dict[str, type[FbankConfig] | type[WhisperMelConfig]] = {
    "kaldi": FbankConfig,
    "whisper": WhisperMelConfig,
}


def _type_of(values: Any) -> str:
    """The definition that values name; those of earlier versions name none and are Kaldi's."""
    if isinstance(values, dict):
        return str(values.get("type", "kaldi"))
    return str(getattr(values, "type", values))


# As a field of a model: what a package or a record says of its features.
RecordedFeatures = Annotated[
    Annotated[FbankConfig, Tag("kaldi")] | Annotated[WhisperMelConfig, Tag("whisper")],
    Discriminator(_type_of),
]


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


def num_frames(config: FeaturesConfig, seconds: float) -> float:
    """T of an utterance, padded where the features are."""
    least = config.pad_seconds or 0.0 if isinstance(config, WhisperMelConfig) else 0.0
    return max(least, seconds) * 1000 / config.frame_shift_ms


def feature_bytes(config: FeaturesConfig, seconds: Iterable[float]) -> float:
    """What the features of utterances of such lengths take on the disk."""
    total = sum(num_frames(config, length) for length in seconds)
    return total * config.num_mel_bins * STORED_BYTES[config.storage]


def require_bands(conf: Path, name: str, num_mel_bins: int) -> None:
    """Checks that ``<conf>/fbank.yaml`` has as many bands as a network reads.

    Raises:
        SerError: It has another number.
    """
    found = load_features(conf).num_mel_bins
    if found != num_mel_bins:
        raise SerError(
            f"{conf / 'fbank.yaml'}: num_mel_bins {found}; {name} expects {num_mel_bins}; write "
            "the same number into both"
        )


def require_same_features(
    found: Mapping[str, Any], trained_on: Mapping[str, Any], where: Path, encoder: str
) -> None:
    """Checks features against those that an encoder was trained on, but for how they are stored.

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
