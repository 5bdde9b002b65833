"""Folds on one frozen encoder: a package has it once, and it runs once for all of them."""

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from tiny_audio import packing, plant_files, train
from tiny_recipe import change_system

from ser.base.errors import SerError
from ser.config.network import ReadoutConfig
from ser.infer.loading import load
from ser.nn.encoder_base import Encoder
from ser.nn.weights import load_weights
from ser.release.export import export_onnx
from ser.release.pack import pack

pytestmark = pytest.mark.usefixtures("recipe")
NAME = "transformer_tl"


def test_a_frozen_encoder_is_packed_once_and_runs_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_system(NAME, readout=ReadoutConfig(type="mean_sd"), optimizer__frozen=["encoder"])
    system = train(NAME)
    pack(packing(NAME), tmp_path / "model")
    whole = load_weights(system / "seed1" / "fold1" / "model.safetensors")
    shared = load_weights(tmp_path / "model" / "shared.safetensors")
    assert {name for name in whole if name.startswith("encoder.")} <= set(shared)
    own = set(load_weights(tmp_path / "model" / "fold2.safetensors"))
    assert own | set(shared) == set(whole) and not own & set(shared)

    files = plant_files(tmp_path)
    singles = [load(system / "seed1" / f"fold{k}") for k in "123"]
    expected = [
        np.mean([list(one.predict(path).posteriors.values()) for one in singles], axis=0)
        for path in files
    ]
    runs = []
    layers = Encoder.layers
    monkeypatch.setattr(Encoder, "layers", lambda *args: runs.append(1) or layers(*args))
    packed = load(tmp_path / "model")
    found = [list(packed.predict(path).posteriors.values()) for path in files]
    assert len(runs) == len(files)
    np.testing.assert_allclose(found, expected, atol=1e-6)

    held = []
    for number, model in enumerate((packed, singles[0])):
        exported = tmp_path / f"{number}.onnx"
        export_onnx(model, exported, features_inside=False, int8=False)
        held.append(sum(math.prod(w.dims) for w in onnx.load(exported).graph.initializer))
    encoder = sum(t.numel() for name, t in whole.items() if name.startswith("encoder."))
    assert held[0] - held[1] < encoder / 2  # two more heads
    found = [list(load(tmp_path / "0.onnx").predict(path).posteriors.values()) for path in files]
    np.testing.assert_allclose(found, expected, atol=1e-5)

    (tmp_path / "model" / "shared.safetensors").unlink()
    with pytest.raises(SerError, match=r"shared\.safetensors: no such file; fetch the package"):
        load(tmp_path / "model")


@pytest.mark.parametrize("name", [NAME, "transformer_tl_mtl"])
def test_members_with_vectors_and_heads_of_their_own_keep_these(name: str, tmp_path: Path) -> None:
    """One frozen encoder, but each member puts its own x_e in front of its input."""
    change_system(name, optimizer__frozen=["encoder"])
    system = train(name)
    pack(packing(name), tmp_path / "model")
    packed = load(tmp_path / "model")
    assert len({id(network.encoder) for network in packed.engine.networks}) == 1
    singles = [load(system / "seed1" / f"fold{k}") for k in "123"]
    for path in plant_files(tmp_path):
        result = packed.predict(path)
        each = [one.predict(path) for one in singles]
        rows = np.array([list(one.posteriors.values()) for one in each])
        assert rows.std(axis=0).max() > 1e-6, "they differ"
        found = list(result.posteriors.values())
        np.testing.assert_allclose(found, rows.mean(axis=0), atol=1e-6)
        assert (result.words is None) == (name == NAME)


def test_members_with_encoders_of_their_own_keep_them(tmp_path: Path) -> None:
    train(NAME)
    pack(packing(NAME), tmp_path / "model")
    networks = load(tmp_path / "model").engine.networks
    assert len({id(network.encoder) for network in networks}) == 3
