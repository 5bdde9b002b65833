"""A corpus whose answers are known: read and emotional speech of eSpeak NG in real layouts.

`LibriSpeech` holds read sentences that are neutral: words of all classes stand in the same places.
`IEMOCAP_full_release` holds short turns, a quarter each of ang, hap (with exc), neu and sad. In
one half of each class ("prosody") the words are fillers and only the voice shows the class; in the
other half ("words") the voice is neutral and two words of the class's lexicon show it. Counted in
eighths of all turns, what a listener can reach at best:

- voice alone: the prosody turns of ang, hap and sad are recognised, 3/8. The other 5/8 all sound
  neutral: neutral prosody turns, and the word turns of each class, 1/8 each. "Neutral" is right
  for 2 of these 5. WA = 5/8 = 62.5 %; recall is 1/2, 1/2, 1, 1/2, so UA = 62.5 %;
- words alone: all word turns are recognised, 4/8, and a quarter of the others by chance, 1/8.
  WA = UA = 62.5 %;
- both: every turn is recognised, 100 %.

A fifth of the turns are script lines, the same texts in every session. A line with emotion words
has the same class in every session. The classes of the prosody lines are dealt anew for each
session, so knowing a line by heart adds nothing to its emotion words.
"""

import itertools
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import yaml
from tqdm import tqdm

from ser.audio.writing import write_audio
from ser.corpus.synthetic.espeak import SAMPLE_RATE_HZ, Prosody, speak
from ser.corpus.synthetic.iemocap import named_turns, write_iemocap, write_lines
from ser.corpus.synthetic.text import SESSIONS, Turn, plan_dialogues, plan_sentences

DEV_SHARE = 0.06  # of the read sentences
CHAPTER_SENTENCES = 40
READ_VOICES: dict[str, dict[str, str]] = {  # subset -> eSpeak variant -> sex
    "train-clean-100": dict.fromkeys(
        "Alicia Andrea anika Annie aunty belinda grandma linda shelby steph steph2".split(),
        "F",
    )
    | dict.fromkeys(
        "Alex Andy antonio Denis ed Gene Gene2 grandpa Jacky john Mario max michel Michael Mike m6 "
        "m7 m8 Nguyen pedro quincy robert sandro Storm victor".split(),
        "M",
    ),
    "dev-clean": dict.fromkeys(("Lee", "paul"), "M") | {"steph3": "F"},
}
COUNTED = ("ang", "hap", "exc", "neu", "sad", "female", "male")  # the columns of counts.yaml
READERS_HEADER = ";ID  |SEX| SUBSET           |MINUTES| NAME"
FIRST_READER = 1001  # LibriSpeech's readers are numbers


def write_corpora(
    root: Path, *, num_emotion_turns: int = 600, num_read_sentences: int = 1500, seed: int = 1
) -> None:
    """Writes both corpora and what is known of them; the same arguments give the same bytes.

    Args:
        root: Folder that will hold `IEMOCAP_full_release`, `LibriSpeech`, `cue.tsv` (cue of each
            turn of the five labels), `counts.yaml` and `script_lines.txt`. It appears complete.
        num_emotion_turns: Turns labelled ang, hap, exc, neu or sad, at least 80.
        num_read_sentences: Sentences of both LibriSpeech subsets, at least 60.
        seed: Of the texts, the prosody and the annotators.

    Raises:
        SerError: If one of the numbers is too small.
        OSError: If `root` exists and is not an empty folder.
    """
    dialogues = plan_dialogues(num_emotion_turns, random.Random(f"{seed} turns"))
    sentences = plan_sentences(num_read_sentences, random.Random(f"{seed} sentences"))
    num_turns = sum(map(len, dialogues.values()))
    root.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=root.parent, prefix=f".{root.name}.") as scratch,
        tqdm(total=num_turns + len(sentences), unit="utt", desc="speaking", disable=None) as bar,
    ):
        whole = Path(scratch) / root.name
        write_iemocap(
            whole / "IEMOCAP_full_release", dialogues, random.Random(f"{seed} acting"), bar
        )
        _write_librispeech(whole / "LibriSpeech", sentences, random.Random(f"{seed} reading"), bar)
        _write_answers(whole, dialogues)
        whole.rename(root)


def _write_librispeech(
    release: Path, sentences: list[str], rng: random.Random, bar: "tqdm[NoReturn]"
) -> None:
    num_dev = round(DEV_SHARE * len(sentences))
    cut = len(sentences) - num_dev
    subsets = {"train-clean-100": sentences[:cut], "dev-clean": sentences[cut:]}
    table = ["; Generated speech; the readers are voices of eSpeak NG.", READERS_HEADER]
    readers = itertools.count(FIRST_READER)
    for subset, voices in READ_VOICES.items():
        for number, (voice, sex) in enumerate(voices.items()):
            reader = next(readers)
            read = subsets[subset][number :: len(voices)]
            seconds = 0.0
            for first in range(0, len(read), CHAPTER_SENTENCES):
                chapter = f"{100 * reader + first // CHAPTER_SENTENCES}"
                folder = release / subset / f"{reader}" / chapter
                texts = read[first : first + CHAPTER_SENTENCES]
                seconds += _write_chapter(folder, f"{reader}-{chapter}", voice, texts, rng, bar)
            table.append(f"{reader:<5}| {sex} | {subset:<17}| {seconds / 60:.2f} | {voice}")
    write_lines(release / "SPEAKERS.TXT", table)


def _write_chapter(
    folder: Path, stem: str, voice: str, texts: list[str], rng: random.Random, bar: "tqdm[NoReturn]"
) -> float:
    """Writes the audio and the transcript of a chapter; returns its seconds."""
    folder.mkdir(parents=True)
    num_samples = 0
    transcript = []
    for index, text in enumerate(texts):
        prosody = Prosody(
            rate_wpm=rng.randint(130, 215),
            volume=rng.randint(50, 90),
            pitch=rng.randint(30, 80),
            pitch_range=rng.randint(20, 90),
        )
        samples = speak(text, voice, prosody)
        write_audio(folder / f"{stem}-{index:04d}.flac", samples, SAMPLE_RATE_HZ)
        transcript.append(f"{stem}-{index:04d} {text.upper()}")
        num_samples += len(samples)
        bar.update()
    write_lines(folder / f"{stem}.trans.txt", transcript)
    return num_samples / SAMPLE_RATE_HZ


def _write_answers(root: Path, dialogues: Mapping[str, list[Turn]]) -> None:
    """Writes what is known by construction: the counts, the cues and the script lines."""
    cues = []
    script: dict[str, None] = {}  # a set in order of first use
    counts = {f"{session}": dict.fromkeys(COUNTED, 0) for session in SESSIONS}
    for name, turns in dialogues.items():
        for utt, turn in named_turns(name, turns):
            if turn.cue is None:
                continue
            cues.append(f"{utt}\t{turn.cue}")
            session_counts = counts[f"{int(name[3:5])}"]
            session_counts[turn.label] += 1
            session_counts["female" if turn.sex == "F" else "male"] += 1
            if "_script" in name:
                script[turn.text] = None
    labelled = sum(map(len, dialogues.values()))
    answers = yaml.safe_dump(
        {"sessions": counts, "labelled_utterances": labelled},
        sort_keys=False,
        default_flow_style=None,
    )
    (root / "counts.yaml").write_text(answers, encoding="utf-8")
    write_lines(root / "cue.tsv", cues)
    write_lines(root / "script_lines.txt", list(script))
