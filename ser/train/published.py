"""The encoder of a published Whisper, from a folder in Hugging Face's layout."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from ser.base.errors import SerError, first_few
from ser.base.files import digest_file
from ser.base.hub import Repository, fetch
from ser.base.log import logger
from ser.base.record import Record, Stage, read_record
from ser.base.writing import sole_run, write_json
from ser.config.network import WhisperConfig
from ser.config.pretraining import ImportConfig, PublishedConfig
from ser.nn.weights import misfits, save_weights
from ser.nn.whisper import WhisperEncoder, positions
from ser.train.published_weights import (
    opened,
    published_features,
    require_imported,
    require_sizes,
    weight_files,
)
from ser.train.training_folder import claim_training_folder

# Where the encoder stands in Whisper's classes, and what beside it is not ours to read.
ENCODER = re.compile(r"(model\.)?encoder\.")
LEFT_OUT = re.compile(r"((model\.)?decoder|proj_out|projector|classifier|layer_weights)\b")
POSITIONS = "embed_positions.weight"
NAMES = {  # of a block
    "self_attn.out_proj": "attention.output",
    "self_attn_layer_norm": "attention_norm",
    "fc1": "feed_forward.0",
    "fc2": "feed_forward.3",
    "final_layer_norm": "feed_forward_norm",
}
POSITIONS_TOLERANCE = 2e-3  # what float16 and another order of rounding make of a sine


def read_encoder(folder: Path, config: WhisperConfig) -> dict[str, torch.Tensor]:
    """The encoder's weights by our names (``encoder.*``), float32; every tensor is accounted for.

    Raises:
        SerError: The folder is not there, holds another model, or a tensor is missing, left over,
            of another shape, not finite or unreadable.
    """
    require_sizes(folder, config)
    theirs: dict[str, torch.Tensor] = {}
    wrong: list[str] = []
    for path in weight_files(folder):
        with opened(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118  # it is no mapping
                if found := ENCODER.match(name):
                    ours, tensor = name[found.end() :], file.get_tensor(name)
                    if ours in theirs:
                        wrong.append(f"{name} is there twice")
                    if not tensor.is_floating_point():
                        wrong.append(f"{name} is {tensor.dtype}, no floating point")
                    theirs[ours] = tensor.float()
                elif not LEFT_OUT.match(name):
                    wrong.append(f"{name} is left over")
    _check_positions(folder, theirs.pop(POSITIONS, None), config.d_model)
    with torch.device("meta"):
        wanted = {name: t.shape for name, t in WhisperEncoder(config).state_dict().items()}
    given = dict(_renamed(theirs))
    wrong += misfits(wanted, given)
    wrong += [f"{name} is not finite" for name, t in given.items() if not t.isfinite().all()]
    if wrong:
        raise SerError(
            f"{folder}: {len(wrong)} tensors do not fit the encoder: {first_few(sorted(wrong))}; "
            "expected those of Whisper; fetch the model again"
        )
    return {f"encoder.{name}": tensor for name, tensor in given.items()}


def _check_positions(folder: Path, table: torch.Tensor | None, d_model: int) -> None:
    """The published positions are the formula's, which goes on where the table ends."""
    if table is None:
        return
    if table.dim() != 2 or table.shape[1] != d_model or not len(table):
        raise SerError(
            f"{folder}: {POSITIONS} is {tuple(table.shape)}; expected (positions, {d_model}); "
            "fetch the model again"
        )
    off = (table - positions(*table.shape)).abs().max().item()
    if not off <= POSITIONS_TOLERANCE:
        raise SerError(
            f"{folder}: {POSITIONS} is {off:.3g} off the sinusoids; expected Whisper's fixed "
            "positions; trained ones cannot be taken over"
        )


