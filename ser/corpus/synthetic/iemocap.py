"""The generated IEMOCAP: audio, evaluations, transcripts, and the oddities of the real tree."""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from ser.audio.writing import write_audio
from ser.corpus.synthetic.espeak import SAMPLE_RATE_HZ, Prosody, speak
from ser.corpus.synthetic.text import SESSIONS, Turn

ODD_SCENE = "impro01"  # its dialogues carry what a parser must survive
CRLF_SESSIONS = (2, 4)
MARKUP = ("[LAUGHTER] {}", "{} {{LG}}", "{} [BREATHING]")  # written, not spoken
MARKUP_PROB = 0.08
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(58)
VOTES = {
    "ang": "Anger",
    "hap": "Happiness",
    "exc": "Excited",
    "neu": "Neutral",
    "sad": "Sadness",
    "fru": "Frustration",
    "sur": "Surprise",
    "fea": "Fear",
    "dis": "Disgust",
    "oth": "Other",
}


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A voice of eSpeak and its neutral prosody."""

    voice: str
    rate_wpm: int
    pitch: int


# The actors differ in rate and pitch, so that what is fast or high for one is ordinary for another.
ACTORS = {
    (session, sex): Actor(voice=f"{sex.lower()}{session}", rate_wpm=rate_wpm, pitch=pitch)
    for (session, sex), rate_wpm, pitch in zip(
        [(session, sex) for session in SESSIONS for sex in "FM"],
        (180, 168, 170, 186, 164, 176, 188, 172, 174, 182),
        (40, 46, 48, 38, 44, 50, 36, 42, 45, 47),
        strict=True,
    )
}


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a class is voiced, against the speaker's own neutral voice."""

    rate: float = 1.0  # factor
    volume: float = 1.0  # factor
    pitch: int = 0  # added, eSpeak's unit
    pitch_range: int = 0  # added


STYLES = {
    "ang": Style(rate=1.32, volume=1.4, pitch=12, pitch_range=25),
    "hap": Style(rate=1.08, volume=1.15, pitch=40, pitch_range=45),
    "neu": Style(),
    "sad": Style(rate=0.74, volume=0.6, pitch=-22, pitch_range=-32),
}


def write_iemocap(
    release: Path, dialogues: Mapping[str, list[Turn]], rng: random.Random, bar: "tqdm[NoReturn]"
) -> None:
    """Writes the five sessions: audio, evaluations, transcripts, and the oddities of real trees."""
    for name, turns in dialogues.items():
        session = int(name[3:5])
        folder = release / f"Session{session}"
        wav_folder = folder / "sentences" / "wav" / name
        wav_folder.mkdir(parents=True)
        labels = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
        transcript = []
        end = 0.0
        for utt, turn in named_turns(name, turns):
            actor = ACTORS[session, turn.sex]
            samples = speak(turn.text, actor.voice, _prosody(STYLES[turn.voiced_as], actor, rng))
            write_audio(wav_folder / f"{utt}.wav", samples, SAMPLE_RATE_HZ, "PCM_16")
            start = end + rng.uniform(0.3, 1.5)
            end = start + len(samples) / SAMPLE_RATE_HZ
            labels += _evaluation(utt, turn, start, end, rng)
            transcript.append(f"{utt} [{start:08.4f}-{end:08.4f}]: {_written(turn.text, rng)}")
            bar.update()
        if name.endswith(ODD_SCENE):
            _plant_oddities(folder, name, transcript)
        newline = "\r\n" if session in CRLF_SESSIONS else "\n"
        write_lines(folder / "dialog" / "EmoEvaluation" / f"{name}.txt", labels, newline)
        write_lines(folder / "dialog" / "transcriptions" / f"{name}.txt", transcript, newline)


def named_turns(dialogue: str, turns: list[Turn]) -> Iterator[tuple[str, Turn]]:
    """Gives each turn its id, which counts the turns of its actor in the dialogue."""
    spoken: Counter[str] = Counter()
    for turn in turns:
        yield f"{dialogue}_{turn.sex}{spoken[turn.sex]:03d}", turn
        spoken[turn.sex] += 1


