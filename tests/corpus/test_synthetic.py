"""The generated corpus is what its documentation says, to the bit."""

import hashlib
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from ser.base.errors import SerError
from ser.corpus.synthetic import corpus as synthetic
from ser.corpus.synthetic import iemocap as synthetic_iemocap
from ser.corpus.synthetic.corpus import READ_VOICES, write_corpora
from ser.corpus.synthetic.iemocap import ACTORS
from ser.corpus.synthetic.text import CLASSES, EXCLUDED_LABELS, LEXICON, SESSIONS, plan_dialogues

TINY = {"num_emotion_turns": 80, "num_read_sentences": 60}
CLASS_OF_WORD = {word: emotion for emotion, words in LEXICON.items() for word in words}
CLASS_OF_LABEL = {**{emotion: emotion for emotion in CLASSES}, "exc": "hap"}


@pytest.fixture(scope="module")
def iemocap(generated: Path) -> Path:
    return generated / "IEMOCAP_full_release"


def digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def label_lines(iemocap: Path) -> dict[str, str]:
    """Utterance to label, read as simply as possible."""
    lines = [
        line.split("\t")
        for path in iemocap.glob("Session*/dialog/EmoEvaluation/Ses*.txt")
        for line in path.read_text().splitlines()
        if line.startswith("[")
    ]
    labels = {utt: label for _, utt, label, _ in lines}
    assert len(labels) == len(lines)
    return labels


def cue_lines(generated: Path) -> dict[str, str]:
    return dict(line.split("\t") for line in (generated / "cue.tsv").read_text().splitlines())


def wav_path(iemocap: Path, utt: str) -> Path:
    folder = iemocap / f"Session{int(utt[3:5])}" / "sentences" / "wav"
    return folder / utt.rpartition("_")[0] / f"{utt}.wav"


