"""A released model as a folder: what it holds, and that it holds what it did. Needs no torch.

The digests find damage and careless edits. They are no signature: who forges a package can write
digests that fit. Nothing of a package is executed, forged or not.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from ser.base.errors import SerError
from ser.base.files import digest_file, digest_json
from ser.config.features import RecordedFeatures
from ser.config.schema import SystemConfig
from ser.config.section import Positive, Section

MANIFEST = "package.json"
CARD = "README.md"
BPE = "bpe.model"
NOTICE = "NOTICE"  # of the authors of weights that it started from
PACKED = (MANIFEST, CARD, BPE, NOTICE, "*.safetensors")
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
        digest: Of all that stands above (``seal``).
    """

    format: int
    ser_version: str
    system: str
    config: SystemConfig
    labels: Annotated[list[str], Field(min_length=2)]
    fbank: RecordedFeatures
    members: Annotated[list[str], Field(min_length=1)]
    temperature: Positive
    trained_on: dict[str, Any]
    digests: dict[str, str]
    digest: str


def seal(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values with the digest of all the others under ``digest``."""
    rest = {key: value for key, value in values.items() if key != "digest"}
    return {**rest, "digest": digest_json(rest)}


def is_sealed(values: Mapping[str, Any]) -> bool:
    """Whether JSON values hold the digest of the others, as ``seal`` gave it to them."""
    try:
        return values == seal(values)
    except UnicodeEncodeError:  # half a character, which JSON can escape, was never sealed
        return False


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
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise SerError(
            f"{path}: not JSON; it was cut or edited; fetch the package again"
        ) from error
    found = values.get("format") if isinstance(values, dict) else None
    if not isinstance(found, int) or found > FORMAT:
        raise SerError(
            f"{path}: format {found}; this version reads up to {FORMAT}; install a newer ser"
        )
    if not is_sealed(values):
        raise SerError(
            f"{path}: not the one that was packed (its own SHA-256 differs); fetch the package "
            "again"
        )
    try:
        manifest = Manifest.model_validate(values)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise SerError(f"{path}: the key '{where}' is wrong; fetch the package again") from error
    _check_files(folder, manifest)
    return manifest


def _check_files(folder: Path, manifest: Manifest) -> None:
    """Holds the files of a package to the digests of its manifest."""
    needed = [*manifest.members, *([BPE] if manifest.config.ctc_alpha else [])]
    for name in dict.fromkeys([*needed, *manifest.digests]):
        path = folder / name
        if Path(name).name != name:
            raise SerError(
                f"{folder / MANIFEST}: '{name}' is no file of the folder; fetch the package again"
            )
        if not path.is_file():
            raise SerError(f"{path}: no such file; fetch the package again")
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
        bpe: The BPE model in base64; empty without a CTC head.
        digest: Of all that stands above (``seal``).
    """

    format: Annotated[int, Field(le=FORMAT)]
    labels: list[str]
    fbank: RecordedFeatures
    features_inside: bool
    min_frames: int
    bpe: str
    digest: str

    @property
    def bpe_model(self) -> bytes:
        """The SentencePiece model."""
        return base64.b64decode(self.bpe)