def _prosody(style: Style, actor: Actor, rng: random.Random) -> Prosody:
    return Prosody(
        rate_wpm=round(actor.rate_wpm * style.rate * rng.uniform(0.94, 1.06)),
        volume=round(70 * style.volume * rng.uniform(0.85, 1.15)),
        pitch=actor.pitch + style.pitch + rng.randint(-5, 5),
        pitch_range=50 + style.pitch_range + rng.randint(-5, 5),
    )


def _written(text: str, rng: random.Random) -> str:
    """The text as a transcriber writes it; none of the choices depends on the class."""
    sentence = " ".join("I" if word == "i" else word for word in text.split())
    sentence = sentence[0].upper() + sentence[1:] + rng.choice(".....!?")
    return rng.choice(MARKUP).format(sentence) if rng.random() < MARKUP_PROB else sentence


def _evaluation(utt: str, turn: Turn, start: float, end: float, rng: random.Random) -> list[str]:
    """The block of a turn: three annotators, two or three of one mind but for xxx; the actor."""
    others = rng.sample([name for label, name in VOTES.items() if label != turn.label], 3)
    if turn.label == "xxx":
        votes = others
    else:
        votes = [VOTES[turn.label]] * 2 + [VOTES[turn.label] if rng.random() < 0.7 else others[0]]
        rng.shuffle(votes)
    if turn.label != "xxx" and rng.random() < 0.15:  # an annotator may vote twice
        votes[0] += f"; {others[1]}"
    self_vote = VOTES.get(turn.label, others[0]) if rng.random() < 0.6 else others[2]
    marks = [[rng.randint(1, 5) for _ in range(3)] for _ in range(2)]
    mean = ", ".join(f"{sum(pair) / 2:.4f}" for pair in zip(*marks, strict=True))
    block = [f"[{start:.4f} - {end:.4f}]\t{utt}\t{turn.label}\t[{mean}]"]
    annotators = ("C-E2", "C-E3", "C-E4", f"C-{turn.sex}1")
    for annotator, vote in zip(annotators, [*votes, self_vote], strict=True):
        block.append(f"{annotator}:\t{vote};\t()")
    for annotator, (valence, activation, dominance) in zip(
        ("A-E3", "A-E4", f"A-{turn.sex}1"), [*marks, marks[0]], strict=True
    ):
        block.append(f"{annotator}:\tval {valence}; act {activation}; dom  {dominance};\t()")
    return [*block, ""]


def _plant_oddities(session_folder: Path, dialogue: str, transcript: list[str]) -> None:
    """Adds to one dialogue what real trees hold and no parser may take for a turn."""
    dialog, wav = session_folder / "dialog", session_folder / "sentences" / "wav" / dialogue
    first_utt = transcript[0].split()[0]
    for name in ("Attribute", "Categorical", "Self-evaluation"):  # not the consensus
        decoy = f"[0.0000 - 1.0000]\t{first_utt}\txxx\t[1.0000, 1.0000, 1.0000]"
        write_lines(dialog / "EmoEvaluation" / name / f"{dialogue}.txt", [decoy])
    (dialog / "transcriptions").mkdir(exist_ok=True)
    for junk in (
        dialog / "EmoEvaluation" / f"._{dialogue}.txt",
        dialog / "transcriptions" / f"._{dialogue}.txt",
        wav / f"._{first_utt}.wav",
    ):
        junk.write_bytes(APPLE_DOUBLE)
    transcript[0] = re.sub(r" \[.*?\]:", ":", transcript[0], count=1)  # a line without a time
    transcript += ["F: Yeah.", f"{dialogue}_FXX1 [000.1000-000.2000]: Yes."]  # no id; no audio


def write_lines(path: Path, lines: list[str], newline: str = "\n") -> None:
    """Writes a text file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline=newline)
