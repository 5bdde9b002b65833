"""Prediction: hours of speech per hour in batches, and one file from the shell."""

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from benchmarks.peer_env import measure_beside_peers
from benchmarks.row import Row, alternate_seconds
from ser.base.record import Record
from ser.config.features import FbankConfig, FeaturesConfig
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.protocol import ProtocolConfig
from ser.config.schema import BpeConfig, SystemConfig
from ser.data.utterances import FeatureReader, Utterance
from ser.kaldi.ark import ArkWriter
from ser.nn.cnn_blstm_sa import CnnBlstmSa
from ser.nn.emotion import EmotionModel
from ser.nn.systems import build_system
from ser.nn.weights import count_parameters, save_weights
from ser.predict.networks import predict_utterances
from ser.text.bpe import Tokenizer, train_bpe

EGS = Path(__file__).parents[2] / "egs"
RECIPES = {"mini": "mini", "paper": "iemocap"}  # case -> recipe
SYSTEM = "transformer_tl_mtl"
THREADS = 2
# A case and the figure of ``api_sides``; the own memory is beyond that of PyTorch alone.
TIMES = {"speed": "seconds", "start": "start"}
SIZES = {"memory": "peak_megabytes", "own_memory": "added_megabytes"}
# Utterances of each case: about ten seconds of work.
NUM_UTTS = {"mini": 1000, "paper": 64}


@dataclass(frozen=True)
class RandomSystem:
    """A shipped system with random weights, which cost what trained ones do."""

    system: SystemConfig
    labels: LabelsConfig
    fbank: FeaturesConfig
    model: EmotionModel | CnnBlstmSa
    bpe: bytes


def random_system(case: str) -> RandomSystem:
    """Builds it; the BPE model is trained on words drawn at random."""
    torch.manual_seed(0)
    conf = EGS / RECIPES[case] / "conf"
    system = load_config(conf / "systems" / f"{SYSTEM}.yaml", SystemConfig)
    labels = load_config(conf / "labels.yaml", LabelsConfig)
    draw = random.Random(0)
    words = [
        "".join(draw.choices("ABCDEFGHIJKLMNOPQRST", k=draw.randint(2, 9))) for _ in range(9000)
    ]
    bpe = train_bpe(words, load_config(conf / "bpe.yaml", BpeConfig), Path("random words"))
    model = build_system(system, len(labels.names), Tokenizer(bpe).vocab_size).eval()
    return RandomSystem(system, labels, load_config(conf / "fbank.yaml", FbankConfig), model, bpe)


def predict_realtime() -> Row:
    """Hours of speech per hour from an ark on two threads, as stage 5 predicts; random weights."""
    torch.set_num_threads(THREADS)
    torch.set_flush_denormal(True)
    cases: dict[str, float] = {}
    raw: dict[str, Any] = {"threads": THREADS, "weights": "random"}
    for case, num_utts in NUM_UTTS.items():
        trained = random_system(case)
        lens = random_lengths(num_utts)
        with tempfile.TemporaryDirectory() as folder, ArkWriter(Path(folder), "float32") as writer:
            draw = np.random.default_rng(0)
            for utt, size in lens.items():
                matrix = draw.normal(size=(size, trained.fbank.num_mel_bins))
                writer.write(utt, matrix.astype(np.float32))
            feats = FeatureReader(writer.finish(), Path("feats.scp"), "utterance_mean")
            (seconds,) = alternate_seconds(3, partial(predict_once, trained, lens, feats))
        speech = sum(lens.values()) / 100
        cases[case] = speech / seconds
        raw |= {
            f"{case}.seconds": seconds,
            f"{case}.speech_seconds": speech,
            f"{case}.utts": num_utts,
            f"{case}.batch_size_utts": trained.system.training.batch_size_utts,
            f"{case}.parameters": count_parameters(trained.model),
        }
    return Row(
        key="predict_realtime",
        value=min(cases.values()),
        target="reported",
        cases=cases,
        raw=raw,
    )


def random_lengths(num_utts: int) -> dict[str, int]:
    """Frames of utterances as long as IEMOCAP's: 4.5 s in the mean, most between 1 and 12 s."""
    seconds = np.random.default_rng(0).lognormal(1.33, 0.62, num_utts).clip(0.6, 30.0)
    return {f"utt{i:04}": int(100 * s) for i, s in enumerate(seconds)}


def predict_once(trained: RandomSystem, lens: Mapping[str, int], feats: FeatureReader) -> None:
    """Predicts every utterance, words included."""
    predictions = predict_utterances(
        trained.model,
        [Utterance(utt, size) for utt, size in lens.items()],
        feats,
        Tokenizer(trained.bpe),
        trained.system.training,
    )
    assert len(list(predictions)) == len(lens)


