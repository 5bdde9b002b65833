"""A damaged model is refused at load; what is not finite is an error, never a line of results."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from programs import call
from tiny import ark_reader, training_config
from tiny_audio import untrained_model
from tiny_recipe import EXP

from ser.base.errors import SerError
from ser.data.utterances import Utterance
from ser.infer.engine import Output
from ser.infer.loading import load, read_run
from ser.infer.model import Model
from ser.infer.onnx_seal import SEAL, UNSEALED, seal_onnx
from ser.infer.torch_engine import Network, load_network
from ser.nn.emotion import EmotionOutput
from ser.nn.weights import load_weights, save_weights
from ser.predict.networks import predict_utterances

RUN = EXP / "cnn_blstm_sa" / "seed1" / "fold1"


def flip(path: Path, place: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


@pytest.mark.usefixtures("trained")
def test_a_flipped_bit_of_a_run() -> None:
    load(RUN)
    path = RUN / "model.safetensors"
    flip(path, path.stat().st_size - 5)
    said = r"fold1: model\.safetensors was changed; expected what stage 4 wrote"
    with pytest.raises(SerError, match=said):
        load(RUN)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision(trained: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    network = load_network_of(RUN, tmp_path, lambda weights: weights.to(dtype))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex64, torch.float8_e4m3fn])
def test_weights_of_another_precision(trained: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    with pytest.raises(SerError, match=r"is (float64|complex64|float8_e4m3fn); expected float32, "):
        load_network_of(RUN, tmp_path, lambda weights: weights.to(dtype))


def load_network_of(
    run: Path, folder: Path, change: Callable[[torch.Tensor], torch.Tensor]
) -> Network:
    weights = {n: change(t) for n, t in load_weights(run / "model.safetensors").items()}
    save_weights(folder / "model.safetensors", weights)
    found = read_run(run)
    names = found.labels.names
    return load_network(
        found.system, len(names), None, folder / "model.safetensors", torch.device("cpu")
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of version 0.1.0 that is kept for the tests, with the digest that exports have."""
    import onnx

    graph = onnx.load(Path(__file__).parents[1] / "versions" / "0.1.0" / "model.onnx")
    known = {one.key: one.value for one in graph.metadata_props}
    onnx.helper.set_model_props(graph, known | {SEAL: UNSEALED})
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    path.write_bytes(seal_onnx(graph.SerializeToString()))
    return path


def test_a_flipped_bit_anywhere_in_an_onnx_file(exported: Path, tmp_path: Path) -> None:
    load(exported)
    data, path = exported.read_bytes(), tmp_path / "model.onnx"
    places = random.Random(5).sample(range(len(data)), 40)
    seal = data.rfind(SEAL.encode())
    places += [seal, seal + 3, seal + len(SEAL) + 5, seal + len(SEAL) + 40]
    for place in places:
        path.write_bytes(data)
        flip(path, place, place % 8)
        with pytest.raises(
            SerError, match=r"model\.onnx: .*fetch it again|model\.onnx: written by"
        ):
            load(path)


def nan_model() -> Model:
    def engine(inputs: object) -> list[Output]:
        return [Output(np.full(2, np.nan, np.float32), None) for _ in inputs]  # type: ignore

    plain = untrained_model()
    return Model(engine, plain.labels, plain.fbank, None)


def test_posteriors_that_are_not_finite_are_an_error() -> None:
    with pytest.raises(SerError, match=r"^samples: the model's posteriors are not finite"):
        nan_model().predict(np.ones(16000, np.float32), sample_rate=16000)


@pytest.mark.parametrize("words", [(), ("--window", "1")])
def test_huge_samples_are_one_line_and_the_others_go_on(
    package: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    noise = np.random.default_rng(0).normal(size=16000).astype(np.float32)
    huge, good = tmp_path / "huge.wav", tmp_path / "good.wav"
    soundfile.write(huge, noise * 1e30, 16000, subtype="FLOAT")
    soundfile.write(good, noise * 0.1, 16000)
    said = call("ser_predict", package, huge, good, "--format", "json", *words)
    assert said.status == 1 and "NaN" not in said.out
    assert said.out.count('"path"') == 1 and str(good) in said.out
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and f"{huge}: the model's posteriors are not finite" in errors[0]


@pytest.mark.usefixtures("trained")
def test_weights_that_are_not_finite_are_told_at_load() -> None:
    path = RUN / "model.safetensors"
    weights = load_weights(path)
    name = next(name for name, tensor in weights.items() if tensor.is_floating_point())
    weights[name].view(-1)[0] = torch.nan
    save_weights(path, weights)
    from tiny import reseal

    reseal(RUN)
    with pytest.raises(SerError, match=r"model\.safetensors: 1 of \d+ tensors are not finite"):
        load(RUN)


def test_stage_5_writes_no_posteriors_that_are_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = EmotionOutput(torch.full((1, 4), torch.nan), None, torch.ones(1, dtype=torch.int64))
    monkeypatch.setattr("ser.predict.networks.run_emotion_model", lambda *_: output)
    feats = ark_reader(tmp_path, {"a-1": np.zeros((3, 80), np.float32)})
    utterances, training = [Utterance("a-1", 3)], training_config()
    with pytest.raises(SerError, match=r"^a-1: the model's posteriors are not finite"):
        list(predict_utterances(torch.nn.Linear(1, 1), utterances, feats, None, training))
