"""Fine-tuning Whisper's encoder, and predicting with it, beside ``transformers``: equal weights."""

import ctypes
import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from benchmarks.api_sides import transformers as pipeline
from benchmarks.corpora import speech_num_frames
from benchmarks.peer_env import measure_in_process
from benchmarks.prediction import (
    EGS,
    RandomSystem,
    beside,
    five_seconds,
    measure_sides,
    run_folder,
)
from benchmarks.row import Row, alternate_seconds, resident
from ser import load
from ser.config.features import load_features
from ser.config.labels import LabelsConfig
from ser.config.load import load_config
from ser.config.network import ReadoutConfig, WhisperConfig
from ser.config.schema import SystemConfig
from ser.nn.cpu.accelerate import accelerate
from ser.nn.emotion import EmotionModel
from ser.nn.losses import multitask_loss
from ser.nn.mask import length_mask
from ser.nn.systems import load_pretrained
from ser.nn.whisper import positions
from ser.release.export import export_onnx
from ser.train.published import read_encoder

TINY = WhisperConfig(
    type="whisper",
    num_mel_bins=80,
    d_model=384,
    num_blocks=4,
    num_heads=6,
    ffn_dim=1536,
    dropout_prob=0.0,
    attention_dropout_prob=0.0,
)
THREADS, BATCH_SIZE, NUM_CLASSES, ROUNDS = 2, 16, 8, 3
PART_SIZE = 6  # utterances of a micro-batch: where the memory is half of theirs
SIDES = {"cut": ("ours", "cut"), "parts": ("parts", "cut"), "padded": ("ours", "padded")}
NUM_FILES = 20
WHISPER_FRAMES = 3000  # 30 s, to which transformers pads


def peer(folder: Path, num_classes: int = NUM_CLASSES) -> Any:
    """A classifier of ``transformers`` with random weights, which are saved in a folder."""
    config = transformers.WhisperConfig(
        d_model=TINY.d_model,
        encoder_layers=TINY.num_blocks,
        encoder_attention_heads=TINY.num_heads,
        encoder_ffn_dim=TINY.ffn_dim,
        num_labels=num_classes,
        dropout=0.0,
    )
    model = transformers.WhisperForAudioClassification(config)
    model.save_pretrained(folder)
    return model.train()


def resize(model: Any, num_frames: int) -> None:
    """Makes the classifier take so many feature frames, an even number, instead of 30 s."""
    size = num_frames // 2
    model.encoder.config.max_source_positions = size
    table = positions(size, TINY.d_model)
    model.encoder.embed_positions = nn.Embedding.from_pretrained(table, freeze=True)


def whisper_step_vs_transformers() -> Row:
    """A fine-tuning step at IEMOCAP's lengths: utterances per second, ours / transformers'.

    ``padded`` as ``transformers`` has it, to 30 s; ``cut`` with that padding cut away; ``parts``
    beside ``cut``, ours in the micro-batches of a smaller ``max_frames_in_memory``. The memory is
    what a step adds at its peak, ours / theirs, each in a process of its own.
    """
    torch.set_num_threads(THREADS)
    steps = _Steps()
    ratios, raw = {}, {"threads": THREADS, "batch": BATCH_SIZE, "frames": steps.feats.shape[1]}
    for case, sides in SIDES.items():
        seconds = alternate_seconds(ROUNDS, *map(steps.of, sides))
        ratios[case] = seconds[1] / seconds[0]
        raw |= {f"{case}.our_seconds": seconds[0], f"{case}.their_seconds": seconds[1]}
    for case, sides in SIDES.items():
        peaks = []
        for side in sides:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                peaks.append(pool.submit(step_memory, side).result())
        ratios[f"{case}_memory"] = peaks[0] / peaks[1]
        raw |= {f"{case}.our_bytes": peaks[0], f"{case}.their_bytes": peaks[1]}
    return Row(
        key="whisper_step_vs_transformers",
        value=ratios["padded"],
        target=">= 5",
        cases=ratios,
        targets={
            "cut": ">= 1.3",
            "cut_memory": "<= 0.5",
            "parts_memory": "<= 0.5",
            "padded_memory": "<= 0.5",
        },
        raw={**raw, "largest_difference": steps.difference},
    )


def step_memory(side: str) -> int:
    """Bytes that a step adds at its peak: ``ours``, in ``parts``; theirs, ``cut`` or ``padded``."""
    torch.set_num_threads(THREADS)
    steps = _Steps()
    step = steps.of(side)
    step()  # Adam's state
    ctypes.CDLL(None).malloc_trim(0)  # else the next step fits into what this one left
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of now
    before = resident("VmRSS")
    step()
    return resident("VmHWM") - before


