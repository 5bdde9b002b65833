"""IEMOCAP (Busso et al., 2008): the tree of the full release -> emotional utterances.

What most public parsers get wrong, and this one must not: the speaker is the letter of the
*turn* (``Ses01F_impro01_M000`` is spoken by the man; the ``F`` in ``Ses01F`` names who wore the
markers), dialogue names may bear a letter suffix, and the tree holds AppleDouble files, CRLF,
transcript lines without a time, and transcripts of turns that were never cut out as audio.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ser.base.errors import Faults, SerError
from ser.base.files import is_hidden, read_bytes
from ser.config.labels import CountsConfig, LabelsConfig
from ser.corpus.parsers.roots import find_root, holds
from ser.corpus.utterance import EmotionUtterance
from ser.text.normalise import normalise_transcript

UTT = re.compile(
    r"(?P<dialogue>Ses0(?P<session>[1-5])[FM]_(?P<scene>impro\d+|script\d+_\d+)[a-z]?)"
    r"_(?P<letter>[FM])\d{3}"
)
NUMBER = r"\d+(?:\.\d*)?"
TURN = re.compile(
    rf"\[{NUMBER} - {NUMBER}\]\t(?P<utt>\S+)\t(?P<label>\w+)"
    rf"\t\[(?P<vad>{NUMBER}, *{NUMBER}, *{NUMBER})\]"
)
CATEGORICAL_VOTE = re.compile(r"C-(?P<annotator>[EFM]\d+):\t(?P<votes>[^\t]*)")
TRANSCRIPT = re.compile(r"(?P<utt>Ses0\d\S*?)\s*(\[[^\]]*\])?\s*:\s*(?P<words>.*)")
# The annotators' words as the labels that the consensus has; "Other" is none of them.
LABEL_OF_VOTE = {
    "Anger": "ang",
    "Disgust": "dis",
    "Excited": "exc",
    "Fear": "fea",
    "Frustration": "fru",
    "Happiness": "hap",
    "Neutral": "neu",
    "Neutral_state": "neu",
    "Other": "oth",
    "Sadness": "sad",
    "Surprise": "sur",
}
TYPES = {"i": "improvised", "s": "scripted"}
SEXES = {"f": "female", "m": "male"}  # as counts.yaml has them


@dataclass(frozen=True)
class Turn:
    """What ``EmoEvaluation`` says of one turn.

    Attributes:
        label: Consensus label (``neu``, ``xxx`` where there is none).
        vad: Valence, arousal (the release calls it activation) and dominance, 1 to 5.
        votes: Labels by annotator (``E1``...; ``F1`` and ``M1`` are the actors themselves).
    """

    label: str
    vad: str
    votes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Iemocap:
    """A parsed tree.

    Attributes:
        utterances: All labelled turns that have audio and a transcript.
        left_out: Why a turn is not among them, by our id or by the published one.
        incomplete: Labelled turns whose audio or transcript is missing, with what is missing.
        unlabelled: Label files that are missing, by the dialogues that have audio.
    """

    utterances: list[EmotionUtterance]
    left_out: dict[str, str]
    incomplete: dict[str, str]
    unlabelled: list[Path]


def read_iemocap(root: Path) -> Iemocap:
    """Parses the whole tree.

    Args:
        root: ``IEMOCAP_full_release``.

    Raises:
        SerError: The path does not exist, holds no session, or a file is malformed.
    """
    if not root.is_dir():
        raise SerError(f"{root}: no such folder; expected IEMOCAP_full_release; set IEMOCAP")
    root = find_root(root, "Session1 to Session5", holds("Session[1-5]/dialog"), ["Session[1-5]"])
    sessions = sorted(path for path in root.glob("Session[1-5]") if path.is_dir())
    if not sessions:
        raise SerError(f"{root}: holds no Session1 to Session5; expected IEMOCAP_full_release")
    corpus = Iemocap([], {}, {}, [])
    faults = Faults()
    for session in sessions:
        with faults.noted():
            turns = _read_evaluations(session / "dialog" / "EmoEvaluation")
            words = _read_transcripts(session / "dialog" / "transcriptions")
            for orig, turn in turns.items():
                _add_turn(corpus, session, orig, turn, words.get(orig))
            for orig in words.keys() - turns.keys():
                corpus.left_out[orig] = "transcript of a turn without label"
            _look_at_audio(corpus, session, turns)
    faults.raise_any()
    return corpus


def _look_at_audio(corpus: Iemocap, session: Path, turns: Mapping[str, Turn]) -> None:
    """Notes audio that no label speaks of."""
    for dialogue in sorted((session / "sentences" / "wav").glob("Ses*")):
        labels = session / "dialog" / "EmoEvaluation" / f"{dialogue.name}.txt"
        if not labels.is_file():
            corpus.unlabelled.append(labels)
        for wav in dialogue.glob("*.[Ww][Aa][Vv]"):
            if wav.stem not in turns and not is_hidden(wav, dialogue):
                corpus.left_out[wav.stem] = "audio of a turn without label"


def _add_turn(corpus: Iemocap, session: Path, orig: str, turn: Turn, words: str | None) -> None:
    match = UTT.fullmatch(orig)
    assert match, orig  # _read_evaluations has checked it
    spk = f"Ses0{match['session']}{match['letter']}"
    wav = session / "sentences" / "wav" / match["dialogue"] / f"{orig}.wav"
    if not wav.is_file() and wav.with_suffix(".WAV").is_file():
        wav = wav.with_suffix(".WAV")
    missing = [str(wav)] * (not wav.is_file()) + ["transcript"] * (words is None)
    if missing or words is None:
        corpus.incomplete[f"{spk}-{orig}"] = "missing: " + ", ".join(missing)
        return
    given = sorted((who, labels) for who, labels in turn.votes.items() if labels)
    votes = " ".join(f"{who}={','.join(labels)}" for who, labels in given)
    corpus.utterances.append(
        EmotionUtterance(
            utt=f"{spk}-{orig}",
            utt_orig=orig,
            spk=spk,
            gender=match["letter"].lower(),
            session=match["session"],
            label=turn.label,
            wav=wav,
            transcript=normalise_transcript(words),
            attributes={
                "utt2dialogue": match["dialogue"],
                "utt2scene": match["scene"],
                "utt2type": TYPES[match["scene"][0]],
                "utt2votes": votes,
                "utt2vad": turn.vad,
            },
        )
    )


def _lines(folder: Path) -> Iterator[tuple[Path, int, str]]:
    """Lines of a folder's own text files, AppleDouble files and sub-folders left aside."""
    if not folder.is_dir():
        raise SerError(f"{folder}: no such folder; expected a whole session; restore it")
    for path in sorted(folder.glob("*.txt")):
        if is_hidden(path, folder):
            continue
        content = read_bytes(path)
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = content.decode("cp1252", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            yield path, number, line.rstrip()


def _read_evaluations(folder: Path) -> dict[str, Turn]:
    """Consensus label, dimensions and votes of each turn."""
    turns: dict[str, Turn] = {}
    votes: dict[str, tuple[str, ...]] = {}
    faults = Faults()
    for path, number, line in _lines(folder):
        with faults.noted():
            if turn := TURN.match(line):
                orig = turn["utt"]
                if not UTT.fullmatch(orig):
                    raise SerError(
                        f"{path}:{number}: '{orig}' is no turn of IEMOCAP; expected a name like "
                        "Ses01F_impro01_M000; correct the line"
                    )
                if orig in turns:
                    raise SerError(f"{path}:{number}: {orig} occurs twice; expected it once")
                votes = {}
                vad = " ".join(f"{float(x):g}" for x in turn["vad"].split(","))
                turns[orig] = Turn(turn["label"], vad, votes)
            elif line.startswith("["):
                raise SerError(
                    f"{path}:{number}: '{line}' is no turn; expected "
                    "[start - end]<TAB>turn<TAB>emotion<TAB>[V, A, D]; correct the line"
                )
            elif turns and (vote := CATEGORICAL_VOTE.match(line)):
                labels = [label.strip().replace(" ", "_") for label in vote["votes"].split(";")]
                votes[vote["annotator"]] = tuple(LABEL_OF_VOTE.get(x, x) for x in labels if x)
    faults.raise_any()
    return turns


def _read_transcripts(folder: Path) -> dict[str, str]:
    """Words of each turn; lines without the id of a turn (``F: Yeah.``) belong to none."""
    words: dict[str, str] = {}
    faults = Faults()
    for path, number, line in _lines(folder):
        match = TRANSCRIPT.match(line)
        if match and words.setdefault(match["utt"], match["words"]) != match["words"]:
            faults.add(
                f"{path}:{number}: {match['utt']} has two different transcripts; expected one"
            )
    faults.raise_any()
    return words


def differences_from_counts(
    corpus: Iemocap, labels: LabelsConfig, expected: CountsConfig
) -> list[str]:
    """Where the class-by-session table differs from what a whole corpus holds.

    Returns:
        A sentence for each difference and for what is missing; empty for a whole corpus.
    """
    found: dict[str, Counter[str]] = {session: Counter() for session in expected.sessions}
    for u in corpus.utterances:
        if u.label in labels.class_of:
            found.setdefault(u.session, Counter()).update((u.label, SEXES[u.gender]))
    said = []
    for session, row in sorted(found.items()):
        wanted = expected.sessions.get(session, {})
        for key in sorted(row.keys() | wanted.keys()):
            have, want = row[key], wanted.get(key, 0)
            if have != want:
                said.append(f"session {session}: {key} {have}, expected {want} ({have - want:+d})")
    if len(corpus.utterances) != expected.labelled_utterances:
        said.append(
            f"labelled utterances {len(corpus.utterances)}, expected {expected.labelled_utterances}"
        )
    said += [f"{path}: missing" for path in corpus.unlabelled]
    said += [f"{utt}: {what}" for utt, what in sorted(corpus.incomplete.items())]
    return said