@contextmanager
def run_folder(trained: RandomSystem) -> Iterator[Path]:
    """A folder as stage 4 leaves it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_weights(folder / "model.safetensors", trained.model.state_dict())
        (folder / "bpe.model").write_bytes(trained.bpe)
        protocol = load_config(EGS / "mini" / "conf" / "protocol" / "paper.yaml", ProtocolConfig)
        config = {
            "system": trained.system.model_dump(),
            "labels": trained.labels.model_dump(),
            "protocol": protocol.model_dump(),
            "fold": "1",
        }
        Record(folder, 4, config, {}).finish(fbank=trained.fbank.model_dump())
        yield folder


def five_seconds(folder: Path, number: int) -> Path:
    """A file of noise in a folder."""
    path = folder / f"{number}.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(number).normal(size=5 * 16000), 16000)
    return path


def predict_cold_start_vs_torch_import() -> Row:
    """Wall time of one 5-second file from the shell / of ``python -c "import torch"``."""
    cases: dict[str, float] = {}
    raw: dict[str, Any] = {"speech_seconds": 5, "weights": "random"}
    for case in RECIPES:
        with run_folder(random_system(case)) as folder:
            audio = five_seconds(folder, 0)
            predict = ("-m", "ser.bin.ser_predict", str(folder), str(audio))
            ours, torch_alone = alternate_seconds(
                7, partial(call, *predict), partial(call, "-c", "import torch")
            )
        cases[case] = ours / torch_alone
        raw |= {f"{case}.seconds": ours, f"{case}.torch_import_seconds": torch_alone}
    return Row(
        key="predict_cold_start_vs_torch_import",
        value=max(cases.values()),
        target="<= 1.5",
        cases=cases,
        raw=raw,
    )


def call(*arguments: str) -> None:
    """Runs this Python."""
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def measure_sides(
    models: Mapping[str, Path],
    files: Sequence[str],
    rounds: int,
    measure: Callable[..., Mapping[str, float]],
) -> dict[str, dict[str, float]]:
    """Medians of what ``api_sides`` measures, by side, in turns.

    Args:
        models: What each side loads.
        files: The files that each predicts.
        rounds: So many.
        measure: Starts the process of a side.
    """
    figures: dict[str, dict[str, list[float]]] = {side: defaultdict(list) for side in models}
    for _ in range(rounds):
        for side, model in models.items():
            for name, value in measure("api_sides", side, str(model), *files).items():
                figures[side][name].append(value)
            began = time.perf_counter()
            measure("api_sides", side, str(model), files[0])
            figures[side]["start"].append(time.perf_counter() - began)
    return {
        side: {name: statistics.median(values) for name, values in found.items()}
        for side, found in figures.items()
    }


def beside(ours: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, float]:
    """How many times as fast ours is, theirs / ours, and its share of the memory, ours / theirs."""
    times = {case: theirs[name] / ours[name] for case, name in TIMES.items()}
    return times | {case: ours[name] / theirs[name] for case, name in SIZES.items()}


def api_vs_peers() -> Row:
    """Files of 5 seconds, one by one, through ``ser.load`` and the interfaces of the peers.

    All with random weights and about as many parameters, in processes of their own, in turns; the
    start is the wall time of a process that predicts one file.
    """
    num_files, rounds, peers = 60, 3, ("speechbrain", "s3prl")
    with run_folder(random_system("mini")) as folder:
        files = [str(five_seconds(folder, i)) for i in range(num_files)]
        models = {"ser": folder, **{peer: folder / peer for peer in peers}}
        for peer in peers:
            models[peer].mkdir()
        medians = measure_sides(models, files, rounds, measure_beside_peers)
    cases = {
        f"{case}_vs_{peer}": ratio
        for peer in peers
        for case, ratio in beside(medians["ser"], medians[peer]).items()
    }
    return Row(
        key="api_vs_peers",
        value=min(cases[f"speed_vs_{peer}"] for peer in peers),
        target="reported",
        cases=cases,
        raw={
            "threads": THREADS,
            "files": num_files,
            **{f"{s}.{name}": x for s, found in medians.items() for name, x in found.items()},
        },
    )


def onnx_start() -> Row:
    """Seconds from the shell to the answer for one 5-second file, through onnxruntime."""
    with run_folder(random_system("mini")) as folder:
        audio, model = five_seconds(folder, 0), folder / "model.onnx"
        call("-m", "ser.bin.export", str(folder), "--out", str(model))
        predict = partial(call, "-m", "ser.bin.ser_predict", str(model), str(audio))
        (seconds,) = alternate_seconds(7, predict)
    return Row(key="onnx_start", value=seconds, target="<= 1.0", raw={"weights": "random"})
