"""Feature archives (``feats.ark`` and ``feats.scp``), written so that a killed run goes on."""

import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import kaldiio
import numpy as np
import numpy.typing as npt

from ser.base.errors import SerError
from ser.base.files import sync

Matrix = npt.NDArray[np.float32]

# Kaldi's numbers of its storage forms (compression-method in kaldi-matrix).
COMPRESSION = {"float32": None, "kaldi_compressed": 2}
BINARY = b"\0B"  # in front of whatever Kaldi stores in its binary form


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
        self._compression = COMPRESSION[storage]
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
        lines = self._partial_scp.read_bytes().split(b"\n")[:-1]  # a cut line is passed over
        kept = [line.decode().split(" ") for line in lines]
        size, end = self._partial_ark.stat().st_size, 0
        while kept:
            # The last record's end is unknown: it is written again, as is what is not in the ark.
            last, _, last_start = kept.pop()
            end = int(last_start) - len(f"{last} ".encode())
            if end <= size:
                break
        self.num_frames = {utt: int(frames) for utt, frames, _ in kept}
        self._partial_scp.write_text("".join(" ".join(r) + "\n" for r in kept), encoding="utf-8")
        return end

    def __enter__(self) -> "ArkWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ark.close()
        self._scp.close()

    def write(self, utt: str, feats: Matrix) -> None:
        """Appends one matrix (T, F)."""
        start = self._ark.tell() + len(f"{utt} ".encode())
        kaldiio.save_ark(self._ark, {utt: feats}, compression_method=self._compression)
        self._ark.flush()
        self._scp.write(f"{utt} {len(feats)} {start}\n")
        self._scp.flush()
        self.num_frames[utt] = len(feats)

    def finish(self) -> dict[str, str]:
        """Gives both files their names.

        Returns:
            The content of ``feats.scp``: ``<ark>:<offset>`` of each utterance.
        """
        lines = self._partial_scp.read_text(encoding="utf-8").split("\n")[:-1]
        starts = {line.split(" ")[0]: line.split(" ")[2] for line in lines}
        sync(self._partial_ark)
        self._partial_ark.replace(self._ark_path)
        self._partial_scp.unlink()
        return {utt: f"{self._ark_path}:{start}" for utt, start in starts.items()}


class ArkReader:
    """Reads matrices by utterance id; archives stay open.

    Kaldi's binary matrices alone are read: kaldiio would also run pipes and unpickle objects.

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
        self._scp = scp
        self._where = where
        self._open: dict[str, Any] = {}

    def __getitem__(self, utt: str) -> Matrix:
        """The matrix (T, F) of an utterance, float32.

        Raises:
            SerError: The archive is missing or was cut.
        """
        place = self._scp[utt]
        try:
            matrix = self._read(place)
        except (OSError, ValueError, AssertionError, struct.error) as error:
            raise SerError(
                f"{place}: no readable matrix ({utt} in {self._where}; {error}); expected "
                "features; rerun stage 1"
            ) from error
        return np.asarray(matrix, dtype=np.float32)

    def _read(self, place: str) -> npt.NDArray[Any]:
        ark, _, offset = place.rpartition(":")
        if ark not in self._open:
            self._open[ark] = Path(ark).open("rb")  # noqa: SIM115 - stays open
        stream = self._open[ark]
        stream.seek(int(offset))
        if stream.read(len(BINARY)) != BINARY:
            raise ValueError("no binary matrix of Kaldi stands there")
        stream.seek(int(offset))
        matrix: npt.NDArray[Any] = kaldiio.matio.read_matrix_or_vector(stream)
        if matrix.ndim != 2:
            raise ValueError(f"{matrix.ndim} dimensions instead of 2")
        return matrix

    def __getstate__(self) -> dict[str, Any]:
        """Open files do not travel to loader workers."""
        return self.__dict__ | {"_open": {}}
