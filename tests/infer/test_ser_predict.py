"""``ser-predict``: what it takes, what it prints, and what it says of what it cannot read."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpora import plant_sound
from processes import wait_until
from programs import call, command, start
from tiny import tsv_rows
from tiny_audio import plant_files, run_folder, untrained_model
from tiny_recipe import WORDS

from ser.infer.loading import load
from ser.infer.output_formats import printer


@pytest.fixture(scope="module")
def run(trained_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run alone, away from its recipe."""
    alone = tmp_path_factory.mktemp("away") / "alone"
    return shutil.copytree(trained_recipe / run_folder("transformer_tl_mtl", "1"), alone)


@pytest.fixture
def audio(tmp_path: Path) -> list[Path]:
    (tmp_path / "audio").mkdir()
    return plant_files(tmp_path / "audio")


def test_a_line_for_each_file(run: Path, audio: list[Path]) -> None:
    result = start("ser_predict", run, *audio, "--format", "tsv")
    assert result.status == 0
    short = audio[-1]
    assert result.err == f"warning: {short}: too short; no label (--any-audio gives one)\n"
    rows = tsv_rows(result.out)
    assert list(rows[0]) == ["path", "label", *(f"post_{name}" for name in WORDS), "words"]
    assert [row["path"] for row in rows] == [str(path) for path in audio]
    for row in rows:
        posteriors = {name: float(row[f"post_{name}"]) for name in WORDS}
        assert sum(posteriors.values()) == pytest.approx(1, abs=5e-6)
        best = max(posteriors, key=lambda name: posteriors[name])
        assert row["label"] == ("-" if row["path"] == str(short) else best)


def test_the_formats_say_the_same(run: Path, audio: list[Path]) -> None:
    table, tsv, whole, lines = (
        call("ser_predict", run, *audio, "--format", form).out
        for form in ("table", "tsv", "json", "jsonl")
    )
    found = json.loads(whole)
    assert [json.loads(line) for line in lines.splitlines()] == found
    keys = {"path", "label", "posteriors", "words", "flag"}
    assert [set(item) for item in found] == [keys] * len(audio)
    assert [item["path"] for item in found] == [str(path) for path in audio]
    for item, row, line in zip(found, tsv_rows(tsv), table.splitlines()[1:], strict=True):
        assert list(item["posteriors"]) == list(WORDS)
        assert (item["label"] or "-", item["words"]) == (row["label"], row["words"])
        assert line.split()[:2] == [item["path"], row["label"]]


def test_json_is_printed_where_ctrl_c_ends_the_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = untrained_model()
    result = model.predict(np.ones(9000), 16000)
    with (
        pytest.raises(KeyboardInterrupt),
        printer("json", model, sys.stdout, timed=True) as show,
    ):
        show(result)
        raise KeyboardInterrupt
    assert json.loads(capsys.readouterr().out)[0]["posteriors"] == result.posteriors


def test_folders_lists_and_a_threshold(run: Path, audio: list[Path], tmp_path: Path) -> None:
    (audio[0].parent / "._a.wav").write_bytes(b"AppleDouble")
    (audio[0].parent / "notes.txt").write_text("no audio")
    scp = tmp_path / "wav.scp"
    scp.write_text(f"u1 {audio[1]}\nu2 {audio[0]}\n")
    options = ["--format", "tsv", "--threshold", "0.999999"]
    rows = tsv_rows(call("ser_predict", run, audio[0].parent, scp, *options).out)
    assert [row["path"] for row in rows] == [str(p) for p in [*sorted(audio), audio[1], audio[0]]]
    assert {row["label"] for row in rows} == {"-"}


