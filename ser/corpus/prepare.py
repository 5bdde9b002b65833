"""Stage 0: corpora -> data directories, and the folds of ``data/ser``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ser.audio.reading import measure_durations
from ser.base.errors import Faults, SerError, first_few
from ser.base.files import digest_json, read_text
from ser.base.log import logger
from ser.base.record import Record, Stage
from ser.base.writing import atomic_folder, require_replaceable, write_text
from ser.config.labels import CountsConfig, LabelsConfig
from ser.config.protocol import ProtocolConfig
from ser.corpus.copies import without_copies
from ser.corpus.cross import read_corpora
from ser.corpus.fold_files import write_folds
from ser.corpus.folds import make_folds
from ser.corpus.parsers.iemocap import differences_from_counts, read_iemocap
from ser.corpus.parsers.kaldi_dir import read_kaldi_dir
from ser.corpus.parsers.librispeech import ReadUtterance, missing_subsets, read_librispeech
from ser.corpus.parsers.registry import NUM_PUBLISHED, READERS
from ser.corpus.parsers.roots import find_root, holds
from ser.corpus.parsers.table import read_table_corpus
from ser.corpus.recorded import write_corpus, write_recorded
from ser.corpus.utterance import EmotionCorpus, check_labels
from ser.kaldi.data_dir import read_data_dir, require_data_dir, write_data_dir


def prepare_iemocap(
    root: Path,
    out: Path,
    labels: LabelsConfig,
    counts: CountsConfig,
    partial: bool,
    attributes: Mapping[str, Path],
) -> None:
    """IEMOCAP -> ``data/ser``.

    Args:
        root: The corpus.
        out: Data directory to write.
        labels: Classes.
        counts: What a whole corpus holds.
        partial: Whether a corpus that differs from it is accepted, with a warning.
        attributes: Further tables, file (published id, tab, value) by name.

    Raises:
        SerError: The corpus is malformed, or differs from the counts; something else is in the
            place of the data directory.
    """
    require_replaceable(out)
    corpus = read_iemocap(root)
    check_labels(corpus.utterances, labels)
    differences = differences_from_counts(corpus, labels, counts)
    report = out.parent / "iemocap_differences.txt"
    report.unlink(missing_ok=True)  # of an earlier run
    if differences:
        report.parent.mkdir(parents=True, exist_ok=True)
        write_text(report, "".join(f"{line}\n" for line in differences))
        message = (
            f"{root}: {len(differences)} differences from counts.yaml: "
            f"{'; '.join(differences[:5])}{'; ...' if len(differences) > 5 else ''}; "
            f"all are in {report}; "
        )
        if not partial:
            raise SerError(
                f"{message}restore the files, or accept a partial corpus with --partial "
                "(in egs/iemocap IEMOCAP_PARTIAL=1)"
            )
        logger.warning("%sgoing on with a partial corpus", message)
    utterances = corpus.utterances
    for name, path in attributes.items():
        if any(f"utt2{name}" in u.attributes for u in utterances):
            raise SerError(
                f"--attribute {name}={path}: the corpus has a table utt2{name} of its own; "
                "expected another name; rename it"
            )
        table = _read_attribute(path)
        if not any(u.utt_orig in table for u in utterances):
            raise SerError(
                f"{path}: none of its {len(table)} ids is in {root}; expected the published ids; "
                "correct the file"
            )
        if lacking := [u.utt_orig for u in utterances if u.utt_orig not in table]:
            logger.info(
                "%s: no line of %s of %s turns, %s the first: their utt2%s is empty",
                *(path, len(lacking), len(utterances), lacking[0], name),
            )
        utterances = [
            replace(u, attributes={**u.attributes, f"utt2{name}": table.get(u.utt_orig, "")})
            for u in utterances
        ]
    write_corpus(
        out,
        EmotionCorpus(utterances, corpus.left_out | corpus.incomplete),
        labels,
        tell_wordless=False,  # a few turns are laughter alone
        config={"partial": partial},
        differences=differences,
    )


def _read_attribute(path: Path) -> dict[str, str]:
    lines = [line.split("\t") for line in read_text(path).removeprefix("\ufeff").splitlines()]
    Faults(
        f"{path}:{number}: expected id<TAB>value; correct the line"
        for number, line in enumerate(lines, start=1)
        if len(line) != 2
    ).raise_any()
    counts = Counter(utt for utt, _ in lines)
    Faults(
        f"{path}: {utt} stands {count} times; expected once; remove the others"
        for utt, count in counts.items()
        if count > 1
    ).raise_any()
    return dict(lines)


def prepare_corpus(
    name: str, root: Path, out: Path, labels: LabelsConfig, speakers: Sequence[str] = ()
) -> None:
    """A corpus of a published layout -> ``data/ser``.

    Args:
        name: One of ``READERS``.
        root: Where it lies.
        out: Data directory to write.
        labels: Classes.
        speakers: Who is kept; without any, everybody.

    Raises:
        SerError: The corpus is missing or malformed, holds two files of an utterance that differ,
            or has no such speaker.
    """
    corpus = READERS[name](root)
    corpus = EmotionCorpus(without_copies(corpus.utterances), corpus.excluded)
    found, published = len(corpus.utterances) + len(corpus.excluded), NUM_PUBLISHED.get(name)
    if not corpus.utterances:
        first = ": ".join(next(iter(corpus.excluded.items()), ["none is listed"]))
        raise SerError(
            f"{root}: 0 of {found} utterances can be used ({first}); expected most; unpack the "
            "corpus whole, or check the path in db.sh"
        )
    if published and found != published:
        logger.warning("%s: %s utterances; the published corpus has %s", root, found, published)
    if speakers:
        known = {u.spk for u in corpus.utterances}
        stray = [spk for spk in speakers if spk not in known]
        if stray:
            raise SerError(
                f"--speakers {stray[0]}: no such speaker in {root}; expected some of "
                f"{' '.join(sorted(known)[:10])}{' ...' if len(known) > 10 else ''}"
            )
        left_out = {
            u.utt: "speaker not among --speakers"
            for u in corpus.utterances
            if u.spk not in speakers
        }
        kept = [u for u in corpus.utterances if u.utt not in left_out]
        corpus = EmotionCorpus(kept, {**corpus.excluded, **left_out})
    write_corpus(out, corpus, labels)


def prepare_table(table: Path, out: Path, labels: LabelsConfig, allow_pipes: bool = False) -> None:
    """A CSV, a TSV or a Kaldi data directory -> ``data/ser``.

    Args:
        table: The file or folder.
        out: Data directory to write.
        labels: Classes.
        allow_pipes: Whether commands in a ``wav.scp`` may be run.

    Raises:
        SerError: The table is malformed, an audio file is missing or unreadable, or the data
            directory would take the place of the table or of something else.
    """
    if out.resolve() in (table.resolve(), *table.resolve().parents):
        raise SerError(f"{out}: holds {table}, which would be lost; name another folder to write")
    corpus = read_kaldi_dir(table) if table.is_dir() else EmotionCorpus(read_table_corpus(table))
    write_corpus(out, corpus, labels, allow_pipes=allow_pipes)


def prepare_cross(folders: Mapping[str, Path], out: Path, labels: LabelsConfig) -> None:
    """Data directories by the name of their corpus -> one ``data/ser``.

    Raises:
        SerError: One of them was not made by stage 0, or a label is not in the map.
    """
    inputs = {str(folder): require_data_dir(folder) for folder in folders.values()}
    write_corpus(out, read_corpora(folders), labels, inputs=inputs)


def prepare_librispeech(
    root: Path,
    train_out: Path,
    valid_out: Path,
    train_subsets: Sequence[str],
    valid_subsets: Sequence[str],
    valid_speakers: Sequence[str],
) -> None:
    """LibriSpeech -> ``data/asr_train`` and ``data/asr_valid``.

    Args:
        root: The folder of the subsets.
        train_out: Data directory to write.
        valid_out: Data directory to write.
        train_subsets: Subsets to train on; those that are missing are listed and noted.
        valid_subsets: Subsets to validate on.
        valid_speakers: Speakers of the training subsets to validate on instead.

    Raises:
        SerError: The corpus is missing or malformed, or nothing is left to validate on.
    """
    subsets = (*train_subsets, *valid_subsets)
    is_root = holds(*(f"{subset}/*/*/*.trans.txt" for subset in subsets))
    root = find_root(root, "subsets of LibriSpeech", is_root, subsets)
    missing = missing_subsets(root, train_subsets)
    missing_valid = missing_subsets(root, valid_subsets) if valid_subsets else []
    if missing or missing_valid:
        listed = ", ".join(missing + missing_valid)
        logger.warning("%s: the subsets %s are missing", root, listed)
    read = read_librispeech(root, train_subsets)
    unknown = sorted(set(valid_speakers) - {u.spk for u in read})
    if unknown:
        raise SerError(
            f"LibriSpeech: the validation speaker {unknown[0]} is not in the subsets read; "
            "expected one of theirs; correct local/data.sh"
        )
    train = [u for u in read if u.spk not in valid_speakers]
    valid = [u for u in read if u.spk in valid_speakers] + read_librispeech(root, valid_subsets)
    if not valid:
        raise SerError(
            f"{root}: no utterance to validate on; expected validation subsets or speakers; name "
            "them in local/data.sh"
        )
    if both := {u.spk for u in train} & {u.spk for u in valid}:
        raise SerError(
            f"LibriSpeech: {first_few(sorted(both))}: speakers to train on and to validate on; "
            "expected each in one; correct the subsets in local/data.sh"
        )
    _write_read_speech(train_out, train, missing)
    _write_read_speech(valid_out, valid, missing_valid)


def _write_read_speech(
    out: Path, utterances: Sequence[ReadUtterance], missing: Sequence[str]
) -> None:
    tables = {
        "wav.scp": {u.utt: str(u.wav.absolute()) for u in utterances},
        "text": {u.utt: u.transcript for u in utterances},
        "utt2spk": {u.utt: u.spk for u in utterances},
        "utt2dur": measure_durations({u.utt: u.wav for u in utterances}),
    }
    hours = sum(map(float, tables["utt2dur"].values())) / 3600
    logger.info("%s: %s utterances, %.2f h", out, len(utterances), hours)
    write_recorded(
        out,
        {},
        lambda folder: write_data_dir(folder, tables),
        with_audio=False,  # 60 GB in full
        missing_subsets=missing,
    )


def prepare_folds(data_path: Path, out: Path, protocol: ProtocolConfig) -> None:
    """``data/ser`` -> the fold lists of a protocol.

    Raises:
        SerError: The data directory is missing, or does not fit the protocol.
    """
    inputs = {str(data_path): require_data_dir(data_path)}
    folds = make_folds(read_data_dir(data_path), protocol)
    with atomic_folder(out, "fold*", stage=Stage.DATA) as folder:
        write_folds(folder, folds)
        Record(folder, Stage.DATA, protocol.model_dump(), inputs).finish(digest=digest_json(folds))
    for name, parts in folds.items():
        counts = ", ".join(f"{part} {n}" for part, n in sorted(Counter(parts.values()).items()))
        logger.info("fold %s: %s", name, counts)
