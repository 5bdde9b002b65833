"""Writing a data directory of stage 0: whole, validated, with the record of what it holds."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ser.audio.reading import is_audio, require_file
from ser.base.errors import Faults, FaultsError, SerError
from ser.base.files import digest_json
from ser.base.log import logger
from ser.base.record import Record, Stage, require
from ser.base.writing import atomic_folder, require_replaceable
from ser.config.labels import LabelsConfig
from ser.corpus.same_audio import FILE, same_audio, tell_same_audio, write_same_audio
from ser.corpus.segments import Clip, write_clips
from ser.corpus.utterance import EmotionCorpus, EmotionUtterance, choose, write_emotion_dir
from ser.kaldi.data_dir import digest_data_dir
from ser.kaldi.table import read_table


def write_corpus(
    out: Path,
    corpus: EmotionCorpus,
    labels: LabelsConfig,
    *,
    allow_pipes: bool = False,
    tell_wordless: bool = True,
    config: Mapping[str, Any] | None = None,
    inputs: Mapping[str, str] | None = None,
    **notes: Any,
) -> None:
    """Writes a corpus as ``data/ser``; pieces, pipes and videos become files in ``<out>_audio``.

    Args:
        out: Data directory to write.
        corpus: As its parser read it.
        labels: Classes.
        allow_pipes: Whether commands may be run.
        tell_wordless: Whether utterances without words are worth a warning.
        config: What the identity depends on beside the labels.
        inputs: Identities of the folders that were read.
        notes: For the record.

    Raises:
        SerError: The corpus does not fit the labels, audio cannot be had, or something else is in
            the place of the data directory.
    """
    require_replaceable(out)
    place = out.resolve()
    inside = next((u.wav for u in corpus.utterances if place in u.wav.resolve().parents), None)
    if inside:
        raise SerError(f"{out}: holds {inside}, which would be lost; name another folder to write")
    kept, reasons = choose(corpus.utterances, labels, corpus.excluded)
    read = dict(inputs or {})
    if clips := _clips(kept):
        made = out.with_name(f"{out.name}_audio")
        written = write_clips(clips, made, allow_pipes)
        read[str(made.absolute())] = str(require(made, Stage.DATA)["identity"])
        if written.soundless:
            first = next(iter(written.soundless))
            logger.warning(
                "left out %s videos without sound, %s the first: %s",
                *(len(written.soundless), first, kept[first].wav),
            )
        reasons |= written.soundless
        for utt, wav in written.files.items():
            kept[utt] = replace(kept[utt], wav=wav, clip=None)
        kept = {utt: u for utt, u in kept.items() if utt not in reasons}
    if tell_wordless:
        _tell_wordless(kept)
    write_recorded(
        out,
        {"labels": labels.record(), **(config or {})},
        lambda folder: write_emotion_dir(folder, kept, reasons, labels),
        read,
        **notes,
    )


def _clips(utterances: Mapping[str, EmotionUtterance]) -> dict[str, Clip]:
    """What has to be made of the utterances whose audio is not in a file of their own."""
    clips = {}
    faults = Faults()
    for utt, u in utterances.items():
        with faults.noted():
            if u.clip is None:
                require_file(u.wav, utt)
            if u.clip or not is_audio(u.wav):
                clips[utt] = u.clip or Clip(str(u.wav.absolute()))
    faults.raise_any()
    return clips


def _tell_wordless(utterances: Mapping[str, EmotionUtterance]) -> None:
    wordless = [utt for utt, u in utterances.items() if not u.transcript]
    if len(wordless) == len(utterances):
        logger.warning("no words; systems with a CTC head will be left out")
    elif wordless:
        logger.warning(
            "no words of %s of %s utterances, %s the first: a CTC head learns that "
            "nothing is said there; write their words, or leave systems with a CTC head out",
            *(len(wordless), len(utterances), wordless[0]),
        )


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

    Args:
        out: Data directory to write.
        config: What the identity depends on beside the content.
        write: Writes the tables into a folder.
        inputs: Identities of the folders that were read.
        with_audio: Whether audio is decoded, for its digest; LibriSpeech's is not.
        notes: For the record.

    Raises:
        SerError: As ``write`` does, or audio is broken or cut.
    """
    with atomic_folder(out, "utt2*", stage=Stage.DATA) as folder:
        try:
            write(folder)
        except FaultsError:  # of the corpus
            raise
        except SerError as error:  # the user knows the folder by its name to come
            raise SerError(str(error).replace(str(folder), str(out))) from error
        wavs = {utt: Path(wav) for utt, wav in read_table(folder / "wav.scp").items()}
        audio = {}
        if with_audio:
            same, digests = same_audio(wavs)
            write_same_audio(folder, same)
            audio["audio"] = digest_json(digests)
        inputs = {"tables": digest_data_dir(folder), **audio, **(inputs or {})}
        Record(folder, Stage.DATA, config, inputs).finish(**notes)
    if with_audio:
        tell_same_audio(same, out / FILE)