def _renamed(theirs: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """Our names. Query, key and value become one layer; the key's bias, which it lacks, is zero.

    What is none of Whisper's keeps its name.
    """
    left = dict(theirs)
    for name, query in theirs.items():
        found = re.fullmatch(r"layers\.(\d+)\.self_attn\.q_proj\.(weight|bias)", name)
        if found is None:
            continue
        block, kind = found.groups()
        key, value = (f"layers.{block}.self_attn.{x}_proj.{kind}" for x in "kv")
        beside = [theirs.get(key), theirs.get(value)]
        if kind == "bias" and key not in theirs:
            beside[0] = torch.zeros_like(query)
        parts = [query, *(x for x in beside if x is not None and x.shape == query.shape)]
        if query.dim() and len(parts) == 3:
            yield f"blocks.{block}.attention.qkv.{kind}", torch.cat(parts)
            for used in (name, key, value):
                left.pop(used, None)
    for name, tensor in left.items():
        found = re.fullmatch(r"layers\.(\d+)\.(.+)\.(weight|bias)", name)
        if found and found[2] in NAMES:
            yield f"blocks.{found[1]}.{NAMES[found[2]]}.{found[3]}", tensor
        else:
            yield re.sub(r"^layer_norm\.", "final_norm.", name), tensor


def import_encoder(config: ImportConfig, given: str, folder: Path) -> None:
    """Stage 3 for published weights: writes ``model.safetensors`` as a pre-training does.

    Other weights that are there are moved aside.

    Args:
        config: Which weights.
        given: Their folder; ``hub`` to fetch them; empty where nobody named any.
        folder: Of the encoder.

    Raises:
        SerError: No weights are given, or they do not fit.
    """
    if not given:
        require_imported(config, folder)
        logger.info("%s: finished already", folder)
        return
    source = _fetch(config.published) if given == "hub" else Path(given)
    require_sizes(source, config.encoder)
    digests = {path.name: digest_file(path) for path in weight_files(source)}
    record = Record(
        folder,
        Stage.PRETRAIN,
        config.model_dump(),
        {f"published {k}": v for k, v in digests.items()},
    )
    with sole_run(folder, wait=True):  # of several processes one imports, the others find it done
        published = _described(config.published, source, digests)
        # Read before others are moved aside for it.
        weights = None if record.is_finished() else read_encoder(source, config.encoder)
        if claim_training_folder(record, 1, force=True) is None or weights is None:
            _describe_anew(folder, published)
            return
        save_weights(folder / "model.safetensors", weights)
        record.finish(
            published=published,
            fbank=published_features(config.encoder.num_mel_bins),
            num_parameters=sum(tensor.numel() for tensor in weights.values()),
        )
    logger.info("%s: from %s", folder, source)


def _described(
    published: PublishedConfig, source: Path, digests: Mapping[str, str]
) -> dict[str, Any]:
    """What tables and cards say of the weights, which may be others than those named."""
    is_published = published.sha256 is None or published.sha256 in digests.values()
    if published.sha256 is None:
        logger.warning(
            "%s: taken for %s, which no sha256 in pretrain/published.yaml proves; compare "
            "it with the hub's: %s",
            *(source, published.name, " ".join(digests.values())),
        )
    if not is_published:
        logger.warning(
            "%s: not the weights of %s, by their SHA-256; tables and cards say so; write "
            "what they are into pretrain/published.yaml",
            *(source, published.name),
        )
    return {**published.model_dump(), "sha256": dict(digests), "is_published": is_published}


def _describe_anew(folder: Path, published: Mapping[str, Any]) -> None:
    """Their SHA-256 may have been written into the configuration since."""
    record = read_record(folder)
    if record["notes"].get("published") != published:
        notes = {**record["notes"], "published": published}
        write_json(folder / "run.json", {**record, "notes": notes})


def _fetch(published: PublishedConfig) -> Path:
    """The folder of the weights, from the hub at the pinned revision."""
    wanted = Repository(published.name, published.revision)
    patterns = ["config.json", "*.safetensors", "*.safetensors.index.json"]
    return fetch(wanted, patterns, "WHISPER=hub", "name a folder in WHISPER (db.sh) instead")
