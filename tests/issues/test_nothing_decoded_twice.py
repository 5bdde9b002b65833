"""One bad video or a failing command throws no work away, and all faults are told at once."""

from pathlib import Path
from typing import Any

import pytest
import soundfile
from corpora import LABELS, RAMP, plant_meld, plant_video

from ser.base.errors import SerError
from ser.base.writing import sole_run
from ser.corpus import segments as clips_module
from ser.corpus.prepare import prepare_corpus
from ser.corpus.segments import Clip, write_clips
from ser.kaldi.data_dir import read_data_dir


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that are decoded, in turn."""
    seen: list[str] = []
    original = clips_module._decode

    def decode(source: str, utt: str) -> Any:
        seen.append(source)
        return original(source, utt)

    monkeypatch.setattr(clips_module, "_decode", decode)
    return seen


@pytest.mark.long
def test_a_video_without_sound_is_left_out_with_its_reason(
    tmp_path: Path, decoded: list[str], log: Any
) -> None:
    plant_meld(tmp_path / "MELD.Raw", plant_video, ".mp4", speakers=["Joey"])
    out = tmp_path / "data" / "ser"
    prepare_corpus("meld", tmp_path / "MELD.Raw", out, LABELS)
    data = read_data_dir(out)
    assert len(data.utts) == 12
    assert all(Path(wav).parent == out.with_name("ser_audio") for wav in data["wav.scp"].values())
    assert all(0.9 < float(seconds) < 1.1 for seconds in data["utt2dur"].values())
    used = list(decoded)
    decoded.clear()
    prepare_corpus("meld", tmp_path / "MELD.Raw", out, LABELS)
    assert not decoded
    silent = Path(used[0])
    plant_video(silent, with_sound=False)
    prepare_corpus("meld", tmp_path / "MELD.Raw", out, LABELS)
    assert decoded == [str(silent)], "the others are there"
    assert len(read_data_dir(out).utts) == 11
    assert log.find(r"warning: left out 1 videos without sound, .* the first: .*\.mp4$")
    assert "\ta video without sound\n" in (out / "excluded.tsv").read_text()
    for content, said in (
        (Path(used[1]).read_bytes()[:40], "no sound to read"),
        (b"", "no sound to read"),
        (b"notes\n" * 99, "no sound to read"),
    ):
        Path(used[1]).write_bytes(content)
        with pytest.raises(SerError, match=rf"\.mp4: .*{said}"):
            prepare_corpus("meld", tmp_path / "MELD.Raw", out, LABELS)


def test_what_a_failing_command_did_not_break_is_kept(tmp_path: Path, decoded: list[str]) -> None:
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", RAMP, 16000)
    sources = {name: f"cat {tmp_path}/{name}.wav |" for name in "abc"}
    clips = {
        **{name: Clip(source) for name, source in sources.items()},
        "bad1": Clip(f"cat {tmp_path}/none1.wav |"),
        "bad2": Clip(f"cat {tmp_path}/none2.wav |"),
    }
    with pytest.raises(SerError) as caught:
        write_clips(clips, tmp_path / "audio", allow_pipes=True)
    said = str(caught.value)
    assert "2 faults" in said and "none1.wav" in said and "none2.wav" in said
    assert not (tmp_path / "audio").exists()
    decoded.clear()
    for name in ("none1", "none2"):
        soundfile.write(tmp_path / f"{name}.wav", RAMP, 16000)
    written = write_clips(clips, tmp_path / "audio", allow_pipes=True)
    assert decoded == [clips["bad1"].source, clips["bad2"].source]
    assert written.files.keys() == clips.keys() and not written.soundless
    assert {path.name for path in (tmp_path / "audio").iterdir()} == {
        "run.json",
        *(f"{name}.flac" for name in clips),
    }
    assert not (tmp_path / ".audio.made").exists()


def test_a_row_fewer_or_more_decodes_no_other(tmp_path: Path, decoded: list[str]) -> None:
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", RAMP, 16000)
    clips = {name: Clip(str(tmp_path / f"{name}.wav"), 0.1, 0.3) for name in "abc"}
    write_clips(clips, tmp_path / "audio", False)
    decoded.clear()
    fewer = {name: clips[name] for name in "ab"}
    assert write_clips(fewer, tmp_path / "audio", False).files.keys() == {"a", "b"}
    assert not decoded
    write_clips({**clips, "b": Clip(clips["b"].source, 0.1, 0.4)}, tmp_path / "audio", False)
    assert decoded == [clips["b"].source, clips["c"].source]


def test_a_killed_call_goes_on(
    tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", RAMP, 16000)
    clips = {name: Clip(str(tmp_path / f"{name}.wav"), 0.1) for name in "abc"}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        counted = clips_module._decode

        def die(source: str, utt: str) -> Any:
            if utt == "c":
                raise KeyboardInterrupt
            return counted(source, utt)

        patch.setattr(clips_module, "_decode", die)
        write_clips(clips, tmp_path / "audio", False)
    decoded.clear()
    assert write_clips(clips, tmp_path / "audio", False).files.keys() == set("abc")
    assert decoded == [clips["c"].source]


def test_another_run_that_decodes_is_not_disturbed(tmp_path: Path, decoded: list[str]) -> None:
    soundfile.write(tmp_path / "a.wav", RAMP, 16000)
    clips = {"a": Clip(str(tmp_path / "a.wav"), 0.1, 0.3)}
    with (
        sole_run(tmp_path / ".audio.made"),
        pytest.raises(SerError, match="another run is writing here"),
    ):
        write_clips(clips, tmp_path / "audio", False)
    assert not decoded
