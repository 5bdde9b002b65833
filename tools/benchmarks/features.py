"""Feature extraction beside torchaudio and a simple loop."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import kaldiio
import numpy as np
import soundfile
import soxr
import torch
from threadpoolctl import threadpool_limits
from torchaudio.compliance.kaldi import fbank as torchaudio_fbank

import ser
from benchmarks.corpora import RATE_HZ, speech_files
from benchmarks.row import Row, alternate_seconds
from ser.audio.reading import audio_seconds, read_audio
from ser.base.record import Record
from ser.config.features import FbankConfig
from ser.config.load import load_config
from ser.feats.fbank import Fbank
from ser.kaldi.ark import ArkReader
from ser.kaldi.data_dir import digest_data_dir, write_data_dir
from ser.kaldi.table import read_table

CONF = Path(ser.__file__).parents[1] / "egs" / "iemocap" / "conf"
CORPORA = {"librispeech": ("LibriSpeech", "*.opus"), "ravdess": ("ravdess", "*.flac")}
NUM_FBANK_UTTS = 100
NUM_STAGE_UTTS = {"librispeech": 600, "ravdess": 1440}
NUM_PROCESSES = 2
# Natural log. Single cells differ more: float32 leaves noise in bands far below the loudest.
MEAN_DIFFERENCE, MEDIAN_DIFFERENCE = 1e-4, 0.02


def fbank_vs_torchaudio() -> Row:
    """Features per second in one thread, samples in memory: ours / torchaudio's function."""
    torch.set_num_threads(1)
    config = load_config(CONF / "fbank.yaml", FbankConfig)
    cases, raw = {}, {"threads": 1}
    with threadpool_limits(1), tempfile.TemporaryDirectory() as scratch:
        fbank = Fbank(config)
        for case, (corpus, pattern) in CORPORA.items():
            files = speech_files(corpus, pattern, NUM_FBANK_UTTS, Path(scratch))
            audio = [read_audio(path, path.stem, RATE_HZ) for path in files]
            tensors = [torch.from_numpy(samples)[None] for samples in audio]

            def ours(audio=audio):
                return [fbank(samples) for samples in audio]

            def theirs(tensors=tensors):
                return [
                    torchaudio_fbank(
                        samples,
                        sample_frequency=config.sample_rate_hz,
                        num_mel_bins=config.num_mel_bins,
                        dither=0.0,
                    )
                    for samples in tensors
                ]

            for a, b in zip(ours(), theirs(), strict=True):
                assert a.shape == b.shape
                assert np.abs(a - b.numpy()).mean() < MEAN_DIFFERENCE
            seconds, their_seconds = alternate_seconds(5, ours, theirs)
            cases[case] = their_seconds / seconds
            raw |= {
                f"{case}.utterances": len(audio),
                f"{case}.hours": round(sum(map(len, audio)) / RATE_HZ / 3600, 3),
                f"{case}.seconds": round(seconds, 4),
                f"{case}.torchaudio_seconds": round(their_seconds, 4),
            }
    return Row(
        key="fbank_vs_torchaudio", value=min(cases.values()), target=">= 2.0", cases=cases, raw=raw
    )


def stage1_vs_simple() -> Row:
    """Wall time of whole programs with two processes, start to end: simple loop / ours.

    Cases: the corpora as they lie there, and in the form in which they are published (FLAC, and
    WAV at 48 kHz, which has to be resampled).
    """
    cases, raw = {}, {"processes": NUM_PROCESSES}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for corpus, pattern in CORPORA.items():
            folder, glob = pattern
            files = speech_files(folder, glob, NUM_STAGE_UTTS[corpus], scratch)
            for case, wavs in {
                corpus: files,
                f"{corpus}_published": publish(files, corpus, scratch / f"{corpus}_files"),
            }.items():
                seconds, theirs = time_stage(wavs, scratch / case)
                cases[case] = theirs / seconds
                raw |= {
                    f"{case}.utterances": len(wavs),
                    f"{case}.hours": round(sum(audio_seconds(w, "") for w in wavs) / 3600, 3),
                    f"{case}.seconds": round(seconds, 3),
                    f"{case}.simple_seconds": round(theirs, 3),
                }
    return Row(
        key="stage1_vs_simple", value=min(cases.values()), target=">= 1.5", cases=cases, raw=raw
    )


def publish(files: Sequence[Path], corpus: str, folder: Path) -> list[Path]:
    """The same speech as its corpus publishes it: LibriSpeech as FLAC, RAVDESS as 48 kHz WAV."""
    folder.mkdir()
    suffix, rate = (".flac", RATE_HZ) if corpus == "librispeech" else (".wav", 48000)
    published = []
    for number, path in enumerate(files):
        samples, own_rate = soundfile.read(path, dtype="float32")
        published.append(folder / f"{number:05}{suffix}")
        soundfile.write(published[-1], soxr.resample(samples, own_rate, rate), rate)
    return published


def time_stage(wavs: Sequence[Path], folder: Path) -> tuple[float, float]:
    """Median seconds of stage 1 and of the simple loop; both must hold the same features."""
    data = folder / "data"
    data.mkdir(parents=True)
    utts = [f"s-{number:05}" for number in range(len(wavs))]
    tables = {
        "wav.scp": dict(zip(utts, map(str, wavs), strict=True)),
        "text": dict.fromkeys(utts, "A"),
        "utt2spk": dict.fromkeys(utts, "s"),
        "utt2dur": {u: f"{audio_seconds(w, u):.4f}" for u, w in zip(utts, wavs, strict=True)},
    }
    write_data_dir(data, tables)
    Record(data, 0, {}, {"tables": digest_data_dir(data)}).finish()
    lines = [f"{utt} {wav}\n" for utt, wav in zip(utts, wavs, strict=True)]
    for part in range(NUM_PROCESSES):
        (folder / f"wav.{part}.scp").write_text("".join(lines[part::NUM_PROCESSES]))
    environment = {**os.environ, "PYTHONPATH": str(Path(ser.__file__).parents[1])}

    def ours() -> None:
        shutil.rmtree(folder / "out", ignore_errors=True)
        command = [sys.executable, "-m", "ser.bin.make_feats", data, "--out", folder / "out"]
        command += ["--conf", CONF, "--nj", str(NUM_PROCESSES)]
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)

    def simple() -> None:
        script = Path(__file__).with_name("simple_features.py")
        running = [
            subprocess.Popen(
                [
                    sys.executable,
                    script,
                    folder / f"wav.{part}.scp",
                    folder / f"simple.{part}.ark",
                    folder / f"simple.{part}.scp",
                ]
            )
            for part in range(NUM_PROCESSES)
        ]
        statuses = [process.wait() for process in running]
        assert not any(statuses)

    seconds, theirs = alternate_seconds(3, ours, simple)
    check_same(folder)
    shutil.rmtree(folder)
    return seconds, theirs


def check_same(folder: Path) -> None:
    """Both archives hold the same features, but for the resampler's last frame."""
    ours = ArkReader(read_table(folder / "out" / "data" / "feats.scp"), folder)
    for part in range(NUM_PROCESSES):
        simple = kaldiio.load_scp(str(folder / f"simple.{part}.scp"))
        for utt in list(simple)[:20]:
            size = min(len(ours[utt]), len(simple[utt]))
            assert abs(len(ours[utt]) - len(simple[utt])) <= 1
            assert np.median(np.abs(ours[utt][:size] - simple[utt][:size])) < MEDIAN_DIFFERENCE
