"""Packages and ONNX files that somebody forged are refused when they are loaded."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from readers import HEADER, MANIFEST

from ser.base.errors import SerError
from ser.base.files import digest_holds, with_digest
from ser.infer.loading import load
from ser.infer.onnx_engine import _check_graph, _header
from ser.infer.package import MAX_FILE_BYTES, read_package


@pytest.mark.parametrize(
    "change",
    [
        {"fbank": MANIFEST["fbank"] | {"num_mel_bins": 40}},
        {"fbank": MANIFEST["fbank"] | {"frame_length_ms": 1e9}},
        {"fbank": MANIFEST["fbank"] | {"sample_rate_hz": 10**9}},
        {
            "config": MANIFEST["config"]
            | {"model": MANIFEST["config"]["model"] | {"num_blocks": 10**6}}
        },
        {"temperature": 1e-300},
        {"temperature": 1e300},
        {"temperature": 0},
        {"labels": ["ang", "ang"]},
        {"labels": ["ang", ""]},
        {"labels": ["ang", "\u001b[31mred"]},
        {"members": ["a.safetensors"] * 1000},
        {"members": []},
        {"members": ["../a.safetensors"]},
        {"members": ["/etc/passwd"]},
        {"members": ["a\0b"]},
        {"members": ["a" * 5000]},
        {"members": ["missing.safetensors"]},
        {"format": True},
        {"format": "1"},
        {"more": 1},
    ],
)
def test_manifests(change: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps(with_digest(MANIFEST | change)))
    with pytest.raises(SerError) as error:
        read_package(tmp_path)
    assert "''" not in str(error.value)
    assert len(str(error.value)) < 1000


def test_a_sparse_file_is_not_read_for_hours(package: Path) -> None:
    os.truncate(package / "fold1.safetensors", MAX_FILE_BYTES + 10**9)
    with pytest.raises(SerError, match=r"fold1\.safetensors: 65 GB; expected at most 64"):
        read_package(package)


@pytest.mark.parametrize(
    "change",
    [
        {"bpe": "abc"},
        {"bpe": "é"},
        {"labels": ["ang", "ang"]},
        {"labels": []},
        {"min_frames": -(10**6)},
        {"min_frames": 10**7},
        {"format": 0},
    ],
)
def test_headers(change: dict[str, Any]) -> None:
    with pytest.raises(SerError) as error:
        _header(Path("m.onnx"), {"ser": json.dumps(with_digest(HEADER | change))})
    assert str(error.value).startswith("m.onnx: ")
    assert f"'{next(iter(change))}" in str(error.value)


def shapes(*given: list[Any]) -> list[SimpleNamespace]:
    return [SimpleNamespace(shape=shape) for shape in given]


@pytest.mark.parametrize(
    ("inside", "inputs", "outputs"),
    [
        (True, shapes(["b", "n"], ["b"]), shapes(["b", 3])),  # two labels
        (True, shapes(["b", "n"], ["b"]), shapes(["b", 2], ["b", "s", 9], ["b"])),  # no BPE
        (True, shapes(["b", "t", 80], ["b"]), shapes(["b", 2])),  # features, not samples
        (False, shapes(["b", "t", 40], ["b"]), shapes(["b", 2])),
        (False, shapes(["b", "n"], ["b"]), shapes(["b", 2])),
        (False, shapes(["b", "t", 80]), shapes(["b", 2])),
    ],
)
def test_graphs_unlike_their_header(inside: bool, inputs: Any, outputs: Any) -> None:
    header = _header(
        Path("m.onnx"), {"ser": json.dumps(with_digest(HEADER | {"features_inside": inside}))}
    )
    session = SimpleNamespace(get_inputs=lambda: inputs, get_outputs=lambda: outputs)
    with pytest.raises(SerError, match=r"m\.onnx: the graph (takes|gives)"):
        _check_graph(Path("m.onnx"), header, session)


@pytest.mark.parametrize("kind", ["custom op", "external"])
def test_graphs_that_reach_outside(kind: str, tmp_path: Path) -> None:
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    node = helper.make_node("Add", ["x", "w"], ["y"])
    if kind == "custom op":
        node = helper.make_node("Evil", ["x"], ["y"], domain="evil")
    else:
        weight.ClearField("float_data")
        weight.data_location = TensorProto.EXTERNAL
        (tmp_path / "beside").write_bytes(b"\0" * 4)
        for key, value in (("location", "beside"), ("offset", "0"), ("length", "4")):
            weight.external_data.add(key=key, value=value)
    graph = helper.make_graph([node], "g", [given], [out], [weight])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("evil", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert onnx.load(tmp_path / "m.onnx", load_external_data=False).graph.name == "g"
    with pytest.raises(SerError, match=r"m\.onnx: not a readable ONNX file"):
        load(tmp_path / "m.onnx")


def test_half_a_character_never_had_a_digest() -> None:
    assert digest_holds(with_digest({"a": "\u00e9"}))
    assert not digest_holds({"a": "\ud800", "digest": ""})
