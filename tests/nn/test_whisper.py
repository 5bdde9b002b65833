"""Whisper's encoder against that of ``transformers``, at every published size in small."""

from pathlib import Path

import pytest
import torch
from tiny import whisper_config

from ser.config.network import WhisperConfig
from ser.nn.mask import length_mask
from ser.nn.whisper import WhisperEncoder, positions
from ser.train.published import read_encoder

transformers = pytest.importorskip("transformers")

# Width, blocks, heads, feed-forward, bands of tiny, base, small, medium and large-v3.
SIZES = {
    "tiny": (384, 4, 6, 1536, 80),
    "base": (512, 6, 8, 2048, 80),
    "small": (768, 12, 12, 3072, 80),
    "medium": (1024, 24, 16, 4096, 80),
    "large-v3": (1280, 32, 20, 5120, 128),
}


def published(folder: Path, config: WhisperConfig) -> "transformers.WhisperModel":
    """A model of ``transformers`` with random weights, saved in the hub's layout."""
    model = transformers.WhisperForConditionalGeneration(
        transformers.WhisperConfig(
            d_model=config.d_model,
            encoder_layers=config.num_blocks,
            encoder_attention_heads=config.num_heads,
            encoder_ffn_dim=config.ffn_dim,
            num_mel_bins=config.num_mel_bins,
            decoder_layers=1,
            decoder_attention_heads=config.num_heads,
            decoder_ffn_dim=64,
            vocab_size=99,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=3,
            max_source_positions=1500,
        )
    ).eval()
    for name, parameter in model.named_parameters():  # biases and norms that matter
        if "layer_norm" in name or name.endswith("bias"):
            torch.nn.init.normal_(parameter, mean=float("norm.weight" in name), std=0.2)
    model.save_pretrained(folder)
    return model.model.encoder


def ours(folder: Path, config: WhisperConfig) -> WhisperEncoder:
    encoder = WhisperEncoder(config)
    weights = read_encoder(folder, config)
    encoder.load_state_dict({k.removeprefix("encoder."): v for k, v in weights.items()})
    return encoder.eval()


@pytest.mark.long
@torch.no_grad()
@pytest.mark.parametrize(
    "name", ["tiny", *(pytest.param(name, marks=pytest.mark.slow) for name in ("base", "small"))]
)
def test_every_layer_equals_transformers(name: str, tmp_path: Path) -> None:
    """On 30 s, which ``transformers`` insists on."""
    torch.manual_seed(1)
    width, blocks, heads, inner, bins = SIZES[name]
    config = whisper_config(
        d_model=width, num_blocks=blocks, num_heads=heads, ffn_dim=inner, num_mel_bins=bins
    )
    theirs = published(tmp_path, config)
    encoder = ours(tmp_path, config)
    feats = torch.randn(1, 3000, bins)
    expected = theirs(feats.transpose(1, 2), output_hidden_states=True).hidden_states
    x, lens = encoder.frames(feats, torch.tensor([3000]))
    outputs = encoder.layers(x, length_mask(lens, x.shape[1]))
    assert lens.tolist() == [1500]
    assert len(outputs) == len(expected) == blocks + 1
    for layer, (a, b) in enumerate(zip(outputs, expected, strict=True)):
        scale = b.abs().max()
        assert (a - b).abs().max() <= 1e-5 * max(1.0, scale), f"layer {layer}"


@pytest.mark.long
@torch.no_grad()
@pytest.mark.parametrize("name", SIZES)
def test_other_sizes_are_built_and_read(name: str, tmp_path: Path) -> None:
    """The shape of each size, with fewer blocks of a smaller width for its proportions."""
    torch.manual_seed(1)
    width, blocks, heads, inner, bins = SIZES[name]
    config = whisper_config(
        d_model=width // 16 * 2,
        num_blocks=min(blocks, 3),
        num_heads=heads // 2,
        ffn_dim=inner // 16,
        num_mel_bins=bins,
    )
    theirs = published(tmp_path, config)
    encoder = ours(tmp_path, config)
    feats = torch.randn(2, 3000, bins)
    expected = theirs(feats.transpose(1, 2)).last_hidden_state
    x, lens = encoder.frames(feats, torch.tensor([3000, 3000]))
    z = encoder.layers(x, length_mask(lens, x.shape[1]))[-1]
    assert torch.allclose(z, expected, atol=1e-5)


def test_positions_are_the_published_table() -> None:
    config = transformers.WhisperConfig(d_model=384, encoder_layers=1, max_source_positions=1500)
    theirs = transformers.models.whisper.modeling_whisper.WhisperEncoder(config)
    assert torch.allclose(positions(1500, 384), theirs.embed_positions.weight, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("num_frames", [1, 2, 3, 50, 51, 3001, 4000])
def test_an_utterance_is_the_same_alone_and_in_a_batch(num_frames: int) -> None:
    """Beyond 30 s too."""
    torch.manual_seed(1)
    encoder = WhisperEncoder(whisper_config()).eval()
    feats = torch.randn(1, num_frames, 80)
    lens = torch.tensor([num_frames, num_frames + 7])
    padded = torch.zeros(2, num_frames + 7, 80)
    padded[0, :num_frames] = feats[0]
    padded[1] = torch.randn(num_frames + 7, 80)
    x, alone = encoder.frames(feats, lens[:1])
    y, both = encoder.frames(padded, lens)
    assert alone[0] == both[0] == x.shape[1] == -(-num_frames // 2)
    z = encoder.layers(x, length_mask(alone, x.shape[1]))
    w = encoder.layers(y, length_mask(both, y.shape[1]))
    for a, b in zip(z, w, strict=True):
        assert torch.allclose(a[0], b[0, : alone[0]], atol=1e-5)


def test_shares_of_the_rate_follow_the_depth() -> None:
    encoder = WhisperEncoder(whisper_config(num_blocks=3))
    depth = {name: encoder.depth_below_heads(name) for name, _ in encoder.named_parameters()}
    assert {depth[n] for n in depth if n.startswith("conv")} == {3}
    assert {depth[n] for n in depth if n.startswith("blocks.0.")} == {2}
    assert {depth[n] for n in depth if n.startswith("blocks.2.")} == {0}
    assert {depth[n] for n in depth if n.startswith("final_norm")} == {0}
