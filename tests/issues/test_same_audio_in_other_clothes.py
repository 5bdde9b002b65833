"""The same audio in another container, rate, level or codec is the same; another take is not."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr

from ser.base.errors import SerError
from ser.config.labels import LabelsConfig
from ser.corpus.prepare import prepare_table
from ser.corpus.same_audio import FILE
from ser.kaldi.data_dir import read_data_dir
from ser.score.audit.overlaps import audit
from ser.score.audit.tables import audit_sections

RATE = 16000
LABELS = LabelsConfig(classes={"a": ["x"], "b": ["y"]}, exclude=[])
Samples = npt.NDArray[np.float64]


def spoken(sentence: int, take: int, seconds: float = 2.5) -> Samples:
    """Noise with the syllables of a sentence, whose sounds are those of the take."""
    syllables = np.random.default_rng(sentence).uniform(0, 0.3, int(seconds * 8)) ** 2
    level = np.interp(
        np.arange(int(seconds * RATE)) / RATE * 8, np.arange(len(syllables)), syllables
    )
    return level * np.random.default_rng([sentence, take]).normal(size=len(level))


def with_metadata(path: Path) -> None:
    """Another chunk behind the samples of a WAV file."""
    content = path.read_bytes()
    size = (len(content) - 8 + 12).to_bytes(4, "little")
    path.write_bytes(content[:4] + size + content[8:] + b"LIST" + bytes((4, 0, 0, 0)) + b"abcd")


def plant_copies(folder: Path, samples: Samples) -> list[str]:
    options: dict[str, dict[str, Any]] = {
        "flac.flac": {},
        "mp3.mp3": {},
        "vorbis.ogg": {},
        "opus.opus": {"format": "OGG", "subtype": "OPUS"},
        "telephone.wav": {"subtype": "ULAW"},
        "studio.wav": {"subtype": "PCM_24"},
    }
    rates = {"telephone.wav": 8000, "studio.wav": 48000}
    for name, form in options.items():
        rate = rates.get(name, RATE)
        soundfile.write(folder / name, soxr.resample(samples, RATE, rate), rate, **form)
    soundfile.write(folder / "quiet.wav", 0.1 * samples, RATE)
    soundfile.write(folder / "turned.wav", -samples, RATE)
    soundfile.write(folder / "stereo.wav", np.stack([samples, 0.5 * samples], axis=1), RATE)
    soundfile.write(folder / "delayed.wav", np.concatenate([np.zeros(RATE // 10), samples]), RATE)
    soundfile.write(folder / "metadata.wav", samples, RATE)
    with_metadata(folder / "metadata.wav")
    return sorted(path.name for path in folder.iterdir())


def prepare(folder: Path, names: list[str]) -> Path:
    """A speaker for each file."""
    rows = [f"{name},{'xy'[i % 2]},{i:02d}" for i, name in enumerate(names)]
    (folder / "t.csv").write_text("\n".join(["path,label,speaker", *rows, ""]))
    prepare_table(folder / "t.csv", folder / "data" / "ser", LABELS)
    return folder / "data" / "ser"


def test_copies_are_told_and_counted(tmp_path: Path, log: Any) -> None:
    copies = plant_copies(tmp_path, spoken(1, 1))
    soundfile.write(tmp_path / "original.wav", spoken(1, 1), RATE)
    others = [f"other{take}.wav" for take in range(3)]
    for take, name in enumerate(others):
        soundfile.write(tmp_path / name, spoken(1, 10 + take), RATE)
    out = prepare(tmp_path, ["original.wav", *copies, *others])
    listed = (out / FILE).read_text().splitlines()[1:]
    utts = [f"{i:02d}-{Path(name).stem}" for i, name in enumerate(copies, 1)]
    assert listed == [f"{utt}\t00-original" for utt in utts]
    told = rf"warning: 00-original and .* the same audio, and {len(copies) - 1} more pairs"
    assert len(log.find(told)) == 1
    data = read_data_dir(out)
    fold = {utt: "test" if utt == "00-original" or "other" in utt else "train" for utt in data.utts}
    audited = audit(data, {"1": fold})
    assert audited["folds"]["1"]["overlaps"]["audio"]["num_utts"] == 1
    assert "copies that were trimmed" in audit_sections(audited)[0].text


def test_what_sounds_alike_is_not_the_same(tmp_path: Path) -> None:
    """Takes of a sentence, tones, silence of several kinds, hum; clips of a few frames."""
    time = np.arange(2 * RATE) / RATE
    noise = np.random.default_rng(0).normal(size=(8, len(time)))
    sounds = [spoken(1, take) for take in range(8)]
    sounds += [0.1 * np.sin(2 * np.pi * hz * time) for hz in (220, 221, 230, 300)]
    sounds += [np.zeros(2 * RATE), *(1e-5 * noise[:2])]
    sounds += [0.3 * np.sin(2 * np.pi * 50 * time) + 0.003 * one for one in noise[2:5]]
    sounds += [0.1 * one[:3200] for one in noise]
    for i, sound in enumerate(sounds):
        soundfile.write(tmp_path / f"{i}.wav", sound, RATE)
    out = prepare(tmp_path, [f"{i}.wav" for i in range(len(sounds))])
    assert (out / FILE).read_text() == "utt\tsame_as\n"


def test_the_same_bytes_of_silence_are_the_same(tmp_path: Path) -> None:
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", np.full(RATE, name == "b") * 1e-3, RATE)
    out = prepare(tmp_path, ["a.wav", "b.wav", "c.wav"])
    assert (out / FILE).read_text().splitlines()[1:] == ["02-c\t00-a"]


def test_a_folder_of_before_is_made_again(tmp_path: Path) -> None:
    for take, name in enumerate("ab"):
        soundfile.write(tmp_path / f"{name}.wav", spoken(take, 0), RATE)
    out = prepare(tmp_path, ["a.wav", "b.wav"])
    (out / FILE).unlink()
    data = read_data_dir(out)
    with pytest.raises(SerError, match=r"same_audio\.tsv: no such file; .*rerun stage 0"):
        audit(data, {"1": dict.fromkeys(data.utts, "test")})
