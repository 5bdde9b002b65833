"""A disk that fails, or a process that ends, at one chosen write: counted below one folder."""

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import safetensors.torch
import torch

KILLED_STATUS = 137
CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
FAULTS = {code: os.strerror(code) for code in (errno.ENOSPC, errno.EIO, errno.EACCES)}
# Of ``os``: by the place of the path among the arguments; for descriptors the path is not known.
BY_PATH = ("mkdir", "unlink", "remove", "rmdir", "rename", "replace", "chmod", "truncate")
BY_DESCRIPTOR = ("fsync", "sendfile")


class Disk:
    """Counts what changes files below a folder; the chosen change fails, or is the last.

    TensorBoard's files are left out: a thread of their own writes them, at any time.

    Args:
        top: The folder.
        chosen: The number of the change, from 1; 0 for none.
        code: The ``errno`` of its failure; None: it is done and the process ends.
        only: Part of the path of the changes that count; the failure lasts then.
        power_cut: Where the process ends the machine does too: names are kept, and half of what
            was written to a file since it was last synchronised is lost.
    """

    def __init__(
        self,
        top: Path,
        chosen: int = 0,
        code: int | None = None,
        only: str | None = None,
        power_cut: bool = False,
    ) -> None:
        self.top, self.chosen, self.code, self.only = str(top.resolve()), chosen, code, only
        self.power_cut = power_cut
        self.changes: list[str] = []
        self.synced: dict[int, int] = {}  # of each file that was written: the bytes that are safe
        self.pid = os.getpid()

    def counts(self, path: object) -> bool:
        """Whether a path is one of those that are looked at."""
        if isinstance(path, int) or os.getpid() != self.pid:
            return False
        whole = str(Path(os.fsdecode(path)).absolute())  # type: ignore[arg-type]
        if self.only is not None:
            return self.only in whole
        return whole.startswith(self.top) and "/tensorboard" not in whole

    def change(self, name: str, path: object, do: Callable[[], Any], half: Any = None) -> Any:
        """Does a change, unless it is the chosen one, of which ``half`` may do a part."""
        self.changes.append(f"{name} {path}")
        number = len(self.changes)
        is_chosen = number >= self.chosen if self.only else number == self.chosen
        if not (self.chosen and is_chosen):
            return do()
        if self.code is None:
            try:
                do()
                if self.power_cut:
                    self._lose()
            finally:
                os._exit(KILLED_STATUS)
        if half:
            return half()
        raise self.error(name, path)

    def error(self, name: str, path: object) -> Exception:
        """What a library raises where its write fails."""
        assert self.code is not None
        said = FAULTS[self.code]
        if name == "save_file":
            return safetensors.SafetensorError(f"Error while serializing: I/O error: {said}")
        if name == "torch.save":
            return RuntimeError(f"[enforce fail at inline_container.cc] {said}")
        if name in ("write", *BY_DESCRIPTOR):
            return OSError(self.code, said)
        return OSError(self.code, said, str(path))

    def _lose(self) -> None:
        for path in Path(self.top).rglob("*"):
            stat = path.lstat()
            safe = self.synced.get(stat.st_ino)
            if safe is not None and path.is_file() and safe < stat.st_size:
                with io.FileIO(path, "r+") as stream:
                    stream.truncate((safe + stat.st_size) // 2)

    @contextmanager
    def watched(self) -> Iterator["Disk"]:
        """Within the block every change is counted."""
        with ExitStack() as stack:
            opened = partial(self._open, io.open)
            stack.enter_context(patch.object(io, "open", opened))
            stack.enter_context(patch.object(builtins, "open", opened))
            stack.enter_context(patch.object(os, "open", partial(self._os_open, os.open)))
            for name in BY_PATH:
                done = partial(self._by_path, name, getattr(os, name))
                stack.enter_context(patch.object(os, name, done))
            for name in BY_DESCRIPTOR:
                done = partial(self._by_descriptor, name, getattr(os, name))
                stack.enter_context(patch.object(os, name, done))
            save_file = partial(self._save, "save_file", safetensors.torch.save_file)
            stack.enter_context(patch.object(safetensors.torch, "save_file", save_file))
            stack.enter_context(
                patch.object(torch, "save", partial(self._save, "torch.save", torch.save))
            )
            yield self

    def _open(self, original: Any, file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        if not set(mode) & set("wax+") or not self.counts(file) or options.get("opener"):
            return original(file, mode, *more, **options)

        def do() -> _File:
            raw = _File(file, mode.replace("t", "").replace("b", ""))
            raw.disk = self
            stat = os.fstat(raw.fileno())
            safe = self.synced.get(stat.st_ino, stat.st_size)
            self.synced[stat.st_ino] = min(safe, stat.st_size)
            return raw

        raw = self.change("open", file, do)
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        given = dict(zip(("buffering", "encoding", "errors", "newline"), more, strict=False))
        given = {
            k: v for k, v in (given | options).items() if k in ("encoding", "errors", "newline")
        }
        return io.TextIOWrapper(buffered, **given)

    def _os_open(self, original: Any, path: Any, flags: int, *more: Any, **options: Any) -> int:
        do = partial(original, path, flags, *more, **options)
        if not flags & CHANGING or options.get("dir_fd") is not None or not self.counts(path):
            return int(do())
        return int(self.change("os.open", path, do))

    def _by_path(self, name: str, original: Any, path: Any, *more: Any, **options: Any) -> Any:
        do = partial(original, path, *more, **options)
        if options.get("dir_fd") is not None or not self.counts(path):
            return do()
        return self.change(name, path, do)

    def _by_descriptor(self, name: str, original: Any, descriptor: int, *more: Any) -> Any:
        do: Callable[[], Any] = partial(original, descriptor, *more)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if name == "fsync":  # which takes long

            def do() -> None:
                stat = os.fstat(descriptor)
                self.synced[stat.st_ino] = stat.st_size

        return self.change(name, path, do) if self.counts(path) else do()

    def _save(self, name: str, original: Any, value: Any, path: Any, *more: Any, **o: Any) -> Any:
        if not isinstance(path, (str, Path)) or not self.counts(path):
            return original(value, path, *more, **o)

        def do() -> None:
            original(value, path, *more, **o)
            self.synced[Path(path).stat().st_ino] = 0

        def half() -> None:
            do()
            with io.FileIO(path, "r+") as stream:
                stream.truncate(Path(path).stat().st_size // 2)
            raise self.error(name, path)

        return self.change(name, path, do, half)


class _File(io.FileIO):
    """A file whose writes are counted. As on a full disk, one falls short and the next fails."""

    disk: Disk
    failing = False

    def write(self, data: Any, /) -> int:
        if self.failing:
            raise self.disk.error("write", self.name)
        view = memoryview(data).cast("B")

        def half() -> int:
            self.failing = True
            return super(_File, self).write(view[: len(view) // 2])

        return int(
            self.disk.change("write", self.name, lambda: super(_File, self).write(view), half)
        )
