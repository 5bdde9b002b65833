"""Whether the disk has room for what stages 1, 3 and 4 write, and memory for what is trained."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ser.base.errors import SerError
from ser.base.paths import run_folders
from ser.base.process import default_jobs
from ser.base.record import earlier_record
from ser.config.features import feature_bytes, load_features
from ser.config.load import load_config
from ser.config.made_with import difference
from ser.config.network import STATISTICS, CnnBlstmSaConfig, EncoderConfig
from ser.config.protocol import ProtocolConfig
from ser.config.schema import PretrainConfig, SystemConfig, can_be_encoded
from ser.config.systems import system_path
from ser.corpus.fold_files import choose_folds
from ser.doctor.earlier_stages import other_runs
from ser.doctor.findings import attempt
from ser.doctor.options import READ, SER, RunOptions
from ser.feats.speed_copies import speed_dir, speed_factors
from ser.kaldi.data_dir import is_positive
from ser.kaldi.table import read_table
from ser.train.frozen import (
    Encoding,
    encoding_in,
    encoding_of_recogniser,
    with_head_alone,
)

BYTES_OF_WEIGHT = {False: 16, True: 4}  # a trained one has a gradient and two moments of Adam
Network = EncoderConfig | CnnBlstmSaConfig
BYTES_OF_WORKER = 2e8  # a process that loads batches, with the libraries that it imports
BYTES_STORED = 4  # a weight in a file
WITH_MOMENTS = 3  # a weight and two moments of Adam


def memory(asked: RunOptions) -> None:
    """Weights, gradients and moments, and the processes that load batches, fit into memory."""
    if asked.ngpu or asked.cmd != "local" or not (asked.runs(3) or asked.runs(4)):
        return
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    jobs = asked.jobs or default_jobs()
    for name, network, config, wanted in _trained(asked):
        training, number = config.training, min(jobs, wanted)
        weights = BYTES_OF_WEIGHT[config.optimizer.freezes_encoder] * network.num_weights
        workers = BYTES_OF_WORKER * training.num_loader_workers
        if number * (weights + workers) > there:
            side_by_side = f"{number} runs side by side, each with " if number > 1 else ""
            raise SerError(
                f"{name}: {side_by_side}{weights / 1e9:.1f} GB for {network.num_weights:.3g} "
                f"weights in training and {workers / 1e9:.1f} GB for num_loader_workers "
                f"{training.num_loader_workers}; expected at most the memory, {there / 1e9:.1f} "
                f"GB; lower {'--jobs, ' if number > 1 else ''}the sizes of the model, or the key"
            )


def disk(asked: RunOptions) -> None:
    """Whether what stages 1, 3 and 4 write has room."""
    if asked.stage == 0:  # what there is to write is not known, and is asked again after it
        return
    if asked.runs(1):
        attempt(_room_for_features, asked)
    for encoding, path in _encodings(asked):
        attempt(_room_for_encoded, encoding, path)
    if asked.runs(3) or asked.runs(4):
        _room_for_models(asked)


def _room_for_features(asked: RunOptions) -> None:
    """Stage 1 writes frames x bands x 4 bytes (compressed 1) of what stage 0 found."""
    config, speeds = load_features(asked.conf), speed_factors(asked.conf, asked.system_names)
    needed = 0.0
    for part in asked.parts:
        seconds = _seconds(part)
        for factor in (1.0, *speeds.get(part, [])):
            out = speed_dir(asked.dump / part, factor)
            if not (out / "run.json").exists():
                written = sum(path.stat().st_size for path in out.glob(".feats.*.partial"))
                needed += feature_bytes(config, [s / factor for s in seconds]) - written
    told = "features (frames x bands x bytes of a value)"
    _require_room(asked.dump, needed, told, "storage: kaldi_compressed in fbank.yaml takes 1/4")


def _seconds(part: str) -> list[float]:
    """The lengths of utterances; those of a table that was damaged are told with it."""
    path = Path("data") / part / "utt2dur"
    values = read_table(path).values() if path.exists() else ()
    return [float(value) for value in values if is_positive(value)]


def _num_unfinished(asked: RunOptions, system: str) -> int:
    """How many runs of a system stage 4 carries out, or will where the folds are not there yet."""
    folds, seeds = asked.exp_dir / "folds", asked.seeds.split()
    protocol, made = load_config(asked.protocol, ProtocolConfig), earlier_record(folds)
    if made is None or difference(made["config"], protocol):
        num_made = protocol.num_folds * (protocol.num_scene_groups or 1)
        num_folds = len(asked.folds.split()) or len(protocol.test_folds) or num_made
        return len(seeds) * num_folds
    return len(unfinished_runs(asked, system))


def unfinished_runs(asked: RunOptions, system: str) -> list[Path]:
    """The runs of a system that stage 4 carries out, where the folds are there."""
    folds = choose_folds(asked.exp_dir / "folds", asked.folds)
    runs = run_folders(asked.exp_dir, system, asked.seeds.split(), folds)
    begun_anew = [run for run, _ in other_runs(asked, system)] if asked.force else []
    return [r for r in runs if r in begun_anew or not (r / "model.safetensors").exists()]


def _encodings(asked: RunOptions) -> Iterator[tuple[Encoding, Path]]:
    """What frozen encoders give in stages 3 and 4, with the file that configures it."""
    for name, system in asked.networks.items() if asked.runs(4) else ():
        for phase in (system, with_head_alone(system)):
            feats = asked.dump / SER.name
            found = phase and encoding_in(asked.exp_dir, phase, feats, asked.pretrain)
            if found and _num_unfinished(asked, name):
                yield found, system_path(asked.conf, name)
    for name, config in asked.encoders.items() if asked.trains_encoder and asked.runs(3) else ():
        if isinstance(config, PretrainConfig) and can_be_encoded(config) and asked.trains(name):
            feats, factors = asked.dump / READ.name, config.training.speed_factors
            encoding = encoding_of_recogniser(config, asked.pretrain, feats, factors)
            yield encoding, asked.conf / "pretrain" / f"{name}.yaml"


def _room_for_encoded(encoding: Encoding, path: Path) -> None:
    """A frozen encoder's outputs: statistics have one size, frames that of their utterance."""
    seconds = _seconds(encoding.feats.name)
    folders = {f: speed_dir(encoding.folder, f) for f in (1.0, *encoding.speed_factors)}
    missing = {f: folder for f, folder in folders.items() if not (folder / "run.json").exists()}
    if not missing or not seconds:
        return
    from ser.train.plan import read_plans  # imports torch, which knows the sizes

    plan = next(plan for plan in read_plans(path, 2, None, None) if plan.encoded)
    size = BYTES_STORED * plan.given.numel()  # of an utterance of mean length
    per_utt = encoding.readout is not None and encoding.readout.type in STATISTICS
    needed = 0.0
    for factor, folder in missing.items():
        needed -= sum(part.stat().st_size for part in folder.glob(".feats.*.partial"))
        for length in seconds:
            needed += size if per_utt else size * length / factor / plan.mean_seconds
    told = f"what the frozen encoder of {path.name} gives"
    _require_room(encoding.out, needed, told, "fewer speed_factors take less")


