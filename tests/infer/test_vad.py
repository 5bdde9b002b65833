"""Stretches of speech: where they begin and end, and that each is heard as if it were cut out."""

import json
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from programs import Said
from tiny_audio import untrained_model

from ser.audio.reading import FRAME_SECONDS, INT16_SCALE
from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.corpus.synthetic.espeak import Prosody, speak
from ser.infer import recordings as recordings_module
from ser.infer.engine import Output
from ser.infer.recordings import stream_file
from ser.infer.vad import find_speech
from ser.infer.windows import cut

RATE = 16000
NEAR = 0.1  # seconds by which a stretch begins early and ends late, at most
TEXTS = ("HE LEFT THE HOUSE AT NOON", "WHO IS THERE", "THE RIVER WAS COLD AND VERY WIDE")
PLACES = ((1.0, 2.5), (3.1, 3.6), (5.0, 9.0))


def noise(seconds: float, level_db: float, rate: int = RATE, seed: int = 0) -> Floats:
    """Noise of so much root mean square below full scale."""
    draw = np.random.default_rng(seed).normal(size=round(seconds * rate))
    return (INT16_SCALE * 10 ** (level_db / 20) * draw).astype(np.float32)


def bursts(places: Sequence[tuple[float, float]], seconds: float, rate: int = RATE) -> Floats:
    """Noise whose loudness goes up and down four times a second, as syllables do, at some times."""
    time = np.arange(round(seconds * rate)) / rate
    sound = noise(seconds, -20, rate, seed=1) * (0.6 + 0.4 * np.cos(8 * np.pi * time))
    inside = np.any([(first <= time) & (time < last) for first, last in places], axis=0)
    return np.where(inside, sound, 0).astype(np.float32)


def seconds_of(samples: Floats, rate: int = RATE) -> list[tuple[float, float]]:
    return [(first / rate, last / rate) for first, last in find_speech([samples], rate, 30)]


def hold_near(found: Sequence[tuple[float, float]], places: Sequence[tuple[float, float]]) -> None:
    """Nothing is cut off, and no more than a tenth of a second and a frame is added."""
    assert len(found) == len(places)
    for (start, end), (first, last) in zip(found, places, strict=True):
        assert first - NEAR - FRAME_SECONDS <= start <= first
        assert last <= end <= last + NEAR + FRAME_SECONDS


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("floor_db", [-110, -60, -40])
def test_bursts_are_found_where_they_are(rate: int, floor_db: float) -> None:
    sound = bursts(PLACES, 10, rate) + noise(10, floor_db, rate)
    hold_near(seconds_of(sound, rate), PLACES)


@pytest.mark.parametrize("floor_db", [-70, -50])
def test_sentences_are_found_where_they_are(floor_db: float) -> None:
    """And those of which nothing is around, as in a corpus of utterances, stay whole."""
    prosody = Prosody(rate_wpm=160, volume=100, pitch=50, pitch_range=50)
    spoken = [speak(text, "Andy", prosody).astype(np.float32) for text in TEXTS]
    for utterance in spoken:
        hold_near(seconds_of(utterance), [(0, len(utterance) / RATE)])
    pieces, places, at = [np.zeros(RATE, np.float32)], [], RATE
    for utterance in spoken:
        places.append((at / RATE, (at + len(utterance)) / RATE))
        pieces += [utterance, np.zeros(RATE, np.float32)]
        at += len(utterance) + RATE
    joined = np.concatenate(pieces)
    for (start, end), (first, last) in zip(
        seconds_of(joined + noise(len(joined) / RATE, floor_db)), places, strict=True
    ):
        assert start == pytest.approx(first, abs=NEAR + FRAME_SECONDS)
        assert end == pytest.approx(last, abs=NEAR + FRAME_SECONDS)


