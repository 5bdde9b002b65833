"""Feature archives (``feats.ark`` and ``feats.scp``), written so that a killed run goes on."""

import contextlib
import os
import struct
from collections.abc import Iterator, Mapping
from functools import cached_property
from io import BytesIO, FileIO
from pathlib import Path
from typing import Any

import kaldiio
import numpy as np

from ser.base.arrays import Floats
from ser.base.errors import SerError, naming
from ser.base.files import parsing, read_bytes, read_text, regular_size, require_regular
from ser.base.writing import sync

Matrix = Floats

# Kaldi's numbers of its storage forms (compression-method in kaldi-matrix).
COMPRESSION = {"float32": None, "kaldi_compressed": 2}
BINARY = b"\0B"  # in front of whatever Kaldi stores in its binary form
FLOAT32_MARK = b"FM "
COMPRESSED_MARK = b"CM "
COMPRESSED = struct.Struct("<2s3s8xii")  # both, then frames and values, after their range
FLOAT32 = struct.Struct("<2s3sbibi")  # both, then frames and values, each after its size in bytes


def encode(feats: Matrix, storage: str) -> bytes:
    """A matrix (T, F) as it stands in an archive, after the utterance's id."""
    stream = BytesIO()
    kaldiio.matio.write_array(stream, feats, compression_method=COMPRESSION[storage])
    return stream.getvalue()