class _Steps:
    """Both classifiers from equal weights, and a batch.

    Attributes:
        feats: (B, T, F), of neighbours in length, as our batches are.
        padded: The same with zeros up to 30 s.
        theirs: Of ``transformers``.
        difference: The largest one of both encoders' outputs.
    """

    def __init__(self) -> None:
        torch.manual_seed(0)
        lens = sorted(speech_num_frames("iemocap"))
        lens = lens[len(lens) // 2 :][:BATCH_SIZE]
        longest = -(-max(lens) // 2) * 2
        self.feats, self._lens = torch.randn(BATCH_SIZE, longest, 80), torch.tensor(lens)
        self.feats *= length_mask(self._lens, longest)[:, :, None]
        self.padded = nn.functional.pad(self.feats, (0, 0, 0, WHISPER_FRAMES - longest))
        self._labels = torch.arange(BATCH_SIZE) % NUM_CLASSES
        self._ours = EmotionModel(TINY, NUM_CLASSES, None, ReadoutConfig(type="mean")).train()
        accelerate(self._ours)
        with tempfile.TemporaryDirectory() as name:
            self.theirs = peer(Path(name))
            load_pretrained(read_encoder(Path(name), TINY), self._ours, name)
        self.difference = check_equal(self._ours, self.theirs, self.feats)
        self._adam = [torch.optim.Adam(m.parameters(), lr=1e-6) for m in (self._ours, self.theirs)]

    def of(self, side: str) -> Callable[[], None]:
        """The step of ``ours``, ours in ``parts``, or theirs, ``cut`` or ``padded``."""
        if side in ("ours", "parts"):
            return partial(self.our_step, PART_SIZE if side == "parts" else BATCH_SIZE)
        given = self.padded if side == "padded" else self.feats
        resize(self.theirs, given.shape[1])
        return partial(self.their_step, given)

    def our_step(self, size: int = BATCH_SIZE) -> None:
        """Forward, back, Adam; of so many utterances at a time."""
        self._adam[0].zero_grad()
        batch = (x.split(size) for x in (self.feats, self._lens, self._labels))
        for feats, lens, labels in zip(*batch, strict=True):
            logits = self._ours(feats, lens).emotion_logits
            loss = multitask_loss(logits, labels, None, 0.0).total
            (loss / BATCH_SIZE).backward()
        self._adam[0].step()

    def their_step(self, given: torch.Tensor) -> None:
        """The same of theirs, on (B, T, F)."""
        self._adam[1].zero_grad()
        self.theirs(given.transpose(1, 2), labels=self._labels).loss.backward()
        self._adam[1].step()


def whisper_predict_vs_transformers() -> Row:
    """Files of 5 seconds, one by one, from Python: ``transformers``' pipeline / ``ser.load``.

    Of the run's folder, and (``onnx_``) of what it is exported to, which needs no PyTorch. The
    pipeline pads to 30 s. Padded likewise, ours gives the same probabilities, which is checked.
    """
    torch.manual_seed(0)
    conf = EGS / "iemocap" / "conf" / "whisper"
    readout = ReadoutConfig(type="mean")
    system = load_config(conf / "systems" / "transformer_tl.yaml", SystemConfig)
    system = system.model_copy(update={"model": TINY, "readout": readout})
    labels = load_config(conf / "labels.yaml", LabelsConfig)
    model = EmotionModel(TINY, len(labels.names), None, readout).eval()
    fbank = load_features(conf)
    ours = RandomSystem(system, labels, fbank, model, b"")
    padded = replace(ours, fbank=fbank.model_copy(update={"pad_seconds": 30.0}))
    with tempfile.TemporaryDirectory() as name:
        theirs = peer(Path(name), len(labels.names))
        transformers.WhisperFeatureExtractor().save_pretrained(name)
        load_pretrained(read_encoder(Path(name), TINY), model, name)
        with torch.no_grad():  # of the mean of the last layer's frames, which stands last
            projector, classifier = theirs.projector, theirs.classifier
            model.emotion_head.weight.zero_()
            weight = classifier.weight @ projector.weight
            model.emotion_head.weight[:, -TINY.d_model :] = weight
            bias = classifier.bias + classifier.weight @ projector.bias
            model.emotion_head.bias.copy_(bias)
        files = [str(five_seconds(Path(name), i)) for i in range(NUM_FILES)]
        expected = {row["label"]: row["score"] for row in pipeline(Path(name))[0](files[0])}
        exported = Path(name) / "model.onnx"
        differences = []
        with run_folder(padded) as folder:
            padded_model = load(folder)
            export_onnx(padded_model, exported, features_inside=False, int8=False)
        for loaded in (padded_model, load(exported)):
            found = loaded.predict(files[0]).posteriors
            differences += [
                abs(found[label] - expected[f"LABEL_{i}"]) for i, label in enumerate(labels.names)
            ]
        assert max(differences) <= 1e-4, differences
        with run_folder(ours) as folder:
            export_onnx(load(folder), exported, features_inside=False, int8=False)
            models = {"ser": folder, "ser_onnx": exported, "transformers": Path(name)}
            measure = partial(measure_in_process, sys.executable)
            medians = measure_sides(models, files, ROUNDS, measure)
    cases = beside(medians["ser"], medians["transformers"])
    exported_cases = beside(medians["ser_onnx"], medians["transformers"])
    del exported_cases["own_memory"]  # beyond PyTorch, which it does not import
    cases |= {f"onnx_{case}": ratio for case, ratio in exported_cases.items()}
    return Row(
        key="whisper_predict_vs_transformers",
        value=cases["speed"],
        target=">= 3",
        cases=cases,
        targets={"memory": "<= 0.5", "onnx_memory": "<= 0.5"},
        raw={
            "threads": THREADS,
            "files": NUM_FILES,
            "largest_difference": max(differences),
            **{f"{side}.{name}": x for side, found in medians.items() for name, x in found.items()},
        },
    )


@torch.no_grad()
def check_equal(ours: EmotionModel, theirs: Any, feats: torch.Tensor) -> float:
    """The largest difference of the encoders' outputs on a batch without padding.

    Raises:
        AssertionError: It is not rounding.
    """
    resize(theirs, feats.shape[1])
    lens = torch.full((len(feats),), feats.shape[1])
    x, frame_lens = ours.encoder.frames(feats, lens)
    z = ours.encoder.layers(x, length_mask(frame_lens, x.shape[1]))[-1]
    expected = theirs.encoder(feats.transpose(1, 2)).last_hidden_state
    difference = float((z - expected).abs().max())
    assert difference <= 1e-4, difference
    return difference