def test_a_bad_file_is_named_and_the_others_go_on(run: Path, audio: list[Path]) -> None:
    folder = audio[0].parent
    (folder / "broken.wav").write_bytes(audio[0].read_bytes()[:30])
    (folder / "text.wav").write_text("this is no audio")
    soundfile.write(folder / "empty.wav", np.zeros(0), 16000)
    soundfile.write(folder / "nan.wav", np.full(9000, np.nan), 16000, subtype="FLOAT")
    bad = [folder / f"{name}.wav" for name in ("broken", "text", "empty", "nan", "absent")]
    result = call("ser_predict", run, audio[0], *bad, audio[1], "--format", "tsv")
    assert result.status == 1
    assert [row["path"] for row in tsv_rows(result.out)] == [str(audio[0]), str(audio[1])]
    errors = result.err.splitlines()
    assert len(errors) == len(bad)
    for path, line in zip(bad, errors, strict=True):
        assert line.startswith(f"error: {path}: ")


def test_odd_audio_is_predicted(run: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    odd = {
        "silence": (np.zeros(16000), 16000),
        "short": (random.normal(size=800), 16000),
        "clipped": (np.sign(random.normal(size=16000)), 16000),
        "192k": (0.1 * random.normal(size=192000), 192000),
        "twelve": (0.1 * random.normal(size=(16000, 12)), 16000),
    }
    for name, (samples, rate) in odd.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, rate)
    result = call("ser_predict", run, *(tmp_path / f"{n}.wav" for n in odd), "--format", "jsonl")
    assert result.status == 0
    told = {Path(line["path"]).stem: line for line in map(json.loads, result.out.splitlines())}
    assert told.keys() == odd.keys()
    assert all(np.isfinite(list(line["posteriors"].values())).all() for line in told.values())
    flags = {name: line["flag"] for name, line in told.items()}
    assert flags == {
        "silence": "silence",
        "short": "clipped",
        "clipped": "clipped",
        "192k": None,
        "twelve": None,
    }
    assert {name for name, line in told.items() if line["label"] is None} == {
        name for name, flag in flags.items() if flag
    }
    assert result.err.count("\n") == 3
    assert f"warning: {tmp_path}/silence.wav: silence; no label (--any-audio gives" in result.err
    anyway = call("ser_predict", run, tmp_path / "silence.wav", "--any-audio", "--format", "jsonl")
    assert json.loads(anyway.out)["label"] and json.loads(anyway.out)["flag"] == "silence"
    assert "silence; its label means nothing" in anyway.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{empty}"], "0 audio files in it"),
        (["{empty}/none.wav"], "none.wav: no such file"),
        (["-", "{audio}"], "-: standard input stands alone"),
        (["{scp}"], "commands are not run here"),
        (["{audio}", "--threshold", "1.5"], "--threshold 1.5: expected 0 to 1"),
        (["{audio}", "--batch", "0"], "--batch 0: expected 1 to 4096"),
        (["{audio}", "--hop", "1"], "--hop 1 without --window"),
        (["{audio}", "--device", "cuda:7"], "--device cuda:7: not usable here"),
        (["{audio}", "--device", "toaster"], "--device toaster: no device; expected cpu, cuda"),
        (["{audio}", "--device", "meta"], "--device meta: no device; expected cpu, cuda"),
        (["-", "--rate", "0"], "--rate 0: expected 1000 to 1e+06"),
        (["{audio}", "--threads", "0"], "--threads 0: expected 1 to 4096"),
        (["{audio}", "--window", "0.001"], "--window 0.001 --hop 0.001: expected seconds"),
        (["{audio}", "{audio}", "--window", "0"], "--window 0 --hop 0: expected seconds"),
        (["-", "--hop", "4"], "--window 1.49 --hop 4: expected seconds"),
        (["{audio}", "--window", "1", "--hop", "0"], "--window 1 --hop 0: expected seconds"),
        (["-", "--hop", "0", "--window", "1"], "--window 1 --hop 0: expected seconds"),
        (["{audio}", "--window", "nan"], "--window nan --hop nan: expected seconds"),
        (["{audio}", "--html", "{empty}/none/x.html"], "none: no such folder"),
        (["{audio}", "{audio}", "--html", "{empty}/x.html"], "2 files; expected one INPUT"),
    ],
)
def test_wrong_calls_are_one_line(
    run: Path, audio: list[Path], tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "pipe.scp").write_text("u1 touch /tmp/never |\n")
    places = {"audio": audio[0], "empty": tmp_path / "empty", "scp": tmp_path / "pipe.scp"}
    result = call("ser_predict", run, *(word.format(**places) for word in words))
    assert result.status == 1
    assert result.err.startswith("error: ")
    assert message in result.err
    assert result.err.count("\n") == 1


