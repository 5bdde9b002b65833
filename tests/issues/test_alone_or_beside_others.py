"""What a model says of an utterance does not depend on what is predicted with it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from tiny import FBANK, system_config, whisper_config, whisper_mel_config

from ser.config.network import ReadoutConfig
from ser.feats.definitions import make_extractor
from ser.infer.engine import pad
from ser.infer.loading import load
from ser.infer.model import Model
from ser.infer.onnx_seal import SEAL
from ser.infer.torch_engine import TorchEngine
from ser.infer.windows import Segment
from ser.nn.systems import build_system
from ser.release.export import export_onnx

LABELS = ("a", "b", "c", "d")
SYSTEMS: dict[str, tuple[str, dict[str, Any]]] = {
    "transformer": ("transformer", {}),
    "cnn_blstm_sa": ("cnn_blstm_sa", {}),
    "whisper": (
        "transformer",
        {
            "model": whisper_config(),
            "readout": ReadoutConfig(type="moments_and_halves", least_loudness=0.3),
        },
    ),
}
SECONDS_AND_LOUDNESS = ((0.03, 3000), (0.6, 300), (1.0, 3000), (1.7, 20), (6.0, 9000))


def untrained(name: str) -> Model:
    """A model of random weights, large enough to have opinions."""
    torch.manual_seed(0)
    system, changes = SYSTEMS[name]
    network = build_system(system_config(system, **changes), len(LABELS), None).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    fbank = make_extractor(whisper_mel_config() if name == "whisper" else FBANK)
    return Model(TorchEngine([network]), LABELS, fbank, None)


def segments() -> list[Segment]:
    """Short and long, soft and loud."""
    draw = np.random.default_rng(0)
    return [
        Segment(f"{seconds}", (loud * draw.normal(size=int(16000 * seconds))).astype(np.float32))
        for seconds, loud in SECONDS_AND_LOUDNESS
    ]


def hold_together_to_alone(model: Model, within: float) -> None:
    """Each utterance alone, and among all the others, in either order."""
    alone = [model.predict_segments([segment])[0].posteriors for segment in segments()]
    together = [result.posteriors for result in model.predict_segments(segments())]
    backwards = [result.posteriors for result in model.predict_segments(segments()[::-1])]
    for one, first, second in zip(alone, together, backwards[::-1], strict=True):
        assert first == pytest.approx(one, abs=within, rel=0)
        assert second == pytest.approx(one, abs=within, rel=0)
    assert len({tuple(one.values()) for one in alone}) == len(alone)


@pytest.mark.parametrize("name", SYSTEMS)
def test_pytorch(name: str) -> None:
    hold_together_to_alone(untrained(name), 1e-5)


@pytest.mark.slow  # the other systems: tests/release/test_export.py
def test_onnx(tmp_path: Path) -> None:
    model, path = untrained("whisper"), tmp_path / "a.onnx"
    export_onnx(model, path, features_inside=True, int8=False)
    hold_together_to_alone(load(path), 1e-5)
    for here, there in zip(
        *(m.predict_segments(segments()) for m in (load(path), model)), strict=True
    ):
        assert here.posteriors == pytest.approx(there.posteriors, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("inside", [False, True])
def test_int8_to_the_last_bit(inside: bool, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "a.onnx"
    export_onnx(untrained("transformer"), path, inside, int8=True)
    model = load(path)
    hold_together_to_alone(model, 0)
    padded, lens = pad([model.engine_input(s.samples) for s in segments()[1:]], 0)
    session = onnxruntime.InferenceSession(str(path))
    names = [given.name for given in session.get_inputs()]
    with pytest.raises(Exception, match=r"Got: 4 Expected: 1"):  # of other programs too
        session.run(None, dict(zip(names, (padded, lens), strict=True)))

    # Files of earlier versions take more at a time, and depend on it.
    graph = onnx.load(path)
    for given in graph.graph.input:
        given.type.tensor_type.shape.dim[0].dim_param = "batch"
    (seal,) = (entry for entry in graph.metadata_props if entry.key == SEAL)
    graph.metadata_props.remove(seal)
    onnx.save(graph, path)
    session = onnxruntime.InferenceSession(str(path))
    (together,) = session.run(None, dict(zip(names, (padded, lens), strict=True)))
    (alone,) = session.run(None, dict(zip(names, (padded[:1], lens[:1]), strict=True)))
    assert np.abs(together[:1] - alone).max() > 1e-5
    hold_together_to_alone(load(path), 0)
