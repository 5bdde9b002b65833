"""Models on the Hugging Face hub, by name. ``huggingface_hub`` is imported only where one is."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from ser.base.errors import SerError, first_few

NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
FILES = (".onnx", ".gz", ".json", ".safetensors")  # ends of what is a file that is not there


class Repository(NamedTuple):
    """A model of somebody's, ``owner/model``, at a revision or the newest one."""

    name: str
    revision: str | None

    def __str__(self) -> str:
        return self.name if self.revision is None else f"{self.name}@{self.revision}"


def repository(text: str) -> Repository | None:
    """What ``owner/model`` or ``owner/model@revision`` names; None for what is a path.

    A path is what exists, what lies in a folder that exists, or what ends as a model file does.
    """
    found = NAME.fullmatch(text)
    path = Path(text)
    if found is None or text.startswith(".") or path.exists() or path.parent.is_dir():
        return None
    return None if path.suffix in FILES else Repository(found["name"], found["revision"])


def fetch(wanted: Repository, patterns: Sequence[str], asked: str, instead: str) -> Path:
    """Fetches files of a model, once: what is in the hub's cache is not fetched again.

    Args:
        wanted: The model.
        patterns: Globs of its files.
        asked: What the user gave, for messages.
        instead: What the user may do instead.

    Returns:
        Their folder.

    Raises:
        SerError: huggingface_hub is not installed, or the hub does not give them.
    """
    hub = _client(asked, f"fetch {wanted.name}", instead)
    try:
        folder = hub.snapshot_download(
            wanted.name, revision=wanted.revision, allow_patterns=list(patterns)
        )
    except Exception as error:  # the hub's, httpx's and the system's have no common class but this
        at = f" at {wanted.revision[:12]}" if wanted.revision else ""
        raise SerError(
            f"{asked}: {wanted.name}{at} was not fetched ({_reason(error)}); check the name, the "
            f"token and the connection; {instead}"
        ) from error
    return Path(folder)


def upload(folder: Path, name: str, mark: str, is_own: Callable[[bytes], bool]) -> str:
    """Uploads a folder as a model of the hub, whose files it replaces; a new model is private.

    Args:
        folder: Its files.
        name: ``owner/model``.
        mark: The file by which a model that holds files already is known to be one of ours.
        is_own: Whether it is, by the content of that file.

    Returns:
        The revision.

    Raises:
        SerError: huggingface_hub is not installed, the hub does not take it, or the model holds
            the files of another program.
    """
    asked, instead = f"--hub {name}", f"{folder} is written: upload it later"
    hub = _client(asked, "upload", instead)
    try:
        api = hub.HfApi()
        api.create_repo(name, private=True, exist_ok=True)
        there = set(api.list_repo_files(name)) - {".gitattributes", "README.md"}
        if there and not (
            mark in there and is_own(Path(api.hf_hub_download(name, mark)).read_bytes())
        ):
            raise SerError(
                f"{asked}: holds {first_few(sorted(there))} and no {mark} of ours, which would be "
                f"replaced; expected a new model, or one that was packed by this program; {instead}"
            )
        commit = api.upload_folder(repo_id=name, folder_path=folder, delete_patterns="*")
    except SerError:
        raise
    except Exception as error:  # as above
        raise SerError(
            f"{asked}: not uploaded ({_reason(error)}); check the connection, and that the "
            f"token may write there (hf auth login); {instead}"
        ) from error
    return str(commit.oid)


def _client(asked: str, purpose: str, instead: str) -> ModuleType:
    try:
        import huggingface_hub
    except ImportError as error:
        raise SerError(
            f"{asked}: huggingface_hub is not installed; expected it to {purpose}; "
            f"pip install huggingface_hub, or {instead}"
        ) from error
    module: ModuleType = huggingface_hub
    return module


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[:2]])  # of a card the second says what it lacks
