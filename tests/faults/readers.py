"""The readers of files that others wrote, each with valid files to start from."""

import io
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st
from tiny import FBANK, system_config
from torch import nn

from ser.audio.audio_ark import place_in_ark
from ser.base.errors import SerError
from ser.base.files import digest_file, read_json, with_digest
from ser.base.record import read_record, read_started
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.yaml_file import read_yaml
from ser.corpus.parsers.esd import _read_texts
from ser.corpus.parsers.iemocap import _read_evaluations
from ser.corpus.parsers.parsing import read_rows
from ser.infer.inputs import audio_inputs
from ser.infer.onnx_engine import _header
from ser.infer.package import FORMAT, read_package
from ser.kaldi.ark import ArkReader, ArkWriter, encode
from ser.kaldi.table import read_given_table, read_table
from ser.release.card import table_row
from ser.score.predictions.table import read_prediction_file
from ser.score.report.provenance import read_curve
from ser.text.bpe import Tokenizer
from ser.train.engine.checkpoint import STATE_FILES, Progress, load_checkpoint, save_checkpoint

MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)


@dataclass(frozen=True)
class Reader:
    """A reader.

    Attributes:
        file: What its file is called.
        read: Reads it.
        seeds: Valid files.
    """

    file: str
    read: Callable[[Path], object]
    seeds: Sequence[bytes]


def _ark(path: Path) -> object:
    return ArkReader({"u": f"{path}:0"}, path)["u"]


def _scp(path: Path) -> object:
    return [ArkReader(table, path)[utt] for table in [read_table(path)] for utt in table]


def _audio_ark(path: Path) -> object:
    place = place_in_ark(f"{path}:0")
    return place and place.read("u")


def _unfinished(path: Path) -> object:
    path.with_name(".feats.ark.partial").write_bytes(bytes(100))
    with ArkWriter(path.parent, "float32") as writer:
        return writer.num_frames


def _trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return model, optimizer


def _optimizer_file() -> bytes:
    file = io.BytesIO()
    torch.save(_trained()[1].state_dict(), file)
    return file.getvalue()


def _checkpoint(folder: Path, name: str, content: bytes) -> object:
    """A checkpoint of which one file is replaced, its digests fitting."""
    model, optimizer = _trained()
    if not folder.exists():
        save_checkpoint(folder, model, optimizer, Progress(epoch=1))
    (folder / name).write_bytes(content)
    stored = read_json(folder / "progress.json")
    if isinstance(stored, dict):
        stored["digests"] = {file: digest_file(folder / file) for file in STATE_FILES}
        (folder / "progress.json").write_text(json.dumps(stored))
    return load_checkpoint(folder, model, optimizer)


def _progress(path: Path) -> object:
    return _checkpoint(path.parent / "checkpoint", "progress.json", path.read_bytes())


def _optimizer(path: Path) -> object:
    return _checkpoint(path.parent / "checkpoint", "optimizer.pt", path.read_bytes())


def _package(path: Path) -> object:
    values = read_json(path)
    if isinstance(values, dict):  # who forges one writes a digest that fits
        path.write_text(json.dumps(with_digest(values)))
    return read_package(path.parent)


def _onnx(path: Path) -> object:
    return _header(path, {"ser": path.read_text("utf-8", "replace")}).bpe


def _rows(path: Path) -> object:
    return read_rows(path, ["file", "emotion"])


def _results(path: Path) -> object:
    (path.parent / "results.json").write_bytes(path.read_bytes())
    return table_row(path.parent / "s", 1, {})


def _record(**values: object) -> bytes:
    record = {"identity": "a", "stage": 1, "config": {}, "inputs": {"data": "b"}, "notes": {}}
    sealed = {"feats.ark": {"bytes": 3, "sha256": "c"}}
    return json.dumps(record | {"outputs": sealed} | values).encode()


MANIFEST = {
    "format": FORMAT,
    "ser_version": "1",
    "system": "s",
    "config": system_config("transformer").model_dump(),
    "labels": ["ang", "sad"],
    "fbank": FBANK.model_dump(),
    "members": ["a.safetensors"],
    "temperature": 1.0,
    "trained_on": {},
    "digests": {},
}
HEADER = {
    "format": FORMAT,
    "labels": ["ang", "sad"],
    "fbank": FBANK.model_dump(),
    "features_inside": True,
    "min_frames": 5,
    "bpe": "",
}
ROW = {"wa": 0.5, "ua": 0.5, "wa_interval": None, "ua_interval": [0.1, 0.9]}
RESULTS = {"systems": {"s": ROW | {"num_utts": 3, "seeds": ["1"]}}, "digests": {}}
PROGRESS = {"progress": {"epoch": 1, "sums": {"loss": 1.0}}, "digests": {"model.safetensors": "a"}}
EVALUATION = (
    b"[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]\n"
    b"C-E2:\tNeutral;\t()\nC-F1:\tNeutral; Sadness;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n"
)
PREDICTIONS = (
    b"utt\tspk\tsession\tfold_list\tref\thyp\tpost_ang\tpost_sad\tref_text\n"
    b"a\ts\t1\tfold1@0123456789abcdef\tang\tang\t0.75\t0.25\tA WORD\n"
)
YAML = b"classes:\n  ang: [anger, x]\n  sad: &a [sadness]\nexclude: [oth]\n"