def test_what_is_no_speech() -> None:
    time = np.arange(70 * RATE) / RATE
    hum = (3000 * np.sin(2 * np.pi * 50 * time)).astype(np.float32)
    clicks = noise(70, -60)
    clicks[RATE :: 4 * RATE] = 20000
    for samples in (noise(70, -30), hum, hum + bursts([(3, 6)], 70) / 1000, clicks):
        assert seconds_of(samples) == []
    for samples in (noise(0, -30), noise(0.01, -30), np.zeros(RATE, np.float32)):
        assert seconds_of(samples) == []


def test_rumble_and_a_fan_that_is_turned_on_do_not_hide_it() -> None:
    places = [(10.0, 14.0), (20.0, 21.0), (150.0, 153.0), (160.0, 163.0)]
    time = np.arange(240 * RATE) / RATE
    fan = np.where(time < 90, noise(240, -65), noise(240, -45))
    hum = 8000 * np.sin(2 * np.pi * 50 * time)  # louder than the speech
    found = seconds_of((bursts(places, 240) + fan + hum).astype(np.float32))
    away = [(start, end) for start, end in found if not 85 < start < 125]
    hold_near(away, places)


def test_pauses_and_the_least() -> None:
    sound = bursts([(1, 2), (2.2, 3), (3.5, 4.5), (6, 6.1)], 8) + noise(8, -60)
    hold_near(seconds_of(sound), [(1, 3), (3.5, 4.5)])


def test_a_long_stretch_is_divided_where_it_is_quietest() -> None:
    sound = bursts([(1, 101)], 130)
    gaps = (20.0, 37.0, 52.0, 71.0, 85.0)
    for gap in gaps:
        sound[int(gap * RATE) : int((gap + 0.1) * RATE)] *= 0.01
    found = seconds_of(sound + noise(130, -65))
    hold_near([(found[0][0], found[-1][1])], [(1, 101)])
    for (_, end), (start, _) in pairwise(found):
        assert end == start
        assert any(gap <= end <= gap + 0.1 for gap in gaps)
    assert len(found) >= 4
    assert all(end - start <= 30 for start, end in found)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_what_is_cut_is_what_was_asked_for(chunk: int) -> None:
    stream = np.arange(53, dtype=np.float32)
    stretches = [(3, 9), (9, 10), (30, 44), (52, 53)]
    pieces = [stream[i : i + chunk] for i in range(0, len(stream), chunk)]
    found = [(first, samples.tolist()) for first, samples in cut(pieces, stretches)]
    assert found == [(first, stream[first:last].tolist()) for first, last in stretches]


@pytest.mark.long
def test_a_long_recording_is_never_in_memory(tmp_path: Path) -> None:
    path, minute = tmp_path / "long.wav", bursts([(5, 55)], 60, 8000) + noise(60, -60, 8000)
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(10):
            file.write(minute / INT16_SCALE)
    tracemalloc.start()
    stretches = find_speech(stream_file(path, RATE), RATE, 30)
    num_samples = sum(len(samples) for _, samples in cut(stream_file(path, RATE), stretches))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert num_samples == sum(last - first for first, last in stretches)
    assert num_samples == pytest.approx(10 * 50 * RATE, rel=0.01)
    assert peak < 10e6  # the whole is 38 MB


@pytest.mark.parametrize("rate", [8000, 16000])
def test_each_is_heard_as_if_it_were_cut_out(rate: int, tmp_path: Path) -> None:
    samples = (bursts(PLACES, 10, rate) + noise(10, -50, rate)) / INT16_SCALE
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, rate, subtype="FLOAT")
    model = untrained_model()
    whole = np.concatenate(list(stream_file(path, RATE))) / INT16_SCALE
    found = list(model.predict_speech(path))
    hold_near([(one.start, one.end) for one in found], PLACES)
    for one in found:
        piece = whole[round(one.start * RATE) : round(one.end * RATE)]
        alone = model.predict(piece, RATE)
        assert (one.path, one.label, one.flag) == (str(path), alone.label, None)
        assert one.posteriors == alone.posteriors
    assert list(replace(model, batch_size=1).predict_speech(str(path))) == found
    for audio in (path.read_bytes(), path.open("rb")):
        assert [replace(one, path=str(path)) for one in model.predict_speech(audio)] == found
    array = model.predict_speech(samples, rate)
    assert [(one.start, one.label) for one in array] == [(one.start, one.label) for one in found]
    with pytest.raises(SerError, match="sample_rate 8000: beside a file"):
        next(model.predict_speech(path, 8000))


