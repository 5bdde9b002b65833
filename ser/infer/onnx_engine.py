"""onnxruntime runs an exported network. Needs no torch."""

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.base.files import digest_holds, first_fault, parse_json, parsing, read_bytes
from ser.infer.engine import Output, pad, parse_device
from ser.infer.onnx_seal import check_seal, tell_unsealed
from ser.infer.package import FORMAT, OnnxHeader

HEADER = "ser"  # the key of our metadata
MAX_BYTES = 2 << 30  # of a protobuf
QUANTISER = "onnx.quantize"  # the producer that onnxruntime's quantisation leaves in a graph


@dataclass(frozen=True)
class OnnxEngine:
    """A session of onnxruntime.

    Attributes:
        session: The graph: features or samples and their lengths in; posteriors and, with a CTC
            head, token probabilities and their lengths out.
        least: Fewest rows of a batch.
    """

    session: Any
    least: int

    def __call__(self, inputs: Sequence[Floats]) -> list[Output]:
        """As ``Engine``.

        A quantised graph is given one utterance at a time: the scale of its 8-bit activations is
        that of all that it is given together, padding too.
        """
        if self.session.get_modelmeta().producer_name == QUANTISER:
            return [output for one in inputs for output in self._run([one])]
        return self._run(inputs)

    def _run(self, inputs: Sequence[Floats]) -> list[Output]:
        padded, lens = pad(inputs, self.least)
        names = [node.name for node in self.session.get_inputs()]
        posteriors, *words = self.session.run(None, dict(zip(names, (padded, lens), strict=True)))
        if not words:
            return [Output(row, None) for row in posteriors]
        ctc, sizes = words
        return [
            Output(row, ctc[i, :size])
            for i, (row, size) in enumerate(zip(posteriors, sizes, strict=True))
        ]


def load_onnx(path: Path, device: str, num_threads: int | None) -> tuple[OnnxHeader, Any]:
    """Reads an ONNX file of ours.

    Returns:
        What it says of itself, and its session.

    Raises:
        SerError: onnxruntime is not installed, the device is not there, or the file is missing, no
            ONNX, none of ours, or damaged.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise SerError(
            f"{path}: onnxruntime is not installed; expected it for .onnx files; pip install "
            "onnxruntime"
        ) from error
    kind, index = parse_device(device)
    if not path.is_file():
        raise SerError(f"{path}: no such file; expected an ONNX file of ser.bin.export")
    graph = read_bytes(path, MAX_BYTES)  # in memory it has no folder, whose files it could name
    sealed = check_seal(path, graph)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Threads that wait do not spin: others may want their cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if num_threads:
        options.intra_op_num_threads = num_threads
    provider, place = "CPUExecutionProvider", {}
    if kind == "cuda":
        provider, place = "CUDAExecutionProvider", {"device_id": str(index)}
    if provider not in onnxruntime.get_available_providers():
        raise SerError(f"--device {device}: this onnxruntime has no {provider}; use cpu")
    with parsing(path, "not a readable ONNX file", "fetch it again"):
        with contextlib.redirect_stdout(sys.stderr):  # on which it tells what ends a GPU's start
            session = onnxruntime.InferenceSession(graph, options, providers=[(provider, place)])
        metadata = session.get_modelmeta().custom_metadata_map
    if provider not in session.get_providers():  # else it would run on the CPU
        raise SerError(f"--device {device}: onnxruntime cannot start {provider}; use cpu")
    header = _header(path, metadata)
    _check_graph(path, header, session)
    if not sealed:
        tell_unsealed(path, metadata.keys() - {HEADER})
    return header, session


def _check_graph(path: Path, header: OnnxHeader, session: Any) -> None:
    """Checks inputs and outputs against what the header says of them."""
    inputs = [node.shape for node in session.get_inputs()]
    outputs = [node.shape for node in session.get_outputs()]
    last = None if header.features_inside else header.fbank.num_mel_bins
    rank = 2 if header.features_inside else 3
    fits = (
        len(inputs) == 2
        and len(inputs[0]) == rank
        and (last is None or inputs[0][-1] in (last, None) or isinstance(inputs[0][-1], str))
    )
    if not fits:
        raise SerError(
            f"{path}: the graph takes {inputs}; expected {rank} dimensions"
            f"{f', {last} bands,' if last else ''} and lengths; export the model again"
        )
    if len(outputs) != (3 if header.bpe else 1) or outputs[0][-1:] != [len(header.labels)]:
        raise SerError(
            f"{path}: the graph gives {outputs}; expected {len(header.labels)} posteriors, one for "
            f"each label,{' and tokens with lengths' if header.bpe else ''}; export the model again"
        )


def _header(path: Path, metadata: dict[str, str]) -> OnnxHeader:
    """What the file says of itself."""
    if HEADER not in metadata:
        raise SerError(f"{path}: not exported by ser.bin.export; export the model again")
    values = parse_json(metadata[HEADER], path, "export the model again")
    try:
        header = OnnxHeader.model_validate(values)
    except ValidationError as error:
        raise SerError(
            f"{path}: written by another version (this one reads format {FORMAT}), or edited: "
            f"{first_fault(error)}; install a newer ser, or export the model again"
        ) from error
    if not digest_holds(values):
        raise SerError(
            f"{path}: its labels or features are not those that were exported (the SHA-256 "
            "differs); fetch it again"
        )
    return header
