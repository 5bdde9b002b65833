"""Exported networks say what PyTorch says, at any length, and need no torch and no other file."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import cnn_blstm_sa_config, ctc_config, system_config
from tiny_audio import plant_files, run_folder
from tiny_recipe import LABELS

import ser
from ser.base.errors import SerError
from ser.infer.engine import pad
from ser.infer.loading import load
from ser.infer.model import Model
from ser.infer.onnx_engine import load_onnx
from ser.infer.package import FORMAT, OnnxHeader
from ser.infer.page import write_page
from ser.infer.torch_engine import TorchEngine
from ser.infer.windows import Segment
from ser.nn.systems import build_system
from ser.release.export import export_onnx, export_torch

Export = Callable[[str, bool, bool], Path]  # name of a model, features inside, int8
SOURCES = os.fsencode(Path(ser.__file__).parent)  # no file tells where its maker's disk has them
SECONDS = (0.5, 1.0, 3.7, 12.0, 35.0)


def segments() -> list[Segment]:
    rng = np.random.default_rng(0)
    return [
        Segment(f"{s}", (3000 * rng.normal(size=int(s * 16000))).astype(np.float32))
        for s in SECONDS
    ]


@pytest.fixture(scope="module")
def models(trained_recipe: Path, baseline: Model) -> dict[str, Model]:
    """A model with a CTC head, an ensemble of it and an untrained one, and baselines.

    The untrained one has convolutions in front of its CTC head.
    """
    mtl = load(trained_recipe / run_folder("transformer_tl_mtl", "1"))
    assert isinstance(mtl.engine, TorchEngine)
    trained = mtl.engine.networks[0]
    config = system_config("transformer_tl_mtl", ctc=ctc_config(head={"kernel_sizes": [3]}))
    other = build_system(config, len(LABELS.names), len(trained.ctc_head.bias))
    pair = replace(mtl, engine=TorchEngine([trained, other.eval()], temperature=1.3))
    one_layer = cnn_blstm_sa_config(num_lstm_layers=1)
    network = build_system(system_config("cnn_blstm_sa", model=one_layer), len(LABELS.names), None)
    return {
        "mtl": mtl,
        "ensemble": pair,
        "baseline": replace(baseline, longest_seconds=7.0),
        "one_layer": replace(baseline, engine=TorchEngine([network.eval()])),
    }


@pytest.fixture(scope="module")
def exported(models: dict[str, Model], tmp_path_factory: pytest.TempPathFactory) -> Export:
    """Exports a model, with the features inside or not, in 8 bits or not; each once."""
    folder = tmp_path_factory.mktemp("onnx")

    @cache
    def export(name: str, inside: bool, int8: bool) -> Path:
        path = folder / f"{name}-{inside}-{int8}" / "model.onnx"
        path.parent.mkdir()
        export_onnx(models[name], path, inside, int8=int8)
        assert [p.name for p in path.parent.iterdir()] == ["model.onnx"]
        assert SOURCES not in path.read_bytes()
        return path

    return export


@pytest.fixture
def baseline_file(exported: Export) -> Path:
    """The baseline, exported."""
    return exported("baseline", False, False)


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("ensemble", True),
        ("baseline", False),
        pytest.param("mtl", False, marks=pytest.mark.slow),
        pytest.param("one_layer", True, marks=pytest.mark.slow),  # two take a minute to export
    ],
)
def test_onnx_says_the_same(
    models: dict[str, Model],
    exported: Export,
    name: str,
    inside: bool,
) -> None:
    onnx = load(exported(name, inside, False))
    assert (onnx.labels, onnx.longest_seconds) == (LABELS.names, models[name].longest_seconds)
    batched = onnx.predict_segments(segments())
    wanted = models[name].predict_segments(segments())
    for segment, result, expected in zip(segments(), batched, wanted, strict=True):
        assert result.posteriors == pytest.approx(expected.posteriors, abs=1e-4)
        assert result.words == expected.words
        (alone,) = onnx.predict_segments([segment])
        assert alone.posteriors == pytest.approx(result.posteriors, abs=1e-5)
    short = onnx.predict(np.ones(50, np.int16), sample_rate=16000)
    expected_short = models[name].predict(np.ones(50, np.int16), sample_rate=16000)
    assert short.posteriors == pytest.approx(expected_short.posteriors, abs=1e-4)


def test_an_exported_model_is_drawn(exported: Export, tmp_path: Path) -> None:
    write_page(
        load(exported("ensemble", True, False)),
        plant_files(tmp_path)[0],
        tmp_path / "a.html",
        1.0,
        0.5,
    )
    assert "log-mel band" in (tmp_path / "a.html").read_text()


def test_a_model_that_no_onnx_file_holds(
    models: dict[str, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser.release.export.MAX_BYTES", 1000)
    with pytest.raises(SerError, match=r"m\.onnx: .* GB of weights; .* pack fewer --folds"):
        export_onnx(models["mtl"], tmp_path / "m.onnx", features_inside=False, int8=False)
    assert not list(tmp_path.iterdir())


def test_a_program_of_torch_has_no_lstm(models: dict[str, Model], tmp_path: Path) -> None:
    with pytest.raises(SerError, match=r"model.pt2: torch.export knows no LSTM .* \.onnx$"):
        export_torch(models["baseline"], tmp_path / "model.pt2", features_inside=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("inside", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_program_of_torch_says_the_same(
    models: dict[str, Model], tmp_path: Path, inside: bool
) -> None:
    model = models["mtl"]
    export_torch(model, tmp_path / "model.pt2", inside)
    assert SOURCES not in (tmp_path / "model.pt2").read_bytes()
    export_torch(model, tmp_path / "model.pt2", inside)  # an older one of ours is replaced
    program = torch.export.load(tmp_path / "model.pt2").module()
    for segment, expected in zip(segments(), model.predict_segments(segments()), strict=True):
        array = segment.samples if inside else model.features(segment.samples)
        posteriors = program(torch.from_numpy(array)[None], torch.tensor([len(array)]))[0]
        assert posteriors[0].tolist() == pytest.approx(list(expected.posteriors.values()), abs=1e-4)
    shortest = Segment("", segments()[0].samples[: 160 * 3 + 400])  # four frames
    (expected,) = model.predict_segments([shortest])
    array = shortest.samples if inside else model.features(shortest.samples)
    posteriors = program(torch.from_numpy(array)[None], torch.tensor([len(array)]))[0]
    assert posteriors[0].tolist() == pytest.approx(list(expected.posteriors.values()), abs=1e-4)
    three = segments()[:3]  # of different lengths, in one batch
    arrays = [s.samples if inside else model.features(s.samples) for s in three]
    padded, lens = pad(arrays, 0)
    posteriors = program(torch.from_numpy(padded), torch.from_numpy(lens))[0]
    for row, expected in zip(posteriors, model.predict_segments(three), strict=True):
        assert row.tolist() == pytest.approx(list(expected.posteriors.values()), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("inside", [False, True])
def test_int8_holds_integers_and_is_near(
    models: dict[str, Model], exported: Export, inside: bool
) -> None:
    import onnx

    path = exported("mtl", inside, True)
    weights = onnx.load(path).graph.initializer
    quantised = [w for w in weights if w.data_type == onnx.TensorProto.INT8 and len(w.dims) == 2]
    assert len(quantised) == 7  # the products of a block (4), the projection and the two heads
    for result, expected in zip(
        load(path).predict_segments(segments()),
        models["mtl"].predict_segments(segments()),
        strict=True,
    ):
        assert result.posteriors == pytest.approx(expected.posteriors, abs=0.15)
        assert result.posteriors != expected.posteriors


@pytest.mark.slow
def test_int8_leaves_the_features_as_exact_as_they_are(
    exported: Export,
) -> None:
    said = [
        load(exported("mtl", inside, True)).predict_segments(segments()) for inside in (False, True)
    ]
    for outside, within in zip(*said, strict=True):
        assert within.posteriors == pytest.approx(outside.posteriors, abs=0.01)


def test_without_onnxruntime_is_one_line(
    models: dict[str, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime.quantization", None)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    with pytest.raises(SerError, match=r"onnxruntime.* is not installed; .* pip install"):
        export_onnx(models["baseline"], tmp_path / "a.onnx", False, int8=True)
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SerError, match=r"b\.onnx: onnxruntime is not installed; .* pip install"):
        load_onnx(tmp_path / "b.onnx", "cpu", None)


def test_neither_torch_nor_another_file_is_needed(exported: Export, tmp_path: Path) -> None:
    shutil.copy(exported("ensemble", True, False), tmp_path)
    audio = plant_files(tmp_path)[0]
    code = (
        "import sys; sys.modules['torch'] = None\n"
        f"sys.argv[:1] = ['ser-predict', {str(tmp_path / 'model.onnx')!r}, {str(audio)!r}]\n"
        "from ser.bin.ser_predict import program; program()\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert str(audio) in found.stdout
    page = subprocess.run(
        [sys.executable, "-c", code, "--html", "a.html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert page.returncode == 1 and page.stderr.count("\n") == 1
    assert page.stderr.startswith("error: torch is not installed; expected it for --html")


def test_files_that_are_none_of_ours(baseline_file: Path, tmp_path: Path) -> None:
    import onnx

    path = tmp_path / "model.onnx"
    with pytest.raises(SerError, match=r"model\.onnx: no such file"):
        load(path)
    path.write_bytes(b"no graph")
    with pytest.raises(SerError, match=r"model\.onnx: not a readable ONNX file"):
        load(path)
    graph = onnx.load(baseline_file)
    header = OnnxHeader.model_validate_json(graph.metadata_props[0].value)
    newer = header.model_copy(update={"format": FORMAT + 1})
    onnx.helper.set_model_props(graph, {"ser": newer.model_dump_json()})
    onnx.save(graph, path)
    with pytest.raises(SerError, match=r"model\.onnx: written by another version"):
        load(path)
    labels = list(reversed(header.labels))
    onnx.helper.set_model_props(
        graph, {"ser": header.model_copy(update={"labels": labels}).model_dump_json()}
    )
    onnx.save(graph, path)
    with pytest.raises(SerError, match=r"model\.onnx: its labels or features are not those"):
        load(path)
    onnx.helper.set_model_props(graph, {"ser": "no JSON"})
    onnx.save(graph, path)
    with pytest.raises(SerError, match=r"model\.onnx:1: not JSON"):
        load(path)
    onnx.helper.set_model_props(graph, {"other": "x"})
    onnx.save(graph, path)
    with pytest.raises(SerError, match=r"not exported by ser\.bin\.export"):
        load(path)


def test_devices_and_threads(baseline_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    for name in ("meta", "toaster", "cpu:0", "cuda:x"):
        with pytest.raises(SerError, match=f"--device {name}: no device; expected cpu, cuda"):
            load(baseline_file, device=name)
    with pytest.raises(SerError, match="--device cuda: this onnxruntime has no CUDAExecution"):
        load(baseline_file, device="cuda")
    _, alone = load_onnx(baseline_file, "cpu", num_threads=1)
    assert alone.get_session_options().intra_op_num_threads == 1
    asked: list[object] = []

    def session(*_: object, providers: object) -> None:
        asked.append(providers)
        raise SerError("no GPU here")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    with pytest.raises(SerError, match="--device cuda: onnxruntime cannot start CUDAExecution"):
        load(baseline_file, device="cuda")  # it goes on on the CPU without a word
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    with pytest.raises(SerError, match="no GPU here"):
        load(baseline_file, device="cuda:1")
    assert asked == [[("CUDAExecutionProvider", {"device_id": "1"})]]


def test_an_exported_model_is_not_exported_again(baseline_file: Path, tmp_path: Path) -> None:
    with pytest.raises(SerError, match="export: an exported model"):
        export_onnx(load(baseline_file), tmp_path / "b.onnx", False, int8=False)
    assert not (tmp_path / "b.onnx").exists()
