"""An audio file for each utterance: its own, or one that is made of a piece, a pipe or a video."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ser.audio.reading import is_audio, require_file
from ser.base.errors import Faults
from ser.base.record import require
from ser.corpus.segments import Clip, write_clips
from ser.corpus.utterance import EmotionUtterance


def with_audio_files(
    utterances: Mapping[str, EmotionUtterance], folder: Path, allow_pipes: bool
) -> tuple[dict[str, EmotionUtterance], dict[str, str], dict[str, str]]:
    """Utterances whose audio is in files.

    Args:
        utterances: By id.
        folder: The files that are made.
        allow_pipes: Whether commands may be run.

    Returns:
        The utterances; the identity of the folder by its path where it was needed; and those that
        are left out because their videos have no sound, with the reasons.

    Raises:
        SerError: A file is missing, a piece or pipe cannot be had, or most videos cannot.
    """
    clips = {}
    faults = Faults()
    for utt, u in utterances.items():
        with faults.noted():
            if u.clip is None:
                require_file(u.wav, utt)
            if u.clip or not is_audio(u.wav):
                clips[utt] = u.clip or Clip(str(u.wav.absolute()))
    faults.raise_any()
    if not clips:
        return dict(utterances), {}, {}
    written = write_clips(clips, folder, allow_pipes)
    made = {utt: replace(utterances[utt], wav=wav, clip=None) for utt, wav in written.files.items()}
    kept = {u: made.get(u, o) for u, o in utterances.items() if u not in written.unreadable}
    identity = str(require(folder, 0)["identity"])
    return kept, {str(folder.absolute()): identity}, written.unreadable