def _room_for_models(asked: RunOptions) -> None:
    """Stages 3 and 4 write a model a run, and more beside it while the run is in training."""
    models, beside = 0.0, 0.0
    for _, network, config, number in _trained(asked):
        size = BYTES_STORED * network.num_weights
        # The next checkpoint is written beside the last, and so are the epochs to be averaged.
        checkpoint = size if config.optimizer.freezes_encoder else WITH_MOMENTS * size
        models += number * size
        beside = max(beside, 2 * (checkpoint + config.training.average_epochs * size))
    told = "models and checkpoints"
    advice = "fewer --seeds or --systems at a time take less"
    _require_room(asked.exp_dir, models + beside, told, advice)


def _trained(
    asked: RunOptions,
) -> Iterator[tuple[str, Network, SystemConfig | PretrainConfig, int]]:
    """What is to be trained: its name, network and configuration, and how many runs of it."""
    for name, system in asked.networks.items() if asked.runs(4) else ():
        if number := _num_unfinished(asked, name):
            yield name, system.model, system, number
    for name, encoder in asked.encoders.items() if asked.trains_encoder and asked.runs(3) else ():
        if isinstance(encoder, PretrainConfig) and asked.trains(name):
            yield name, encoder.encoder, encoder, 1


def _require_room(folder: Path, needed: float, what: str, advice: str) -> None:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise SerError(
            f"{folder}: {needed / 1e9:.2f} GB of {what} to write, and {free / 1e9:.2f} GB are "
            f"free; expected room for all; make room, or let {folder} be a link to another disk "
            f"({advice})"
        )
