"""Fine-tuning Whisper's encoder beside ``transformers``, from equal weights."""

import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from benchmarks.corpora import speech_num_frames
from benchmarks.row import Row, alternate_seconds
from ser.config.network import ReadoutConfig, WhisperConfig
from ser.nn.cpu.accelerate import accelerate
from ser.nn.emotion import EmotionModel
from ser.nn.losses import multitask_loss
from ser.nn.mask import length_mask
from ser.nn.systems import load_pretrained
from ser.nn.whisper import positions
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
WHISPER_FRAMES = 3000  # 30 s, to which transformers pads


def peer(folder: Path) -> Any:
    """A classifier of ``transformers`` with random weights, which are saved in a folder."""
    config = transformers.WhisperConfig(
        d_model=TINY.d_model,
        encoder_layers=TINY.num_blocks,
        encoder_attention_heads=TINY.num_heads,
        encoder_ffn_dim=TINY.ffn_dim,
        num_labels=NUM_CLASSES,
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
    """Utterances per second of a fine-tuning step at IEMOCAP's lengths, ours / transformers'.

    ``padded`` as ``transformers`` has it, to 30 s; ``cut`` with that padding cut away.
    """
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    lens = sorted(speech_num_frames("iemocap"))
    lens = lens[len(lens) // 2 :][:BATCH_SIZE]  # neighbours in length, as our batches are
    longest = -(-max(lens) // 2) * 2
    feats, feat_lens = torch.randn(BATCH_SIZE, longest, 80), torch.tensor(lens)
    feats *= length_mask(feat_lens, longest)[:, :, None]
    labels = torch.arange(BATCH_SIZE) % NUM_CLASSES
    ours = EmotionModel(TINY, NUM_CLASSES, None, ReadoutConfig(type="mean")).train()
    accelerate(ours)
    with tempfile.TemporaryDirectory() as name:
        theirs = peer(Path(name))
        load_pretrained(read_encoder(Path(name), TINY), ours, name)
    difference = check_equal(ours, theirs, feats)

    optimizers = [torch.optim.Adam(model.parameters(), lr=1e-6) for model in (ours, theirs)]

    def our_step() -> None:
        optimizers[0].zero_grad()
        logits = ours(feats, feat_lens).emotion_logits
        multitask_loss(logits, labels, None, 0.0).total.backward()
        optimizers[0].step()

    def their_step(given: torch.Tensor) -> None:
        optimizers[1].zero_grad()
        theirs(given.transpose(1, 2), labels=labels).loss.backward()
        optimizers[1].step()

    padded = nn.functional.pad(feats, (0, 0, 0, WHISPER_FRAMES - longest))
    ratios, raw = {}, {"threads": THREADS, "batch": BATCH_SIZE, "frames": longest}
    for case, given in (("cut", feats), ("padded", padded)):
        resize(theirs, given.shape[1])
        seconds = alternate_seconds(ROUNDS, our_step, lambda given=given: their_step(given))
        ratios[case] = seconds[1] / seconds[0]
        raw |= {f"{case}.our_seconds": seconds[0], f"{case}.their_seconds": seconds[1]}
    return Row(
        key="whisper_step_vs_transformers",
        value=ratios["padded"],
        target=">= 5",  # cut: 1.3
        cases=ratios,
        raw={**raw, "largest_difference": difference},
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