class ArkWriter:
    """Appends matrices to ``feats.ark`` and their places to ``feats.scp``.

    Both grow under a ``.partial`` name and are renamed by ``finish``. A record is listed in the
    scp only after it is in the ark, so a rerun keeps all but the last listed record and goes on.

    Attributes:
        num_frames: Frames of each utterance that is in the archive.
    """

    def __init__(self, folder: Path, storage: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._ark_path = folder / "feats.ark"
        self._storage = storage
        self._partial_ark = folder / ".feats.ark.partial"
        self._partial_scp = folder / ".feats.scp.partial"
        self.num_frames: dict[str, int] = {}
        end = self._recover()
        self._ark = self._partial_ark.open("r+b" if end else "wb")
        self._ark.truncate(end)
        self._ark.seek(end)
        self._scp = self._partial_scp.open("a", encoding="utf-8")

    def _recover(self) -> int:
        """Cuts the partial scp to what is whole; returns the length of the ark that is."""
        if not (self._partial_ark.exists() and self._partial_scp.exists()):
            self._partial_scp.unlink(missing_ok=True)
            return 0
        size, end = require_regular(self._partial_ark), 0
        lines = read_bytes(self._partial_scp).split(b"\n")[:-1]  # a cut line is passed over
        with parsing(
            self._partial_scp, "no list of an unfinished archive", "remove it and rerun stage 1"
        ):
            kept = [(u, int(n), int(at)) for u, n, at in (x.decode().split(" ") for x in lines)]
            while kept:
                # The last record's end is unknown: it is written again, as what is not in the ark.
                last, _, last_start = kept.pop()
                end = last_start - len(f"{last} ".encode())
                if end <= size:
                    break
            if not 0 <= end <= size or any(count < 0 for _, count, _ in kept):
                raise ValueError(f"numbers that cannot be those of an archive of {size} bytes")
            self.num_frames = {utt: count for utt, count, _ in kept}
        text = "".join(f"{utt} {count} {start}\n" for utt, count, start in kept)
        self._partial_scp.write_text(text, encoding="utf-8")
        return end

    def __enter__(self) -> "ArkWriter":
        return self

    def __exit__(self, *error: object) -> None:
        with naming(self._ark_path), self._scp, self._ark:
            pass  # closes both, the second also where what waits for the first finds no room

    def write(self, utt: str, feats: Matrix) -> None:
        """Appends one matrix (T, F)."""
        self.append(utt, len(feats), encode(feats, self._storage))

    def append(self, utt: str, num_frames: int, encoded: bytes) -> None:
        """Appends one matrix that was encoded before, maybe by another process."""
        key = f"{utt} ".encode()
        start = self._ark.tell() + len(key)
        with naming(self._ark_path):
            self._ark.write(key)
            self._ark.write(encoded)
            self._ark.flush()
            self._scp.write(f"{utt} {num_frames} {start}\n")
            self._scp.flush()
        self.num_frames[utt] = num_frames

    def finish(self) -> dict[str, str]:
        """Gives both files their names.

        Returns:
            The content of ``feats.scp``: ``<ark>:<offset>`` of each utterance.
        """
        lines = read_text(self._partial_scp).split("\n")[:-1]
        starts = {line.split(" ")[0]: line.split(" ")[2] for line in lines}
        sync(self._partial_ark)
        self._partial_ark.replace(self._ark_path)
        self._partial_scp.unlink()
        return {utt: f"{self._ark_path}:{start}" for utt, start in starts.items()}


class ArkReader:
    """Reads matrices by utterance id; archives stay open.

    Plain float32 matrices are read straight to where they are wanted, others through kaldiio.
    Kaldi's binary matrices alone are read: kaldiio would also run pipes and unpickle objects.

    Attributes:
        scp: ``<ark>:<offset>`` of each utterance.

    Raises:
        SerError: An entry is a pipe: commands are never run.
    """

    def __init__(self, scp: Mapping[str, str], where: Path) -> None:
        for utt, place in scp.items():
            if "|" in place:
                raise SerError(
                    f"{where}: {utt} is a pipe ('{place}'); expected <ark>:<offset>, commands are "
                    "not run; extract the features into an ark"
                )
        self.scp = scp
        self._where = where
        self._open: dict[str, FileIO] = {}

    @cached_property
    def num_bins(self) -> int:
        """F, by the first utterance."""
        return int(self[next(iter(self.scp))].shape[1])

    def __getitem__(self, utt: str) -> Matrix:
        """The matrix (T, F) of an utterance, float32.

        Raises:
            SerError: The archive is missing or was cut.
        """
        with self._named_errors(utt):
            ark, offset = self._place(utt)
            header = os.pread(ark.fileno(), FLOAT32.size, offset)
            if not header.startswith(BINARY):
                raise ValueError("no binary matrix of Kaldi stands there")
            if not header.startswith(BINARY + FLOAT32_MARK):
                return _read_by_kaldiio(Path(ark.name), offset)
            *_, num_frames, _, num_bins = FLOAT32.unpack(header)
            present = os.fstat(ark.fileno()).st_size - offset - FLOAT32.size
            if not 0 <= 4 * num_frames * num_bins <= present:
                raise ValueError(
                    f"{num_frames} frames of {num_bins} values, but {present} bytes are left"
                )
            matrix = np.empty((num_frames, num_bins), np.float32)
            if not self._fill(ark, offset, matrix):
                raise ValueError("the archive was changed while it was read")
            return matrix

    def read_into(self, utt: str, out: Matrix) -> None:
        """Reads the matrix of an utterance to where it is wanted.

        Args:
            utt: The utterance.
            out: (T, F), contiguous; overwritten.

        Raises:
            SerError: The archive is missing or was cut, or the matrix has another shape.
        """
        with self._named_errors(utt):
            if not self._fill(*self._place(utt), out):
                matrix = self[utt]
                if matrix.shape != out.shape:
                    raise ValueError(f"shape {matrix.shape} instead of {out.shape}")
                out[:] = matrix

    @contextlib.contextmanager
    def _named_errors(self, utt: str) -> Iterator[None]:
        """Says which utterance could not be read, and what to do."""
        remedy, part = "expected features; rerun stage 1", f"{utt} in {self._where}"
        with parsing(self.scp[utt], "no readable matrix", remedy, part):
            yield

    def _place(self, utt: str) -> tuple[FileIO, int]:
        """The open archive of an utterance and the offset of its matrix."""
        ark, _, offset = self.scp[utt].rpartition(":")
        if ark not in self._open:
            regular_size(Path(ark))
            self._open[ark] = FileIO(ark)
        return self._open[ark], int(offset)

    @staticmethod
    def _fill(ark: FileIO, offset: int, out: Matrix) -> bool:
        """Reads a float32 matrix of this very shape in one call; False where none stands there."""
        header = bytearray(FLOAT32.size)
        # The position of the file is not used: processes that share it do not disturb each other.
        size = os.preadv(ark.fileno(), [header, out.data], offset)
        expected = FLOAT32.pack(BINARY, FLOAT32_MARK, 4, len(out), 4, out.shape[1])
        return header == expected and size == len(header) + out.nbytes

    def __getstate__(self) -> dict[str, Any]:
        """Open files do not travel to loader workers."""
        return self.__dict__ | {"_open": {}}


def _read_by_kaldiio(ark: Path, offset: int) -> Matrix:
    """A compressed matrix, as float32."""
    with ark.open("rb") as stream:
        stream.seek(offset)
        _require_whole(stream.read(COMPRESSED.size), ark.stat().st_size - offset)
        stream.seek(offset)
        return np.asarray(kaldiio.matio.read_matrix_or_vector(stream), dtype=np.float32)


def _require_whole(header: bytes, present: int) -> None:
    """Checks a matrix's size against the bytes present: kaldiio would first allocate it."""
    if not header.startswith(BINARY + COMPRESSED_MARK):
        raise ValueError(f"{header[:5]!r} stands there, no matrix of stage 1")
    _, _, num_frames, num_bins = COMPRESSED.unpack(header)
    if not 0 <= num_frames * num_bins <= present or num_frames < 0:  # a byte a value
        raise ValueError(f"{num_frames} frames of {num_bins} values, but {present} bytes are left")
