"""Emotional utterances of any corpus -> a Kaldi data directory, no utterance lost in silence."""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ser.audio.reading import measure_durations
from ser.base.errors import Faults, SerError
from ser.base.log import logger
from ser.base.names import LABEL, SESSION, SPEAKER, UTTERANCE, composed, is_line, printable
from ser.base.writing import write_text
from ser.config.labels import LabelsConfig
from ser.corpus.segments import Clip
from ser.kaldi.data_dir import VALUES, write_data_dir

NO_AUDIO = "no audio"  # a reason to leave an utterance out


@dataclass(frozen=True, kw_only=True)
class EmotionUtterance:
    """One utterance as its corpus describes it.

    Attributes:
        utt: Our id, the speaker in front.
        utt_orig: The published id.
        spk: Speaker.
        gender: ``f`` or ``m``; empty where it is not known.
        session: What the corpus keeps apart as one recording, or the group of a fold.
        label: The corpus's own label, ``composed`` as ``attributes`` are.
        wav: Audio file, or a video.
        transcript: Normalised words; may be empty.
        attributes: Further tables, value by table name (``utt2scene``, ``utt2votes``, ...).
        clip: What its audio is cut from or written by, in place of ``wav``.
    """

    utt: str
    utt_orig: str
    spk: str
    gender: str
    session: str
    label: str
    wav: Path
    transcript: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    clip: Clip | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", composed(self.label))
        tables = {name: composed(value) for name, value in self.attributes.items()}
        object.__setattr__(self, "attributes", tables)  # votes name labels


@dataclass(frozen=True)
class EmotionCorpus:
    """A corpus as its parser read it.

    Attributes:
        utterances: All that have audio and a label.
        excluded: What the parser left out, by our id, with the reason.
    """

    utterances: Sequence[EmotionUtterance]
    excluded: Mapping[str, str] = field(default_factory=dict)


def unique(utterances: Iterable[EmotionUtterance]) -> dict[str, EmotionUtterance]:
    """Utterances by id.

    Raises:
        SerError: Ids stand for two utterances.
    """
    found: dict[str, EmotionUtterance] = {}
    faults = Faults()
    for u in utterances:
        first = found.setdefault(u.utt, u)
        if first is not u:
            faults.add(
                f"{u.wav}: the id {u.utt} is also that of {first.wav}; expected each id once; "
                "remove one"
            )
    faults.raise_any()
    return found


def _name_faults(u: EmotionUtterance) -> Iterator[str]:
    """Why what becomes a file name, a column or a line cannot be one."""
    names = ((UTTERANCE, u.utt), (SPEAKER, u.spk), (SESSION, u.session), (LABEL, u.label))
    yield from filter(None, (kind.fault(name) for kind, name in names))
    for table, value in u.attributes.items():
        if not is_line(value):
            yield f"{table} has '{value}'; expected one without tabs and line ends; correct it"


def check_labels(utterances: Iterable[EmotionUtterance], labels: LabelsConfig) -> None:
    """Checks a corpus against the label map.

    Raises:
        SerError: Labels are neither in a class nor excluded.
    """
    known = {*labels.class_of, *labels.excluded}
    utts_of: dict[str, list[str]] = defaultdict(list)
    for u in utterances:
        if u.label not in known:
            utts_of[u.label].append(u.utt)
    faults = Faults()
    for label, utts in sorted(utts_of.items()):
        near = difflib.get_close_matches(label.casefold(), known, n=1)
        faults.add(
            f"labels.yaml: the label '{label}' of {utts[0]}"
            f"{f' and {len(utts) - 1} more' if len(utts) > 1 else ''}: neither in a class nor in "
            "'exclude'; expected every label of the corpus; add it to one of them, or correct it "
            f"in the corpus{f' (is it {near[0]!r}?)' if near else ''}"
        )
    faults.raise_any()


def choose(
    utterances: Iterable[EmotionUtterance], labels: LabelsConfig, excluded: Mapping[str, str]
) -> tuple[dict[str, EmotionUtterance], dict[str, str]]:
    """Which utterances are kept, by id, and why the others are not; no audio is looked at.

    Args:
        utterances: All utterances of the corpus that have audio.
        labels: The class of each corpus label, and the labels left out on purpose.
        excluded: Utterances that the corpus's parser left out already, with the reason.

    Raises:
        SerError: An id stands for two utterances, a name or value cannot be one, a speaker is of
            two sexes, a label is in neither list, or a class has no utterance.
    """
    found = unique(utterances)
    Faults(
        f"{u.wav}: {utt}: {fault}" for utt, u in found.items() for fault in _name_faults(u)
    ).raise_any()
    check_labels(found.values(), labels)
    reasons = dict(excluded)
    for utt, u in found.items():
        if u.label in labels.excluded:
            reasons[utt] = f"label {u.label} is in 'exclude' of labels.yaml"
    kept = {utt: u for utt, u in found.items() if utt not in reasons}
    _require_each_class(kept.values(), labels)
    _check_votes(kept)
    _check_genders(kept.values())
    return kept, reasons


