"""A model as an ONNX graph or a program of ``torch.export``, with the features inside or not."""

import base64
import contextlib
import io
import json
import logging
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

import ser
from ser.base.errors import SerError
from ser.base.files import with_digest
from ser.base.writing import atomic_file, require_own_file
from ser.infer.model import Model
from ser.infer.onnx_engine import HEADER, MAX_BYTES
from ser.infer.onnx_seal import SEAL, UNSEALED, seal_onnx
from ser.infer.package import FORMAT, OnnxHeader
from ser.infer.torch_engine import Network, TorchEngine, ensemble, have_one_encoder
from ser.nn.mask import length_mask
from ser.release.feature_layers import FeatureLayer, make_feature_layer

OPSET = 18
EXAMPLE_FRAMES = (45, 30)  # of the utterances that are traced, step by step in an LSTM: few
# torch.export takes a length of one encoder frame for no length: less is padded, and masked.
SHORTEST_FRAMES = 32
FEATURES = "fbank."  # how the graph names the buffers of the features' layer


class Exported(nn.Module):
    """What the graph computes: an ensemble, and in front of it the features where wanted."""

    def __init__(
        self,
        networks: Sequence[Network],
        temperature: float,
        fbank: FeatureLayer | None,
        num_padding: int,
    ) -> None:
        super().__init__()
        self.num_padding = num_padding
        self.networks = nn.ModuleList(networks)
        self.temperature = temperature
        self.encodes_once = have_one_encoder(networks)
        self.fbank = fbank

    def forward(self, x: torch.Tensor, lens: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Utterances, padded at the end, to probabilities.

        Args:
            x: Features (B, T, F), normalised, or samples (B, N) in 16-bit scale.
            lens: (B,) frames or samples.

        Returns:
            Posteriors (B, C), and with a CTC head token probabilities (B, S, V) and their lengths.
        """
        if self.fbank is not None:
            x, lens = self.fbank(x, lens)
            mask = length_mask(lens, x.shape[1])[:, :, None]
            if self.fbank.normalisation == "utterance_mean":
                x = x - (x * mask).sum(dim=1, keepdim=True) / lens[:, None, None]
            x = x * mask
        if self.num_padding:
            x = nn.functional.pad(x, (0, 0, 0, self.num_padding))
        posteriors, ctc, frame_lens = ensemble(
            self.networks, x, lens, self.temperature, self.encodes_once
        )
        return (posteriors,) if ctc is None else (posteriors, ctc, frame_lens)


def _prepare(
    model: Model, features_inside: bool, num_padding: int = 0
) -> tuple[Exported, tuple[Any, ...], Any]:
    """The module, an example and which of its dimensions vary.

    Args:
        model: A package or a run.
        features_inside: Whether it takes samples.
        num_padding: Frames of silence that it puts behind all utterances of a batch.
    """
    if not isinstance(model.engine, TorchEngine):
        raise SerError("export: an exported model; expected a package, or a run of stage 4")
    layer = make_feature_layer(model.fbank.config) if features_inside else None
    module = Exported(model.engine.networks, model.engine.temperature, layer, num_padding).eval()
    lens = torch.tensor(EXAMPLE_FRAMES)
    shape: tuple[int, ...] = (len(lens), int(lens.max()), model.fbank.config.num_mel_bins)
    if layer is not None:
        lens = torch.tensor([model.fbank.num_samples(n) for n in EXAMPLE_FRAMES])
        shape = (len(lens), int(lens.max()))
    example = 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    varies = torch.export.Dim.DYNAMIC
    return module, (example, lens), ({0: varies, 1: varies}, {0: varies})


def export_torch(model: Model, out: Path, features_inside: bool) -> None:
    """Writes a program of ``torch.export``: ``torch.export.load(out).module()(x, lens)``.

    Raises:
        SerError: The model is an exported one, or holds an LSTM, of which the program would have
            as many steps as the example; or something else is in the place of the file.
    """
    require_own_file(out, _is_own_program)
    module, example, dynamic = _prepare(model, features_inside, SHORTEST_FRAMES - 1)
    if any(isinstance(part, nn.LSTM) for part in module.modules()):
        raise SerError(
            f"{out}: torch.export knows no LSTM over utterances of any length; expected a system "
            "without one, or a path that ends in .onnx"
        )
    with torch.no_grad():
        program = torch.export.export(module, example, dynamic_shapes=dynamic)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths on this disk
    content = io.BytesIO()  # on a full disk PyTorch's own writer ends the process
    torch.export.save(program, content, extra_files={HEADER: ser.__version__})
    with atomic_file(out) as partial:
        partial.write_bytes(content.getbuffer())


def _is_own_program(path: Path) -> bool:
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as file:
        return any(name.endswith(f"/extra/{HEADER}") for name in file.namelist())
    return False


def export_onnx(model: Model, out: Path, features_inside: bool, int8: bool) -> None:
    """Writes one ONNX file that ``ser-predict`` takes as a model; it needs no other.

    Args:
        model: A package or a run of stage 4.
        out: The file; one that is no export is not replaced.
        features_inside: Whether it takes samples instead of features.
        int8: Whether weights of products are 8-bit integers, activations quantised as they come:
            relative to their own largest values, so that the graph takes one utterance at a time.

    Raises:
        SerError: The packages of the extra ``onnx`` are missing, or the model is an exported one.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  # torch.onnx needs it

        if int8:
            import onnxruntime.quantization  # noqa: F401  # named here when it is missing
    except ImportError as error:
        raise SerError(
            f"{out}: {error.name} is not installed; expected onnx and onnxscript for an export, "
            "and onnxruntime for --int8; pip install onnx onnxruntime onnxscript"
        ) from error
    require_own_file(out, _is_own_onnx)
    _require_room(model, out)
    module, example, dynamic = _prepare(model, features_inside)
    networks = module.networks
    with_ctc = model.tokenizer is not None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own code
        program = torch.onnx.export(
            module,
            example,
            dynamo=True,
            dynamic_shapes=dynamic,
            input_names=["samples" if features_inside else "feats", "lens"],
            output_names=["posteriors", "ctc", "ctc_lens"] if with_ctc else ["posteriors"],
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    graph = program.model_proto
    _forget_sources(graph.graph)
    header = OnnxHeader(
        format=FORMAT,
        labels=list(model.labels),
        fbank=model.fbank.config,
        features_inside=features_inside,
        longest_seconds=model.longest_seconds,
        speaker_prior=None if model.num_enrolled else model.speaker_prior,
        min_frames=int(networks[0].min_frames),  # type: ignore[arg-type]  # an int of ours
        bpe=base64.b64encode(model.tokenizer.model).decode() if model.tokenizer else "",
        digest="",
    )
    properties = {HEADER: json.dumps(with_digest(header.model_dump())), SEAL: UNSEALED}
    with atomic_file(out) as partial:
        if int8:
            _quantise(graph, partial)
            graph = onnx.load(partial)
            for given in graph.graph.input:  # nothing else may be in the batch
                given.type.tensor_type.shape.dim[0].dim_value = 1
        onnx.helper.set_model_props(graph, properties)
        partial.write_bytes(seal_onnx(graph.SerializeToString()))


def _require_room(model: Model, out: Path) -> None:
    networks = model.engine.networks if isinstance(model.engine, TorchEngine) else ()
    parameters = {p: p.numel() for network in networks for p in network.parameters()}
    size = 4 * sum(parameters.values())
    if size > MAX_BYTES:
        raise SerError(
            f"{out}: {size / 1e9:.1f} GB of weights; an ONNX file holds at most "
            f"{MAX_BYTES / 1e9:.1f} GB; expected a smaller model; pack fewer --folds, or their "
            "--average, or export to .pt2"
        )


def _is_own_onnx(path: Path) -> bool:
    """By a key of its header; a whole look at it is for who reads it."""
    return b'"features_inside"' in path.read_bytes()


def _forget_sources(graph: Any) -> None:
    """Takes from a graph the lines of code that its parts came from, with this disk's paths."""
    for items in (graph.node, graph.value_info, graph.initializer, graph.input, graph.output):
        for item in items:
            item.ClearField("metadata_props")


def _quantise(graph: Any, out: Path) -> None:
    """Writes the graph with weights of 8 bits; the features, which are no weights, stay as exact.

    The energies of a frame span ten orders of magnitude: 8 bits of their products would be noise.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    exact = [n.name for n in graph.graph.node if any(x.startswith(FEATURES) for x in n.input)]
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it recommends a step that changes nothing here
    try:
        quantize_dynamic(
            graph,
            out,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
            nodes_to_exclude=exact,
        )
    finally:
        root.setLevel(level)
