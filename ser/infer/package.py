"""A released model as a folder: what it holds, and that it holds what it did. Needs no torch.

The digests find damage and careless edits. They are no signature: who forges a package can write
digests that fit. Nothing of a package is executed, forged or not.
"""

import base64
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, model_validator

from ser.base.errors import SerError, shortened
from ser.base.files import digest_file, digest_holds, first_fault, parse_json, read_text
from ser.base.names import CLASS, is_line
from ser.base.options import doubled
from ser.config.features import RecordedFeatures
from ser.config.schema import SystemConfig
from ser.config.section import Section, SpeakerPrior
from ser.text.bpe import MAX_MODEL_BYTES

FETCH = "fetch the model again"  # where one is damaged
MANIFEST = "package.json"
CARD = "README.md"
BPE = "bpe.model"
SHARED = "shared.safetensors"
NOTICE = "NOTICE"  # of the authors of weights that it started from
PACKED = (MANIFEST, CARD, BPE, NOTICE, "*.safetensors")
FORMAT = 2  # of packages that this version writes, and the newest that it reads
MAX_MANIFEST_BYTES = 16 << 20
MAX_MEMBERS = 1000
MAX_FILE_BYTES = 64 * 10**9  # of weights
MAX_NAME_CHARS = 255  # of a file


def _each_once(names: list[str]) -> list[str]:
    if twice := doubled(names):
        raise ValueError(f"{shortened(ascii(twice[0]))} occurs twice; expected each once")
    return names


def _base64(text: str) -> str:
    base64.b64decode(text, validate=True)  # whose error is a ValueError
    return text


Label = Annotated[str, AfterValidator(CLASS.checked)]
Labels = Annotated[list[Label], Field(min_length=2, max_length=1000), AfterValidator(_each_once)]
Members = Annotated[
    list[str], Field(min_length=1, max_length=MAX_MEMBERS), AfterValidator(_each_once)
]
Base64 = Annotated[str, Field(max_length=2 * MAX_MODEL_BYTES), AfterValidator(_base64)]
Seconds = Annotated[float, Field(ge=0.02, le=1e6)]
Temperature = Annotated[float, Field(ge=1e-3, le=1e3)]  # what fits lies within 0.05 and 20


class Manifest(Section):
    """``package.json``.

    Attributes:
        format: Version of the layout; a newer one is refused.
        ser_version: Of the library that packed it.
        system: Name of the system.
        config: Its resolved configuration.
        labels: The classes in the order of the posteriors.
        fbank: The features that it reads.
        members: Files of weights; several are an ensemble, whose posteriors are averaged.
        shared: File of those weights that are the same in all members, as of a frozen encoder.
        temperature: Divides the emotion logits.
        longest_seconds: Of the utterances that it was trained on; None in files of format 1.
        trained_on: Recipe, protocol, folds and seed.
        digests: SHA-256 of every other file, by name.
        digest: Of all that stands above (``with_digest``).
    """

    format: int
    ser_version: str
    system: str
    config: SystemConfig
    labels: Labels
    fbank: RecordedFeatures
    members: Members
    shared: str | None = None
    temperature: Temperature
    longest_seconds: Seconds | None = None
    trained_on: dict[str, Any]
    digests: dict[str, str]
    digest: str

    @model_validator(mode="after")
    def _features_are_the_models(self) -> "Manifest":
        if self.fbank.num_mel_bins != self.config.model.num_mel_bins:
            raise ValueError(
                f"fbank.num_mel_bins {self.fbank.num_mel_bins}, but the model reads "
                f"{self.config.model.num_mel_bins}"
            )
        return self


def read_package(folder: Path) -> Manifest:
    """Reads a package's manifest and holds its files to their digests.

    Raises:
        SerError: The folder is no package, was written by a newer version, or a file is missing
            or is not the one that was packed.
    """
    path = folder / MANIFEST
    if folder.is_file() and folder.suffix == ".pt2":
        raise SerError(
            f"{folder}: a program of torch.export, which PyTorch runs alone (ser/infer/README.md); "
            "expected the package or run that it was exported from"
        )
    if folder.is_file():
        raise SerError(
            f"{folder}: a file; expected the folder of a package, or a .onnx file; unpack an "
            "archive first (tar xzf)"
        )
    if not path.is_file():
        raise SerError(
            f"{folder}: no {MANIFEST}; expected a model, which ser.bin.pack makes of exp/<system>, "
            "or the folder of a run of stage 4, exp/<system>/seed<s>/fold<k>; check the path"
        )
    values = parse_json(
        read_text(path, MAX_MANIFEST_BYTES), path, "it was cut or edited; fetch the package again"
    )
    found = values.get("format") if isinstance(values, dict) else None
    if type(found) is not int:  # true is an int of Python
        raise SerError(
            f"{path}: format {shortened(found)}; expected that of a package of ser.bin.pack; name "
            "another folder, or fetch the package again"
        )
    if found > FORMAT:
        raise SerError(
            f"{path}: format {found}; this version reads up to {FORMAT}; install a newer ser"
        )
    if not digest_holds(values):
        raise SerError(
            f"{path}: not the one that was packed (its own SHA-256 differs); fetch the package "
            "again"
        )
    try:
        manifest = Manifest.model_validate(values)
    except ValidationError as error:
        raise SerError(f"{path}: {first_fault(error)}; fetch the package again") from error
    _check_files(folder, manifest)
    return manifest


def _check_files(folder: Path, manifest: Manifest) -> None:
    """Checks the files of a package against the digests of its manifest."""
    needed = [*manifest.members, *filter(None, [manifest.shared])]
    needed += [BPE] if manifest.config.ctc_alpha else []
    for name in dict.fromkeys([*needed, *manifest.digests]):
        path = folder / name
        if Path(name).name != name or not is_line(name) or len(name) > MAX_NAME_CHARS:
            raise SerError(
                f"{folder / MANIFEST}: {shortened(ascii(name))} is no file of the folder; fetch "
                "the package again"
            )
        if not path.is_file():
            raise SerError(f"{path}: no such file; fetch the package again")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise SerError(
                f"{path}: {path.stat().st_size / 1e9:.0f} GB; expected at most "
                f"{MAX_FILE_BYTES / 1e9:.0f}; fetch the package again"
            )
        if digest_file(path) != manifest.digests.get(name):
            raise SerError(
                f"{path}: not the file that was packed (its SHA-256 differs); fetch the package "
                "again"
            )


class OnnxHeader(Section):
    """What an ONNX file of ours says of itself in its metadata, so that it needs no other file.

    Attributes:
        format: As in ``Manifest``.
        labels: The classes in the order of the posteriors.
        fbank: The features that it reads, or computes.
        features_inside: Whether it takes samples instead of features.
        min_frames: Fewest feature frames that it takes.
        longest_seconds: As in ``Manifest``.
        speaker_prior: As of ``Model``; the training speakers' mean is fixed in the file.
        bpe: The BPE model in base64; empty without a CTC head.
        digest: Of all that stands above (``with_digest``).
    """

    format: Annotated[int, Field(ge=1, le=FORMAT)]
    labels: Labels
    fbank: RecordedFeatures
    features_inside: bool
    min_frames: Annotated[int, Field(ge=1, le=10_000)]
    longest_seconds: Seconds | None = None
    speaker_prior: SpeakerPrior = None
    bpe: Base64
    digest: str

    @property
    def bpe_model(self) -> bytes:
        """The SentencePiece model."""
        return base64.b64decode(self.bpe, validate=True)
