"""Writes ``tests/versions/<version>``: small files of this version, which later ones must read.

``python tests/versions/make.py``, once, before a version is released; what is there stays as it is.
Everything is generated: features, weights after a few steps, no corpus and no recording.
"""

import json
import logging
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import tiny_recipe  # noqa: E402
import tiny_training  # noqa: E402
import yaml  # noqa: E402
from programs import call  # noqa: E402
from tiny import ark_reader, random_feats, write_config  # noqa: E402
from tiny_audio import packing, train  # noqa: E402
from tiny_recipe import EXP, finetune_run  # noqa: E402

import ser  # noqa: E402
from ser.base.errors import SerError  # noqa: E402
from ser.base.files import read_json  # noqa: E402
from ser.base.log import logger  # noqa: E402
from ser.base.writing import write_json  # noqa: E402
from ser.config.baselines import FunctionalsConfig, ProbeConfig, WordsConfig  # noqa: E402
from ser.config.labels import LabelsConfig  # noqa: E402
from ser.config.load import load_config, read_yaml  # noqa: E402
from ser.config.pretraining import ImportConfig  # noqa: E402
from ser.config.protocol import ProtocolConfig  # noqa: E402
from ser.config.schema import BpeConfig, PretrainConfig, SystemConfig  # noqa: E402
from ser.corpus.cross import CrossConfig  # noqa: E402
from ser.data.utterances import Utterance  # noqa: E402
from ser.infer.loading import load  # noqa: E402
from ser.infer.model import Model  # noqa: E402
from ser.nn.systems import build_system  # noqa: E402
from ser.predict.folds import predict_all  # noqa: E402
from ser.release.export import export_onnx  # noqa: E402
from ser.release.pack import pack  # noqa: E402
from ser.train.engine.checkpoint import load_checkpoint  # noqa: E402
from ser.train.engine.optimizer import make_optimizer, set_learning_rate  # noqa: E402
from ser.train.training_data import TrainingData  # noqa: E402

SYSTEM = "transformer_tl_mtl"
CONFIGS = {  # what each file of a recipe's ``conf`` is
    "mini/conf/labels.yaml": LabelsConfig,
    "mini/conf/bpe.yaml": BpeConfig,
    "mini/conf/protocol/paper.yaml": ProtocolConfig,
    "iemocap/conf/protocol/scenario_held_out.yaml": ProtocolConfig,
    "iemocap/conf/protocol/s3prl.yaml": ProtocolConfig,
    "mini/conf/pretrain/ctc.yaml": PretrainConfig,
    "iemocap/conf/plus/pretrain/plus.yaml": PretrainConfig,
    "ravdess/conf/whisper/pretrain/published.yaml": ImportConfig,
    "mini/conf/systems/cnn_blstm_sa.yaml": SystemConfig,
    "mini/conf/systems/transformer_tl_mtl.yaml": SystemConfig,
    "mini/conf/ablations/mtl_shuffled.yaml": SystemConfig,
    "iemocap/conf/plus/systems/transformer_tl_mtl.yaml": SystemConfig,
    "ravdess/conf/whisper/systems/transformer_tl.yaml": SystemConfig,
    "mini/conf/baselines/words_of_mtl.yaml": WordsConfig,
    "ravdess/conf/baselines/egemaps_svm.yaml": FunctionalsConfig,
    "ravdess/conf/whisper/baselines/whisper_probe.yaml": ProbeConfig,
    "cross/conf/cross.yaml": CrossConfig,
}


def signal(seconds: float, pitch_hz: float) -> npt.NDArray[np.float32]:
    """Sixteen harmonics that swell and fall, at 16 kHz: the same samples with any library."""
    time = np.arange(round(16000 * seconds)) / 16000
    voice = sum(np.sin(2 * np.pi * pitch_hz * n * time) / n for n in range(1, 17))
    return (0.2 * voice * (1.1 + np.sin(2 * np.pi * 3 * time)) / 2).astype(np.float32)


SIGNALS = {"low": signal(1.2, 110.0), "high": signal(0.7, 230.0)}


def said(model: Model) -> dict[str, Any]:
    """What a model says of the signals."""
    found = {name: model.predict(samples, 16000) for name, samples in SIGNALS.items()}
    return {n: {"posteriors": dict(r.posteriors), "words": r.words} for n, r in found.items()}


