"""Whether a folder holds the published weights that a configuration names. Needs no torch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NotRequired

import safetensors
from typing_extensions import TypedDict

from ser.base.errors import SerError, shortened
from ser.base.files import (
    parsing,
    read_json,
    read_json_as,
    require_fetched,
    require_regular,
)
from ser.base.record import read_record
from ser.config.features import load_features, require_same_features
from ser.config.made_with import difference
from ser.config.network import WhisperConfig
from ser.config.pretraining import ImportConfig

SIZES = {  # of Whisper's config.json
    "num_mel_bins": "num_mel_bins",
    "d_model": "d_model",
    "num_blocks": "encoder_layers",
    "num_heads": "encoder_attention_heads",
    "ffn_dim": "encoder_ffn_dim",
}
FORM = {"activation_function": "gelu", "scale_embedding": False, "quantization_config": None}


class _Index(TypedDict):
    """``model.safetensors.index.json``: the file of each tensor."""

    weight_map: NotRequired[dict[str, str]]


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, one or the shards of its index.

    Raises:
        SerError: They are missing, or not all there.
    """
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.exists():
        return [whole]
    if not index.exists():
        pickles = sorted(p.name for p in folder.glob("*") if p.suffix in (".bin", ".pt", ".pth"))
        found = f"only {', '.join(pickles)}, which may run code when read" if pickles else "none"
        raise SerError(
            f"{whole}: no weights in this form ({found}); expected safetensors, the only form that "
            "is read; fetch model.safetensors of the same model"
        )
    shards = read_json_as(index, _Index, "the hub").get("weight_map", {})
    names = sorted(set(shards.values()))
    if outside := [name for name in names if Path(name).name != name]:
        raise SerError(
            f"{index}: '{shortened(outside[0])}' is no file of the folder; expected names alone; "
            "fetch the model again"
        )
    files = [folder / name for name in names]
    lacking = [path.name for path in files if not path.exists()]
    if lacking or not files:
        raise SerError(
            f"{index}: names {len(files)} files, {len(lacking)} of them are missing "
            f"({', '.join(lacking)}); expected all; fetch them"
        )
    return files


@contextmanager
def opened(path: Path, framework: str) -> Iterator[Any]:
    """One of the files of the weights, whose tensors are read only as they are asked for.

    Args:
        path: The file.
        framework: Of the tensors: ``pt`` or ``numpy``.

    Raises:
        SerError: It is not itself, was cut, or is no safetensors file.
    """
    require_regular(path)
    require_fetched(path)
    with (
        parsing(path, "no readable weights", "expected safetensors; fetch it again"),
        safetensors.safe_open(path, framework=framework) as file,
    ):
        yield file


def require_sizes(folder: Path, config: WhisperConfig) -> None:
    """Checks the configuration of the encoder against the folder's ``config.json``.

    Raises:
        SerError: It is another kind of model, or of another size.
    """
    path = folder / "config.json"
    if not folder.is_dir() or not path.exists():
        missing = path if folder.is_dir() else folder
        what = "a file" if folder.is_file() else "not there"
        raise SerError(
            f"{missing}: {what} (seen from {Path.cwd()}); expected a folder of published weights "
            "with config.json and model.safetensors; name it in WHISPER (db.sh)"
        )
    published: Mapping[str, Any] = read_json(path, "fetch the model again")
    kind = published.get("model_type") if isinstance(published, dict) else None
    if kind != "whisper":
        raise SerError(f"{path}: model_type is {kind}; expected whisper; name another folder")
    wrong = [
        f"{ours} {getattr(config, ours)}, published {published.get(theirs)}"
        for ours, theirs in SIZES.items()
        if getattr(config, ours) != published.get(theirs)
    ]
    for key, value in FORM.items():
        if published.get(key, value) != value:
            raise SerError(
                f"{path}: {key} is {shortened(published[key])}; expected {value}, as in OpenAI's; "
                "name another folder in WHISPER (db.sh)"
            )
    if wrong:
        raise SerError(
            f"{path}: another size than encoder.yaml has ({'; '.join(wrong)}); expected the same; "
            "write the published sizes there, or name another folder in WHISPER (db.sh)"
        )


def require_imported(config: ImportConfig, folder: Path) -> None:
    """Checks that an encoder is there already, where nobody names weights.

    Raises:
        SerError: It is not there, or is another one.
    """
    finished = (folder / "run.json").exists() and read_record(folder)
    if not finished or difference(finished["config"], config):
        raise SerError(
            f"WHISPER: not set; expected the folder of {config.published.name} (config.json, "
            "model.safetensors), or the word hub to fetch it; set it in db.sh or the environment"
        )


def published_features(num_mel_bins: int) -> dict[str, Any]:
    """What the published encoders were trained on, as far as it matters to the weights."""
    return {"type": "whisper", "num_mel_bins": num_mel_bins, "normalisation": "none"}


def require_published_features(conf: Path, name: str, encoder: ImportConfig) -> None:
    """Checks ``<conf>/fbank.yaml`` against the features of the published encoders.

    Raises:
        SerError: Its features are others.
    """
    wanted = published_features(encoder.encoder.num_mel_bins)
    features = load_features(conf).model_dump()
    require_same_features(features, wanted, conf / "fbank.yaml", name)
