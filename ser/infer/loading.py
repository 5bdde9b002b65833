"""Where a model comes from: a package, an ONNX file, or the folder of a run."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ser.base.errors import SerError
from ser.base.files import parsing, read_bytes
from ser.base.hub import fetch, repository
from ser.base.options import require_within
from ser.base.record import MAX_THREADS, Stage, read_record, require_outputs
from ser.config.features import FeaturesConfig, RecordedFeatures
from ser.config.labels import LabelsConfig
from ser.config.protocol import ProtocolConfig
from ser.config.schema import SystemConfig
from ser.feats.definitions import make_extractor
from ser.infer.model import Model
from ser.infer.onnx_engine import OnnxEngine, load_onnx
from ser.infer.package import (
    BPE,
    FETCH,
    MANIFEST,
    PACKED,
    Seconds,
    read_package,
)
from ser.text.bpe import MAX_MODEL_BYTES, Tokenizer


def load(
    path: str | Path,
    device: str = "cpu",
    threshold: float = 0.0,
    batch_size: int = 16,
    num_threads: int | None = None,
    any_audio: bool = False,
) -> Model:
    """Loads a model.

    Args:
        path: A package of ``ser.bin.pack``, an ONNX file of ``ser.bin.export`` (which needs no
            torch), the folder of a finished run of stage 4, or the name of a package on the Hugging
            Face hub, ``owner/model`` or ``owner/model@revision``.
        device: ``cpu``, ``cuda`` or ``cuda:1``.
        threshold: Below this probability no label is given.
        batch_size: Most utterances of a batch.
        num_threads: Of computation, in the whole process for a model that PyTorch runs; as many as
            the libraries take by default.
        any_audio: Whether what cannot be speech, as silence, gets a label too.

    Raises:
        SerError: There is no such model, it is damaged or newer than this version, or the device
            is not there.
    """
    require_within("--threshold", threshold, 0, 1)
    require_within("--batch", batch_size, 1, 4096)
    require_within("--threads", num_threads, 1, MAX_THREADS)
    for option, number in (("--batch", batch_size), ("--threads", num_threads)):
        if number is not None and type(number) is not int:
            raise SerError(f"{option} {number!r}: expected an int")
    path = find_model(path)
    if path.suffix == ".onnx":
        model = _load_onnx(path, device, num_threads)
    else:
        is_run = (path / "run.json").is_file() and not (path / MANIFEST).exists()
        model = _load_run(path, device) if is_run else _load_package(path, device)
        if num_threads:
            import torch

            torch.set_num_threads(num_threads)
    return replace(model, threshold=threshold, batch_size=batch_size, any_audio=any_audio)


def find_model(path: str | Path) -> Path:
    """Where a model lies; one of the hub is fetched.

    Raises:
        SerError: The hub does not give it.
    """
    wanted = repository(str(path))
    if wanted is None:
        return Path(path)
    here = f"give the path of a model instead ({wanted} is not a file here)"
    return fetch(wanted, PACKED, str(wanted), here)


def _load_onnx(path: Path, device: str, num_threads: int | None) -> Model:
    header, session = load_onnx(path, device, num_threads)
    fbank = make_extractor(header.fbank)
    least = header.min_frames
    if header.features_inside:
        least = fbank.num_samples(least)
    tokenizer = Tokenizer.read(header.bpe_model, path, FETCH) if header.bpe else None
    engine = OnnxEngine(session, least)
    return Model(
        engine,
        tuple(header.labels),
        fbank,
        tokenizer,
        header.features_inside,
        longest_seconds=header.longest_seconds,
        speaker_prior=header.speaker_prior,
    )


def _load_package(folder: Path, device: str) -> Model:
    manifest = read_package(folder)
    from ser.infer.torch_engine import TorchEngine, choose_device, load_network, share_encoder

    place = choose_device(device)
    bpe = folder / BPE
    tokenizer = None
    if manifest.config.ctc_alpha:
        tokenizer = Tokenizer.read(read_bytes(bpe, MAX_MODEL_BYTES), bpe, FETCH)
    vocab_size = tokenizer.vocab_size if tokenizer else None
    sets = [folder / name for name in manifest.members]
    shared = folder / manifest.shared if manifest.shared else None
    networks = [
        load_network(manifest.config, len(manifest.labels), vocab_size, path, place, shared=shared)
        for path in sets
    ]
    share_encoder(networks)
    engine = TorchEngine(networks, manifest.temperature)
    return Model(
        engine,
        tuple(manifest.labels),
        make_extractor(manifest.fbank),
        tokenizer,
        longest_seconds=manifest.longest_seconds,
        speaker_prior=manifest.config.readout.speaker_prior,
    )


def _load_run(folder: Path, device: str) -> Model:
    run = read_run(folder)
    from ser.infer.torch_engine import TorchEngine, choose_device, load_network

    place = choose_device(device)
    tokenizer = Tokenizer.load(folder / BPE) if run.system.ctc_alpha else None
    vocab_size = tokenizer.vocab_size if tokenizer else None
    weights = folder / "model.safetensors"
    network = load_network(run.system, len(run.labels.names), vocab_size, weights, place)
    return Model(
        TorchEngine([network]),
        run.labels.names,
        make_extractor(run.fbank),
        tokenizer,
        longest_seconds=run.longest_seconds,
        speaker_prior=run.system.readout.speaker_prior,
    )


@dataclass(frozen=True)
class Run:
    """What a finished run of stage 4 says of itself."""

    folder: Path
    fold: str
    identity: str
    system: SystemConfig
    labels: LabelsConfig
    fbank: FeaturesConfig
    protocol: ProtocolConfig
    inputs: dict[str, str]  # identity of each folder that it was made from
    longest_seconds: float | None  # of the utterances that it was trained on
    published: dict[str, Any] | None  # the encoder that it started from, if one was published

    @property
    def made_by(self) -> dict[str, Any]:
        """All that the runs of a system share."""
        return {
            "system": self.system.model_dump(),
            "labels": self.labels.record(),
            "fbank": self.fbank.model_dump(),
            "protocol": self.protocol.model_dump(),
            "inputs": sorted(self.inputs.values()),  # wherever they lay
        }


def read_run(folder: Path) -> Run:
    """What a finished run of stage 4 says of itself.

    Raises:
        SerError: The folder holds none, or its files are not those that were written.
    """
    path = folder / "run.json"
    record = read_record(folder)
    remedy = "expected that of a run of stage 4; name another folder, or rerun stage 4 with --force"
    with parsing(path, "no record of a system and its features", remedy):
        run = Run(
            folder=folder,
            system=SystemConfig.model_validate(record["config"]["system"]),
            labels=LabelsConfig.of_record(record["config"]["labels"]),
            fbank=TypeAdapter(RecordedFeatures).validate_python(record["notes"]["fbank"]),
            protocol=ProtocolConfig.model_validate(record["config"]["protocol"]),
            fold=str(record["config"]["fold"]),
            identity=record["identity"],
            inputs=record["inputs"],
            longest_seconds=TypeAdapter(Seconds | None).validate_python(
                record["notes"].get("longest_seconds")
            ),
            published=record["notes"].get("published"),
        )
    require_outputs(folder, record, Stage.FINETUNE)
    return run
