"""Writing a data directory of stage 0: whole, validated, with the record of what it holds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ser.base.errors import FaultsError, SerError
from ser.base.files import digest_json
from ser.base.record import Record
from ser.base.writing import atomic_folder
from ser.corpus.same_audio import (
    FILE,
    read_envelopes,
    same_audio,
    tell_same_audio,
    write_same_audio,
)
from ser.corpus.utterance import digest_audio
from ser.kaldi.data_dir import digest_data_dir
from ser.kaldi.table import read_table


def write_recorded(
    out: Path,
    config: Mapping[str, Any],
    write: Callable[[Path], object],
    inputs: Mapping[str, str] | None = None,
    with_audio: bool = True,
    **notes: Any,
) -> None:
    """Writes a data directory at once; its identity is that of its tables, audio and inputs.

    All audio is decoded once: what cannot be is an error, and what occurs twice is listed.

    Raises:
        SerError: As ``write`` does, or audio is broken or cut.
    """
    with atomic_folder(out, "utt2*", stage=0) as folder:
        try:
            write(folder)
        except FaultsError:  # of the corpus
            raise
        except SerError as error:  # the user knows the folder by its name to come
            raise SerError(str(error).replace(str(folder), str(out))) from error
        wavs = {utt: Path(wav) for utt, wav in read_table(folder / "wav.scp").items()}
        audio = {}
        if with_audio:
            envelopes, digests = read_envelopes(wavs), digest_audio(wavs)
            same = same_audio(envelopes, wavs, digests)
            write_same_audio(folder, same)
            audio["audio"] = digest_json(digests)
        inputs = {"tables": digest_data_dir(folder), **audio, **(inputs or {})}
        Record(folder, 0, config, inputs).finish(**notes)
    if with_audio:
        tell_same_audio(same, out / FILE)
