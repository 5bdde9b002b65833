"""A released model as a folder: what it holds, and that it holds what it did. Needs no torch."""

import base64
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from ser.base.errors import SerError
from ser.base.files import digest_file, read_json
from ser.config.schema import FbankConfig, Positive, Section, SystemConfig

MANIFEST = "package.json"
CARD = "README.md"
BPE = "bpe.model"
FORMAT = 1  # of packages that this version writes, and the newest that it reads


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
        temperature: Divides the emotion logits.
        trained_on: Recipe, protocol, folds and seed.
        digests: SHA-256 of every other file, by name.
    """

    format: int
    ser_version: str
    system: str
    config: SystemConfig
    labels: Annotated[list[str], Field(min_length=2)]
    fbank: FbankConfig
    members: Annotated[list[str], Field(min_length=1)]
    temperature: Positive
    trained_on: dict[str, Any]
    digests: dict[str, str]


def read_package(folder: Path) -> Manifest:
    """Reads a package's manifest and holds its files to their digests.

    Raises:
        SerError: The folder is no package, was written by a newer version, or a file is missing
            or is not the one that was packed.
    """
    path = folder / MANIFEST
    if folder.is_file():
        raise SerError(
            f"{folder}: a file; expected the folder of a package, or a .onnx file; unpack an "
            "archive first (tar xzf)"
        )
    if not path.is_file():
        raise SerError(
            f"{folder}: no {MANIFEST}; expected a model of ser.bin.pack, or the folder of a run of "
            "stage 4, exp/<system>/seed<s>/fold<k>; check the path"
        )
    values = read_json(path)
    found = values.get("format") if isinstance(values, dict) else None
    if not isinstance(found, int) or found > FORMAT:
        raise SerError(
            f"{path}: format {found}; this version reads up to {FORMAT}; install a newer ser"
        )
    try:
        manifest = Manifest.model_validate(values)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise SerError(f"{path}: the key '{where}' is wrong; fetch the package again") from error
    for name in [*manifest.members, *manifest.digests]:
        if Path(name).name != name:
            raise SerError(f"{path}: '{name}' is no file of the folder; fetch the package again")
        if not (folder / name).is_file():
            raise SerError(f"{folder / name}: no such file; fetch the package again")
        if digest_file(folder / name) != manifest.digests.get(name):
            raise SerError(
                f"{folder / name}: not the file that was packed (its SHA-256 differs); fetch the "
                "package again"
            )
    return manifest


class OnnxHeader(Section):
    """What an ONNX file of ours says of itself in its metadata, so that it needs no other file.

    Attributes:
        format: As in ``Manifest``.
        labels: The classes in the order of the posteriors.
        fbank: The features that it reads, or computes.
        features_inside: Whether it takes samples instead of features.
        min_frames: Fewest feature frames that it takes.
        bpe: The BPE model in base64; empty without a CTC head.
    """

    format: Annotated[int, Field(le=FORMAT)]
    labels: list[str]
    fbank: FbankConfig
    features_inside: bool
    min_frames: int
    bpe: str

    @property
    def bpe_model(self) -> bytes:
        """The SentencePiece model."""
        return base64.b64decode(self.bpe)