READERS = {
    "ark": Reader("feats.ark", _ark, [encode(MATRIX, s) for s in ("float32", "kaldi_compressed")]),
    "feats.scp": Reader("feats.scp", _scp, [b"a feats.ark:2\nb x.ark:99\n"]),
    "unfinished ark": Reader(".feats.scp.partial", _unfinished, [b"a 3 2\nb 4 60\n"]),
    "audio ark": Reader("wav.ark", _audio_ark, [b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0"]),
    "table": Reader("utt2spk", read_table, [b"a-1 a\nb-2 b\n"]),
    "given table": Reader("text", read_given_table, [b"a-1  A WORD\r\nb-2\tB\n"]),
    "CSV": Reader("t.csv", _rows, [b'file,emotion\na.wav,"ang"\nb.wav,sad\n']),
    "YAML": Reader("labels.yaml", read_yaml, [YAML]),
    "labels.yaml": Reader("labels.yaml", lambda path: load_config(path, LabelsConfig), [YAML]),
    "JSON": Reader("x.json", read_json, [b'{"a": [1, 2.5e3, "\\u00e9", null, true]}']),
    "run.json": Reader("run.json", lambda path: read_record(path.parent), [_record()]),
    "started.json": Reader(
        "started.json", lambda path: read_started(path.parent), [_record(num_threads=2)]
    ),
    "results.json": Reader("r.json", _results, [json.dumps(RESULTS).encode()]),
    "progress.json": Reader("p.json", _progress, [json.dumps(PROGRESS).encode()]),
    "optimizer.pt": Reader("o.pt", _optimizer, [_optimizer_file()]),
    "package.json": Reader("package.json", _package, [json.dumps(MANIFEST).encode()]),
    "ONNX header": Reader("m.onnx", _onnx, [json.dumps(with_digest(HEADER)).encode()]),
    "bpe.model": Reader("bpe.model", Tokenizer.load, [b"\n\x0e\n\5<unk>\x15\0\0\0\0\x18\2"]),
    "wav.scp": Reader("wav.scp", lambda p: audio_inputs([str(p)]), [b"a /x/a.wav\nb b.wav\n"]),
    "train.jsonl": Reader(
        "train.jsonl", lambda p: read_curve(p.parent), [b'{"scope": "epoch", "epoch": 1}\n']
    ),
    "predictions": Reader("p.tsv", read_prediction_file, [PREDICTIONS]),
    "IEMOCAP's evaluation": Reader(
        "e.txt", lambda path: _read_evaluations(path.parent), [EVALUATION]
    ),
    "ESD's sentences": Reader(
        "0011.txt",
        lambda path: _read_texts(path, is_english=True),
        [b"0011_000001\tA word.\tNeutral\n"],
    ),
}

# What made a reader fail, or fill memory, before it was mended.
FOUND = [
    ("run.json", b"{}"),
    ("run.json", _record(outputs={"a": 3})),
    ("run.json", b"[" * 100_000),
    ("started.json", b"{}"),
    ("progress.json", b"[]"),
    ("progress.json", b'{"progress": {"epoch": -1}, "digests": {}}'),
    ("optimizer.pt", b"\x80\2]q\0."),
    ("JSON", b'{"a": ' + b"9" * 5000 + b"}"),
    ("JSON", b'"\\ud800"'),
    ("YAML", b"a: !!bool maybe"),
    ("YAML", b"a: !!int ''"),
    ("YAML", b"a: !!timestamp x"),
    ("YAML", b"a: &a [*a]"),
    ("YAML", b"a: " + b"[" * 100_000),
    ("YAML", b"? [a]\n: 1"),
    ("YAML", b"a: !include /dev/zero"),
    ("ark", b"\0BCM " + struct.pack("<ffii", 0, 1, -1, -80)),
    ("feats.scp", b"a x.ark:" + str(2**70).encode() + b"\n"),
    ("feats.scp", b"a /dev/zero:0\n"),
    ("feats.scp", b"a x\0y.ark:0\n"),
    ("unfinished ark", b"\xff\xfe 1 2\n"),
    ("unfinished ark", b"a\n"),
    ("unfinished ark", b"a 1 -5\n"),
    ("unfinished ark", b"a 3 299999999999999999999999999999\n"),
    ("wav.scp", b"a /none/a\0b.wav\n"),
    ("ONNX header", json.dumps(with_digest(HEADER | {"bpe": "abc"})).encode()),
    ("ONNX header", json.dumps(with_digest(HEADER | {"fbank": "kaldi"})).encode()),
    ("package.json", json.dumps(MANIFEST | {"fbank": [1]}).encode()),
]


def read(name: str, content: bytes, folder: Path) -> None:
    """Has a reader read some bytes; what it says of them is one line, or some.

    Raises:
        AssertionError: It says too much.
        Exception: Anything but an error of ours.
    """
    path = folder / READERS[name].file
    path.write_bytes(content)
    try:
        READERS[name].read(path)
    except SerError as error:
        assert len(str(error)) < 20_000, f"{len(str(error))} characters"


PIECES = [
    *(b"-1", b"1e999", b"null", b"[]", b"{}", b"\0", b"\xff\xff\xff\x7f", b"NaN", b"9" * 30),
    *(b"[" * 300, b"{" * 300, b"\\ud800", b"&a ", b"*a", b"!include x", b"<<: ", b"\t"),
]


def mutated(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes of any kind, and valid files with a few pieces cut, doubled or written over."""
    pieces = st.one_of(st.binary(max_size=8), st.sampled_from(PIECES))
    change = st.tuples(st.integers(0, 1 << 16), st.integers(0, 64), pieces)

    @st.composite
    def draw(draw: st.DrawFn) -> bytes:
        content = draw(st.sampled_from(list(seeds)))
        for start, length, piece in draw(st.lists(change, min_size=1, max_size=6)):
            at = start % (len(content) + 1)
            content = content[:at] + piece + content[at + length :]
        return content

    return st.one_of(st.binary(max_size=200), draw())
