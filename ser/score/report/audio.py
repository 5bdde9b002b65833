"""Where the page of the report finds what was said, or why it does not."""

from collections.abc import Mapping
from pathlib import Path

from ser.corpus.pipes import is_pipe
from ser.page.frame import audio_link

Audio = Mapping[str, Mapping[str, str]]
"""By utterance ``{"link": address}``, or ``{"why": word}`` where the page cannot play it."""


def audio_of(wavs: Mapping[str, str], page: Path) -> Audio:
    """What the page plays; nothing is read, and no command is run.

    Args:
        wavs: ``wav.scp``.
        page: The page.
    """
    return {utt: _audio(source, page) for utt, source in wavs.items()}


def _audio(source: str, page: Path) -> dict[str, str]:
    if is_pipe(source):
        return {"why": "no audio: a command, not a file"}
    path = Path(source)
    if path.is_file():
        return {"link": audio_link(path, page)}
    archive, _, offset = source.rpartition(":")
    if offset.isdecimal() and Path(archive).is_file():
        return {"why": "no audio: in an archive"}
    return {"why": "no audio: the file is not there"}