def test_no_more_is_read_than_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first result is there before the second reading is at its end."""
    soundfile.write(tmp_path / "a.wav", bursts(PLACES, 60) / INT16_SCALE, RATE)
    heard: list[int] = []

    def note(path: Path, rate: int) -> object:
        heard.append(0)
        for piece in stream_file(path, rate):
            heard[-1] += len(piece)
            yield piece

    def engine(inputs: Sequence[Floats]) -> list[Output]:
        assert len(inputs) == 1
        return model.engine(inputs)

    monkeypatch.setattr(recordings_module, "stream_file", note)
    model = untrained_model()
    next(replace(model, engine=engine, batch_size=1).predict_speech(tmp_path / "a.wav"))
    assert heard[0] == 60 * RATE and heard[1] <= 4 * RATE


@pytest.fixture
def recordings(tmp_path: Path) -> list[Path]:
    """One with speech, one without, and one that is no audio."""
    paths = [tmp_path / f"{name}.wav" for name in ("talk", "empty", "broken")]
    soundfile.write(paths[0], (bursts(PLACES, 10) + noise(10, -50)) / INT16_SCALE, RATE)
    soundfile.write(paths[1], noise(10, -50) / INT16_SCALE, RATE)
    paths[2].write_bytes(b"RIFF")
    return paths


def test_a_line_for_each_in_every_format(
    ser_predict_here: Callable[..., Said], recordings: list[Path]
) -> None:
    talk, empty, broken = recordings
    said = {
        form: ser_predict_here(talk, empty, "--segments", "vad", "--format", form)
        for form in ("table", "tsv", "json", "jsonl")
    }
    for one in said.values():
        assert (one.status, one.err) == (0, f"warning: {empty}: no speech; no line\n")
    found = json.loads(said["json"].out)
    hold_near([(one["start"], one["end"]) for one in found], PLACES)
    assert [json.loads(line) for line in said["jsonl"].out.splitlines()] == found
    for form in ("table", "tsv"):
        header, *rows = (line.split() for line in said[form].out.splitlines())
        assert header[:4] == ["path", "start", "end", "label"]
        assert [row[:4] for row in rows] == [
            [str(talk), f"{one['start']:.2f}", f"{one['end']:.2f}", one["label"]] for one in found
        ]
    bad = ser_predict_here(broken, talk, "--segments", "vad", "--format", "jsonl")
    assert bad.status == 1 and bad.err.startswith(f"error: {broken}: ")
    assert [json.loads(line) for line in bad.out.splitlines()] == found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.wav", "--window", "2"], "--segments vad with --window 2; expected one of the two"),
        (["a.wav", "--window", "0"], "--segments vad with --window 0; expected one of the two"),
        (["a.wav", "--hop", "1"], "--segments vad with --hop 1; expected one of the two"),
        (["a.wav", "--html", "x.html"], "--segments vad with --html x.html; expected one of"),
        (["-"], "--segments vad with -; expected a file, whose noise is known before"),
    ],
)
def test_what_contradicts_it_is_refused_at_once(
    words: list[str],
    message: str,
    ser_predict_here: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ser.bin.ser_predict.load", lambda *_: pytest.fail("loaded"))
    said = ser_predict_here(*words, "--segments", "vad")
    assert said.status == 1 and message in said.err and said.err.count("\n") == 1
