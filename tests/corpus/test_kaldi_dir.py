"""A Kaldi data directory is taken as it is; its commands are run only where that is allowed."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpora import RAMP, plant_video, samples_of

from ser.base.errors import SerError
from ser.base.record import require
from ser.config.labels import LabelsConfig
from ser.corpus.prepare import prepare_table
from ser.kaldi.data_dir import read_data_dir

LABELS = LabelsConfig(classes={"hap": ["joy"], "sad": ["sad"]}, exclude=[])
TABLES = {"utt2spk": "a-1 a\nb-1 b\n", "utt2emo": "a-1 joy\nb-1 sad\n"}


def write_dir(folder: Path, **tables: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        (folder / name.replace("_scp", ".scp")).write_text(text)
    return folder


def test_files_with_all_that_is_known(tmp_path: Path, recording: Path, log: Any) -> None:
    other = tmp_path / "b.wav"
    soundfile.write(other, RAMP[::-1], 16000)
    source = write_dir(
        tmp_path / "in",
        **TABLES,
        wav_scp=f"a-1 {recording}\nb-1 {other}\n",
        spk2utt="a a-1\nb b-1\n",
        text="a-1 Well, yes.\nb-1\n",
        spk2gender="a female\nb m\n",
        utt2session="a-1 1\nb-1 2\n",
        utt2scene="a-1 kitchen\nb-1 door\n",
        utt2dur="a-1 9\nb-1 9\n",
        utt2emo_raw="a-1 gladness\nb-1 sadness\n",
    )
    (source / "utt2emo.bak").write_text("of another time\n")
    out = tmp_path / "data" / "ser"
    prepare_table(source, out, LABELS)
    assert log.find(r"warning: .*utt2emo\.bak: not read")
    data = read_data_dir(out)
    assert data["wav.scp"] == {"a-1": str(recording), "b-1": str(other)}
    assert data["text"] == {"a-1": "WELL YES", "b-1": ""}
    assert data["utt2session"] == {"a-1": "1", "b-1": "2"}
    assert data["utt2scene"] == {"a-1": "kitchen", "b-1": "door"}
    assert data["spk2gender"] == {"a": "f", "b": "m"}
    assert data["utt2dur"] == {"a-1": "1.0000", "b-1": "1.0000"}  # measured, not believed
    assert data["utt2emo_raw"] == {"a-1": "joy", "b-1": "sad"}
    assert not out.with_name("ser_audio").exists()


def with_segments(tmp_path: Path, recording: Path, **changes: str) -> Path:
    tables = {
        "wav_scp": f"rec {recording}\n",
        "segments": "a-1 rec 0.25 0.5\nb-1 rec 0.5 0.75\n",
    }
    return write_dir(tmp_path / "in", **(TABLES | tables | changes))


def test_segments_are_cut(tmp_path: Path, recording: Path) -> None:
    out = tmp_path / "data" / "ser"
    prepare_table(with_segments(tmp_path, recording), out, LABELS)
    data = read_data_dir(out)
    assert samples_of(data["wav.scp"]["a-1"]) == RAMP[4000:8000].tolist()
    assert samples_of(data["wav.scp"]["b-1"]) == RAMP[8000:12000].tolist()
    assert data["utt2dur"]["a-1"] == "0.2500"
    assert data["utt2session"] == {"a-1": "a", "b-1": "b"}


def test_a_recording_that_was_replaced_is_cut_anew(tmp_path: Path, recording: Path) -> None:
    out = tmp_path / "data" / "ser"
    source = with_segments(tmp_path, recording)
    prepare_table(source, out, LABELS)
    identity = require(out, 0)["identity"]
    prepare_table(source, out, LABELS)
    assert require(out, 0)["identity"] == identity
    before = recording.stat()
    soundfile.write(recording, RAMP[::-1], 16000)
    os.utime(recording, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert recording.stat().st_size == before.st_size
    prepare_table(source, out, LABELS)
    wav = read_data_dir(out)["wav.scp"]["a-1"]
    assert samples_of(wav) == RAMP[::-1][4000:8000].tolist()
    assert require(out, 0)["identity"] != identity  # so features of the old audio are stale


def test_segments_that_end_with_the_recording(tmp_path: Path, recording: Path, log: Any) -> None:
    out = tmp_path / "data" / "ser"
    segments = "a-1 rec 0.25 -1\nb-1 rec 0.5 1.4\n"
    prepare_table(with_segments(tmp_path, recording, segments=segments), out, LABELS)
    data = read_data_dir(out)
    assert samples_of(data["wav.scp"]["a-1"]) == RAMP[4000:].tolist()
    assert samples_of(data["wav.scp"]["b-1"]) == RAMP[8000:].tolist()
    assert log.find(r"1 pieces \(b-1 the first\) end up to 0\.400 s beyond their recordings")


def test_pieces_of_twelve_channels_are_averaged(tmp_path: Path) -> None:
    many = tmp_path / "many.wav"
    soundfile.write(many, np.stack([RAMP, *[np.zeros_like(RAMP)] * 11], axis=1), 16000)
    out = tmp_path / "data" / "ser"
    prepare_table(with_segments(tmp_path, many), out, LABELS)
    wav = read_data_dir(out)["wav.scp"]["a-1"]
    assert np.abs(np.array(samples_of(wav)) - RAMP[4000:8000] / 12).max() <= 1


def test_channels_of_one_file_are_not_two_speakers(tmp_path: Path, recording: Path) -> None:
    channels = "a-1 rec A\nb-1 rec B\n"
    scp = f"a-1 {recording}\nb-1 {recording}\n"
    source = write_dir(tmp_path / "in", **TABLES, wav_scp=scp, reco2file_and_channel=channels)
    with pytest.raises(SerError, match=r"wav\.scp: a-1 and b-1 are one file; expected one"):
        prepare_table(source, tmp_path / "data", LABELS)


def test_a_pipe_and_a_video_in_one_directory(tmp_path: Path, recording: Path) -> None:
    video = tmp_path / "video.mp4"
    plant_video(video)
    scp = f"a-1 cat '{recording}' |\nb-1 {video}\n"
    source = write_dir(tmp_path / "in", **TABLES, wav_scp=scp)
    out = tmp_path / "data" / "ser"
    prepare_table(source, out, LABELS, allow_pipes=True)
    data = read_data_dir(out)
    assert samples_of(data["wav.scp"]["a-1"]) == RAMP.tolist()
    assert 0.9 < float(data["utt2dur"]["b-1"]) < 1.1


def test_labels_are_read_before_audio(tmp_path: Path, recording: Path) -> None:
    """A wrong one costs no decoding, and what is left out is not decoded."""
    mark = tmp_path / "was run"
    tables = {
        "wav_scp": f"a-1 cat '{recording}' |\nb-1 cat -u '{recording}' |\nc-1 touch '{mark}' |\n",
        "utt2spk": "a-1 a\nb-1 b\nc-1 c\n",
    }
    source = write_dir(tmp_path / "in", **tables, utt2emo="a-1 joy\nb-1 sad\nc-1 rage\n")
    out = tmp_path / "data" / "ser"
    with pytest.raises(SerError, match="the label 'rage' of c-1"):
        prepare_table(source, out, LABELS, allow_pipes=True)
    assert not out.parent.exists()
    labels = LABELS.model_copy(update={"exclude": ["rage"]})
    prepare_table(source, out, labels, allow_pipes=True)
    assert read_data_dir(out).utts == ["a-1", "b-1"]
    assert not mark.exists()


def test_a_fifo_is_no_audio(tmp_path: Path, recording: Path) -> None:
    os.mkfifo(tmp_path / "fifo.wav")
    scp = f"a-1 {recording}\nb-1 {tmp_path / 'fifo.wav'}\n"
    source = write_dir(tmp_path / "in", **TABLES, wav_scp=scp)
    with pytest.raises(SerError, match=r"fifo\.wav: no regular file \(b-1\)"):
        prepare_table(source, tmp_path / "out", LABELS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"segments": "a-1 rec 0.25 0.5\n"},
            r"utt2spk: b-1 not in .*segments; .*; correct the tables",
        ),
        ({"segments": "a-1 rec 0 inf\nb-1 rec 0 1\n"}, "segments: a-1 has 'rec 0 inf'"),
        ({"segments": "a-1 rec 0 -2\nb-1 rec 0 1\n"}, r"the piece from 0.0 to -2.0 s \(a-1\)"),
        ({"segments": "a-1 rec 0 1.6\nb-1 rec 0 1\n"}, r"0.0 to 1.6 s \(a-1\) of 1.00 s"),
        (
            {"segments": "a-1 rec 0.5 0.50001\nb-1 rec 0 1\n"},
            r"from 0.5 to 0.50001 s \(a-1\) of 1.00 s at 16000 Hz has 0 samples",
        ),
        (
            {"utt2session": "a-1 ..\nb-1 1\n"},
            "utt2session: a-1: the session '..' is no name of a file",
        ),
        (
            {"utt2session": "a-1\nb-1 1\n"},
            "utt2session: a-1: the session is empty; expected a name",
        ),
        (
            {
                "utt2spk": "B-1 B\nb-1 b\n",
                "segments": "B-1 rec 0 1\nb-1 rec 0 1\n",
                "utt2emo": "B-1 joy\nb-1 sad\n",
            },
            "utt2spk: the speakers 'B' and 'b'; expected names that differ in more than case",
        ),
        ({"utt2spk": "a-1 a\nb-1 b-1/\n"}, "utt2spk: b-1: the speaker 'b-1/' is no name of a file"),
        ({"spk2gender": "a x\nb m\n"}, "spk2gender: a has 'x'; expected f or m; correct the table"),
        ({"segments": "a-1 rec 0.9 x\nb-1 rec 0 1\n"}, "segments: a-1 has 'rec 0.9 x'"),
        ({"segments": "a-1 rec 0.9 0.1\nb-1 rec 0 1\n"}, r"the piece from 0.9 to 0.1 s \(a-1\)"),
        ({"segments": "a-1 rec 7 8\nb-1 rec 0 1\n"}, r"from 7.0 to 8.0 s \(a-1\) of 1.00 s"),
        ({"utt2emo": "a-1 joy\n"}, "b-1 not in"),
        ({"utt2spk": "a-1 x+\nb-1 x\n"}, r"utt2spk: x\+-a-1 stands elsewhere when sorted by"),
        ({"wav_scp": "rec /none.wav\n"}, r"/none.wav: no such file \(a-1\)"),
    ],
)
def test_faults_of_a_directory(
    tmp_path: Path, recording: Path, changes: dict[str, str], message: str
) -> None:
    out = tmp_path / "data" / "ser"
    with pytest.raises(SerError, match=message):
        prepare_table(with_segments(tmp_path, recording, **changes), out, LABELS)
    assert not out.exists()


def test_a_directory_without_labels(tmp_path: Path, recording: Path) -> None:
    source = with_segments(tmp_path, recording)
    (source / "utt2emo").unlink()
    with pytest.raises(SerError, match="utt2emo: no such file; expected the label of each"):
        prepare_table(source, tmp_path / "out", LABELS)


def test_commands_are_run_only_where_that_is_allowed(tmp_path: Path, recording: Path) -> None:
    """Two of them in a row, with segments of what they write."""
    mark = tmp_path / "was run"
    reader = tmp_path / "reader.py"
    reader.write_text(
        "import pathlib, sys\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        "sys.stdout.buffer.write(pathlib.Path(sys.argv[1]).read_bytes())\n"
    )
    command = f"'{sys.executable}' '{reader}' '{recording}' | cat |"
    source = with_segments(tmp_path, recording, wav_scp=f"rec {command}\n")
    out = tmp_path / "data" / "ser"
    with pytest.raises(SerError, match=r"wav.scp: a command, .*; read them, then pass --allow-pi"):
        prepare_table(source, out, LABELS)
    assert not mark.exists()
    prepare_table(source, out, LABELS, allow_pipes=True)
    assert mark.exists()
    data = read_data_dir(out)
    assert samples_of(data["wav.scp"]["a-1"]) == RAMP[4000:8000].tolist()
    mark.unlink()
    prepare_table(source, out, LABELS, allow_pipes=True)
    assert not mark.exists()  # what they wrote is there


def audio_of_all_kinds(folder: Path) -> dict[str, tuple[Any, int, dict[str, str]]]:
    rng = np.random.default_rng(0)

    def noise(rate: int, seconds: float, *channels: int) -> Any:
        return rng.uniform(-0.1, 0.1, (round(rate * seconds), *channels))

    return {
        "8k.wav": (noise(8000, 1), 8000, {}),
        "96k.wav": (noise(96000, 1), 96000, {}),
        "aiff.wav": (noise(16000, 1), 16000, {"format": "AIFF"}),
        "stereo.wav": (noise(16000, 1, 2), 16000, {}),
        "twelve.wav": (noise(16000, 1, 12), 16000, {}),
        "short.wav": (noise(16000, 0.1), 16000, {}),
        "long.wav": (noise(16000, 600), 16000, {}),
        "größer 音.flac": (noise(44100, 1), 44100, {}),
        "float.wav": (noise(16000, 1), 16000, {"subtype": "FLOAT"}),
        "µ.au": (noise(8000, 1), 8000, {"subtype": "ULAW"}),
        "a.aif": (noise(8000, 1), 8000, {"format": "AIFF"}),
        "b.sph": (noise(8000, 1), 8000, {"format": "NIST"}),
        "c.snd": (noise(8000, 1), 8000, {"format": "AU"}),
        "without": (noise(8000, 1), 8000, {"format": "WAV"}),
    }


@pytest.mark.long
def test_audio_of_all_kinds_becomes_features(tmp_path: Path) -> None:
    from tiny import FBANK

    from ser.data.utterances import read_feature_dir
    from ser.feats.extract import extract_features

    rows = ["path,label,speaker"]
    kinds = audio_of_all_kinds(tmp_path)
    for i, (name, (samples, rate, form)) in enumerate(kinds.items()):
        soundfile.write(str(tmp_path / name), samples, rate, **form)
        rows.append(f"{name},{'joy' if i % 2 else 'sad'},sprecher ß{i % 3}")
    (tmp_path / "t.csv").write_text("\n".join(rows), encoding="utf-8")
    out = tmp_path / "data" / "ser"
    prepare_table(tmp_path / "t.csv", out, LABELS)
    extract_features(out, tmp_path / "fbank", FBANK, 1)
    features = read_feature_dir(tmp_path / "fbank")
    assert len(features.num_frames) == len(kinds)
    assert not out.with_name("ser_audio").exists()  # none of them is a video
    frames = {utt.split("-", 1)[1]: n for utt, n in features.num_frames.items()}
    assert frames["short"] == 8
    assert frames["long"] == 59998
    assert all(97 <= n <= 99 for name, n in frames.items() if name not in ("short", "long"))
    assert all(np.isfinite(features.feats[utt]).all() for utt in features.num_frames)