def _require_each_class(utterances: Iterable[EmotionUtterance], labels: LabelsConfig) -> None:
    classes = Counter(labels.class_of[u.label] for u in utterances)
    empty = [name for name in labels.names if name not in classes]
    if empty:
        raise SerError(
            f"labels.yaml: none of {classes.total()} utterances has the class "
            f"{' or '.join(empty)}; expected one or more of each; remove the class, or correct its "
            "labels"
        )


def write_emotion_dir(
    folder: Path,
    kept: Mapping[str, EmotionUtterance],
    reasons: Mapping[str, str],
    labels: LabelsConfig,
) -> None:
    """Maps the labels, and writes tables and ``excluded.tsv`` (utterance, reason).

    Args:
        folder: An empty folder.
        kept: Utterances by id, as ``choose`` gives them, each with an audio file.
        reasons: Why others were left out, by id.
        labels: The class of each corpus label.

    Raises:
        SerError: Audio is missing or unreadable, a class has no utterance, or an attribute has
            the name of a table that stands already.
    """
    _require_each_class(kept.values(), labels)  # what has no sound is gone since they were chosen
    tables = {
        "wav.scp": {utt: str(u.wav.absolute()) for utt, u in kept.items()},
        "text": {utt: u.transcript for utt, u in kept.items()},
        "utt2spk": {utt: u.spk for utt, u in kept.items()},
        "utt2dur": measure_durations({utt: u.wav for utt, u in kept.items()}),
        "utt2emo": {utt: labels.class_of[u.label] for utt, u in kept.items()},
        "utt2emo_raw": {utt: u.label for utt, u in kept.items()},
        "utt2session": {utt: u.session for utt, u in kept.items()},
        "utt2orig": {utt: u.utt_orig for utt, u in kept.items()},
    }
    genders = _genders(kept.values())
    if genders:
        tables["spk2gender"] = genders
    for name in sorted({name for u in kept.values() for name in u.attributes}):
        if name in tables:
            raise SerError(
                f"{name}: an attribute has the name of a table of the corpus; expected another "
                "name; rename it"
            )
        tables[name] = {utt: u.attributes.get(name, "") for utt, u in kept.items()}
    write_data_dir(folder, tables)
    write_exclusions(folder, reasons)
    classes = Counter(tables["utt2emo"].values())
    counts = ", ".join(f"{name} {classes[name]}" for name in labels.names)
    num_speakers = len(set(tables["utt2spk"].values()))
    logger.info("%s utterances of %s speakers: %s", len(kept), num_speakers, counts)


def _check_votes(utterances: Mapping[str, EmotionUtterance]) -> None:
    is_right, expected = VALUES["utt2votes"]
    votes = {utt: u.attributes.get("utt2votes", "") for utt, u in utterances.items()}
    Faults(
        f"{utt}: utt2votes has '{value}'; expected {expected}; correct it, or give what is no "
        "votes another name than 'votes'"
        for utt, value in votes.items()
        if not is_right(value)
    ).raise_any()


def _check_genders(utterances: Iterable[EmotionUtterance]) -> None:
    first: dict[str, EmotionUtterance] = {}
    faults: dict[str, str] = {}
    for u in filter(lambda u: u.gender, utterances):
        other = first.setdefault(u.spk, u)
        if u.gender != other.gender:
            said = f"{u.utt}: the speaker {u.spk} is {u.gender} here and {other.gender} in "
            said += f"{other.utt}; expected one gender of a speaker; correct the corpus's table"
            faults.setdefault(u.spk, said)
    Faults(faults.values()).raise_any()


def _genders(utterances: Iterable[EmotionUtterance]) -> dict[str, str]:
    """The sex of each speaker; of nobody where it is not known of everybody, as the table asks."""
    genders: dict[str, str] = {}
    for u in utterances:
        genders[u.spk] = genders.get(u.spk) or u.gender
    unknown = [spk for spk, gender in genders.items() if not gender]
    if not unknown:
        return genders
    if len(unknown) < len(genders):
        logger.warning(
            "no gender of %s of %s speakers (%s the first): folds are not evened by it",
            len(unknown),
            len(genders),
            unknown[0],
        )
    return {}


def write_exclusions(folder: Path, reasons: Mapping[str, str]) -> None:
    """Lists what was left out in ``excluded.tsv`` and says how many for each reason."""
    lines = (f"{utt}\t{printable(reasons[utt])}\n" for utt in sorted(reasons))
    write_text(folder / "excluded.tsv", "utt\treason\n" + "".join(lines))
    kinds = Counter(reason.partition(":")[0] for reason in reasons.values())
    for reason, count in sorted(kinds.items()):
        said = f"left out {count}: {reason} (listed in excluded.tsv)"
        if reason == NO_AUDIO:
            logger.warning("%s; is the corpus whole?", said)
        else:
            logger.info(said)