def test_a_file_whose_name_says_another_format(run: Path, tmp_path: Path) -> None:
    """A download is often called .mp3, whatever it is."""
    plant_sound(tmp_path / "a.m4a", "aac", 16000, {}, 2.0)
    named = (tmp_path / "a.m4a").rename(tmp_path / "a.mp3")
    (tmp_path / "b.mp3").write_bytes(b"no sound at all" * 400)
    said = call("ser_predict", run, named, tmp_path / "b.mp3", "--format", "tsv")
    assert [row["path"] for row in tsv_rows(said.out)] == [str(named)]
    assert "b.mp3: not readable as audio (b.mp3; another format than its name says)" in said.err


def test_options_may_stand_anywhere(
    run: Path, audio: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    said = call("ser_predict", run, "--format", "tsv", audio[0], "--any-audio", "--threads", "1")
    assert (said.status, len(tsv_rows(said.out))) == (0, 1)
    said = call("ser_predict", run, "--enrol", audio[0], audio[1])
    assert said.status == 2
    assert "INPUT; --enrol takes all that follows it: write INPUT first" in said.err


def test_a_long_file_tells_that_its_label_is_of_windows(run: Path, tmp_path: Path) -> None:
    for name, seconds in (("a.wav", 29), ("b.wav", 31)):
        noise = 0.1 * np.random.default_rng(0).normal(size=8000 * seconds)
        soundfile.write(tmp_path / name, noise, 8000)
    said = call("ser_predict", run, tmp_path)
    assert said.err == (
        f"note: {tmp_path}/b.wav: 31 s, cut into windows whose posteriors are averaged; --window "
        "or --segments vad give a line for each\n"
    )


def test_windows_of_a_file(run: Path, tmp_path: Path) -> None:
    samples = 0.1 * np.random.default_rng(0).normal(size=int(3.3 * 16000))
    soundfile.write(tmp_path / "long.wav", samples, 16000)
    options = ["--window", "1", "--hop", "0.5", "--format", "tsv"]
    rows = tsv_rows(call("ser_predict", run, tmp_path / "long.wav", *options).out)
    times = [(float(row["start"]), float(row["end"])) for row in rows]
    assert times == [(0.5 * i, 0.5 * i + 1) for i in range(5)] + [(2.5, 3.3)]
    said = call("ser_predict", run, tmp_path / "long.wav", "--window", 3)
    assert "warning: --window 3: longer than every training utterance (" in said.err


def test_standard_input_is_predicted_as_it_comes_in(run: Path) -> None:
    """A line is there long before the stream ends, and says the same as the file would."""
    samples = (3000 * np.random.default_rng(0).normal(size=4 * 16000)).astype("<i2")
    process = subprocess.Popen(
        command("ser_predict", run, "-", "--window", 2, "--hop", 1, "--format", "jsonl"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdin and process.stdout
    lines: list[bytes] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or []))
    reader.start()
    process.stdin.write(samples[: 2 * 16000].tobytes())
    process.stdin.flush()
    wait_until(lambda: lines)
    assert len(lines) == 1  # while standard input is open
    process.stdin.write(samples[2 * 16000 :].tobytes())
    process.stdin.close()
    reader.join()
    assert process.wait() == 0
    found = [json.loads(line) for line in lines]
    assert [(item["start"], item["end"]) for item in found] == [(0, 2), (1, 3), (2, 4)]
    assert all(item["latency_ms"] > 0 for item in found)
    (expected,) = load(run).predict_windows(samples[: 2 * 16000], 2, 2, 16000)
    assert found[0]["posteriors"] == pytest.approx(expected.posteriors, abs=1e-5)


def test_a_reader_that_leaves_early_is_no_error(run: Path, audio: list[Path]) -> None:
    asked = command("ser_predict", run, *audio * 40)
    process = subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