@pytest.mark.long
def test_another_process_writes_the_same_bytes(generated: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; "
        "from ser.corpus.synthetic.corpus import write_corpora; "
        f"write_corpora(Path(sys.argv[1]), **{TINY})"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    again = tmp_path / "again"
    subprocess.run([sys.executable, "-c", program, str(again)], check=True, env=environment)
    assert digests(again) == digests(generated)


def test_a_failed_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(synthetic, "speak", fail)
    monkeypatch.setattr(synthetic_iemocap, "speak", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        write_corpora(tmp_path / "corpora", **TINY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("turns", "sentences"), [(79, 60), (80, 59)])
def test_too_small_a_corpus_is_refused(turns: int, sentences: int, tmp_path: Path) -> None:
    with pytest.raises(SerError, match="expected at least"):
        write_corpora(tmp_path / "c", num_emotion_turns=turns, num_read_sentences=sentences)


def test_counts_agree_with_the_files(generated: Path, iemocap: Path) -> None:
    known = yaml.safe_load((generated / "counts.yaml").read_text())
    labels = label_lines(iemocap)
    assert known["labelled_utterances"] == len(labels) == 80 + len(EXCLUDED_LABELS)
    assert set(EXCLUDED_LABELS) <= set(labels.values())
    for session, expected in known["sessions"].items():
        found = {
            utt: label
            for utt, label in labels.items()
            if utt.startswith(f"Ses0{session}") and label not in EXCLUDED_LABELS
        }
        sexes = Counter(utt.rpartition("_")[2][0] for utt in found)
        counted = dict.fromkeys(CLASS_OF_LABEL, 0) | Counter(found.values())
        assert expected == {**counted, "female": sexes["F"], "male": sexes["M"]}
        assert {CLASS_OF_LABEL[label] for label in found.values()} == set(CLASSES)
    five = {utt for utt, label in labels.items() if label not in EXCLUDED_LABELS}
    assert set(cue_lines(generated)) == five


def test_every_labelled_turn_has_16_khz_mono_pcm(iemocap: Path) -> None:
    for utt in label_lines(iemocap):
        info = soundfile.info(wav_path(iemocap, utt))
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        assert 0.3 < info.duration < 5


def test_oddities_of_the_real_trees_are_planted(iemocap: Path) -> None:
    labels = label_lines(iemocap)
    evaluations = list(iemocap.glob("Session*/dialog/EmoEvaluation/Ses*.txt"))
    transcripts = list(iemocap.glob("Session*/dialog/transcriptions/Ses*.txt"))
    for pattern in ("dialog/EmoEvaluation/._*", "dialog/transcriptions/._*", "sentences/wav/*/._*"):
        junk = list(iemocap.glob(f"Session*/{pattern}"))
        assert len(junk) == len(SESSIONS)
        assert all(path.read_bytes().startswith(b"\x00\x05\x16\x07") for path in junk)
    for folder in ("Attribute", "Categorical", "Self-evaluation"):
        assert list(iemocap.glob(f"Session*/dialog/EmoEvaluation/{folder}/*.txt"))
    for paths in (evaluations, transcripts):
        assert {b"\r\n" in path.read_bytes() for path in paths} == {True, False}
    lines = [line for path in transcripts for line in path.read_text().splitlines()]
    assert any(line.split(":")[0] in labels for line in lines)  # no time between id and colon
    assert "F: Yeah." in lines
    without_audio = {line.split()[0] for line in lines if "_FXX1 [" in line}
    assert without_audio and not any(wav_path(iemocap, utt).exists() for utt in without_audio)
    assert any(mark in line for line in lines for mark in ("[LAUGHTER]", "{LG}", "[BREATHING]"))
    votes = [
        line for path in evaluations for line in path.read_text().splitlines() if "C-E" in line
    ]
    assert any(line.count(";") == 2 for line in votes)
    assert any(utt.startswith("Ses03M_impro05a_") for utt in labels)
    assert any(utt.startswith("Ses05M_script01_1b_") for utt in labels)
    assert any(utt[5] != utt.rpartition("_")[2][0] for utt in labels)  # marker is not the speaker


def test_annotators_agree_unless_the_label_is_xxx(iemocap: Path) -> None:
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for path in iemocap.glob("Session*/dialog/EmoEvaluation/Ses*.txt"):
        for line in path.read_text().splitlines():
            if line.startswith("["):
                utt = line.split("\t")[1]
            elif line.startswith("C-E"):
                votes[utt].update(vote.strip() for vote in line.split("\t")[1].split(";")[:-1])
    for utt, label in label_lines(iemocap).items():
        vote, num = votes[utt].most_common(1)[0]
        if label == "xxx":
            assert num == 1
        else:
            assert num >= 2 and vote == synthetic_iemocap.VOTES[label]


def test_librispeech_layout(generated: Path) -> None:
    release = generated / "LibriSpeech"
    table = [
        [field.strip() for field in line.split("|")]
        for line in (release / "SPEAKERS.TXT").read_text().splitlines()
        if not line.startswith(";")
    ]
    assert {(row[1], row[2], row[4]) for row in table} == {
        (sex, subset, voice)
        for subset, sexes in READ_VOICES.items()
        for voice, sex in sexes.items()
    }
    utts = {}
    for path in release.rglob("*.trans.txt"):
        for line in path.read_text().splitlines():
            utt, text = line.split(" ", 1)
            reader, chapter, _ = utt.split("-")
            assert path.parent.parts[-2:] == (reader, chapter)
            assert text == text.upper()
            info = soundfile.info(path.parent / f"{utt}.flac")
            assert (info.samplerate, info.channels) == (16000, 1)
            utts[utt] = text
    assert len(utts) == len(list(release.rglob("*.flac"))) == 60
    assert {word.upper() for word in CLASS_OF_WORD} <= set(" ".join(utts.values()).split())


def test_readers_are_not_actors() -> None:
    readers = [voice for voices in READ_VOICES.values() for voice in voices]
    assert len(set(readers)) == len(readers)
    assert not set(readers) & {actor.voice for actor in ACTORS.values()}


def test_the_voice_tells_the_class_of_prosody_turns_only(generated: Path, iemocap: Path) -> None:
    loudness: dict[tuple[str, str], list[float]] = defaultdict(list)
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    labels = label_lines(iemocap)
    for utt, cue in cue_lines(generated).items():
        samples, rate_hz = soundfile.read(wav_path(iemocap, utt))
        loudness[cue, labels[utt]].append(float(np.sqrt(np.mean(samples**2))))
        seconds[cue, labels[utt]].append(len(samples) / rate_hz)
    assert np.mean(loudness["prosody", "ang"]) > 1.7 * np.mean(loudness["prosody", "sad"])
    assert np.mean(seconds["prosody", "sad"]) > 1.4 * np.mean(seconds["prosody", "ang"])
    assert np.mean(loudness["words", "ang"]) < 1.3 * np.mean(loudness["words", "sad"])
    assert np.mean(seconds["words", "sad"]) < 1.3 * np.mean(seconds["words", "ang"])


def test_script_lines_are_listed(generated: Path) -> None:
    listed = (generated / "script_lines.txt").read_text().splitlines()
    plan = plan_dialogues(80, random.Random("1 turns"))
    script = {turn.text for name, turns in plan.items() if "_script" in name for turn in turns}
    assert set(listed) == script
    assert len(listed) == len(script)