def resumed(folder: Path) -> dict[str, Any]:
    """Where a checkpoint stands, and sums of its weights and of Adam's first moments."""
    system = load_config(folder / "system.yaml", SystemConfig)
    model = build_system(system, 4, 6)
    optimizer = make_optimizer(model, system.optimizer)
    progress = load_checkpoint(folder / "checkpoint", model, optimizer)
    if progress is None:
        raise SerError(f"{folder}/checkpoint: not there; expected one; run tests/versions/make.py")
    set_learning_rate(optimizer, 1.0)  # as every step begins
    moments = [state["exp_avg"] for state in optimizer.state.values()]
    return {
        "progress": asdict(progress),
        "weights": sum(p.detach().double().sum().item() for p in model.parameters()),
        "moments": sum(moment.double().sum().item() for moment in moments),
    }


def _interrupt(folder: Path) -> None:
    """A training run that is ended after five losses: its checkpoint, and the system it trains."""
    utterances = [Utterance(f"u{i}", 40 + 7 * i, [1 + i % 3, 4, 2], label=i % 4) for i in range(11)]
    feats = random_feats({u.utt: u.num_frames for u in utterances})
    data = TrainingData(utterances, ark_reader(folder / "feats", feats), 10.0)
    encoder = tiny_recipe.encoder_config(num_blocks=1, d_model=16, head_dim=4, ffn_dim=32)
    with suppress(tiny_training.KilledError):
        tiny_training.make_trainer(
            data, folder, model_config=encoder, change=tiny_training.kill_at(5)
        ).run()
    system = tiny_recipe.system_config(SYSTEM, model=encoder, training=tiny_training.RESTLESS)
    write_config(folder / "system.yaml", system)


def _keep(source: Path, target: Path, *names: str) -> None:
    """Copies files or folders by name."""
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)
        else:
            shutil.copy(source / name, target / name)


def _write_configurations(egs: Path, out: Path) -> None:
    """Files of recipes with what they include in its place, each beside what it was read as."""
    for name, schema in CONFIGS.items():
        path = out / name.replace("/conf/", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(read_yaml(egs / name), sort_keys=False))
        write_json(path.with_suffix(".json"), load_config(path, schema).model_dump())


def _score() -> None:
    """Stage 6 of the two folds."""
    words = {"--exp-dir": EXP, "--pretrain": EXP / "pretrain", "--conf": "conf"}
    words |= {"--systems": SYSTEM, "--seeds": "1", "--folds": "", "--command": "./run.sh"}
    ended = call("score", *(word for option in words.items() for word in option))
    if ended.status:
        raise SerError(ended.err)


def make(out: Path) -> None:
    """Writes everything, in a folder that is not there yet."""
    egs = HERE.parents[1] / "egs"
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        tiny_recipe.build(Path(folder), patch)
        train(SYSTEM)
        predict_all([finetune_run(SYSTEM, fold=fold) for fold in "123"])
        _score()
        pack(packing(folds=("1", "2")), Path("package"))
        export_onnx(
            load(EXP / SYSTEM / "seed1/fold1"),
            Path("model.onnx"),
            features_inside=False,
            int8=False,
        )
        _interrupt(Path("interrupted"))
        _keep(Path(), out, "package", "model.onnx")
        _keep(EXP / SYSTEM / "seed1/fold1", out / "run", "run.json", "model.safetensors")
        _keep(EXP / SYSTEM / "seed1/fold1", out / "run", "bpe.model")
        _keep(EXP, out / "exp", "folds", "predictions", "results.json", "RESULTS.md")
        _keep(Path("interrupted"), out / "interrupted", "checkpoint", "system.yaml")
    _write_configurations(egs, out / "conf")
    expected = {name: said(load(out / name)) for name in ("package", "model.onnx", "run")}
    write_json(out / "expected.json", expected | {"interrupted": resumed(out / "interrupted")})


if __name__ == "__main__":
    logger.setLevel(logging.WARNING)
    target = HERE / ser.__version__
    if target.exists():
        sys.exit(f"{target}: is there; files of a version stay as they are")
    make(target)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(json.dumps({"folder": target.name, "bytes": size, "keys": list(read_json(
        target / "expected.json"))}))  # fmt: skip
