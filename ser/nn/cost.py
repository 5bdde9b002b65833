"""What a network costs, by formula: operations of its parts, and memory for its backward pass.

An operation (FLOP) is a multiplication or an addition. Matrix products and convolutions are
counted; norms, dropout and activations are bound by memory traffic and left out.
"""

from typing import NamedTuple

from torch import nn

from ser.config.schema import CnnBlstmSaConfig, EncoderConfig

FLOAT_BYTES = 4


class NetworkShape(NamedTuple):
    """A network and what hangs on it.

    Attributes:
        config: Encoder or baseline.
        vocab_size: V, or None without a CTC head.
        num_emotions: C, or None for the recogniser of pre-training.
    """

    config: EncoderConfig | CnnBlstmSaConfig
    vocab_size: int | None
    num_emotions: int | None


def count_parameters(model: nn.Module) -> int:
    """Parameters of a model; it may live on the meta device."""
    return sum(p.numel() for p in model.parameters())


def forward_flops(shape: NetworkShape, num_frames: int) -> dict[str, int]:
    """Operations of the forward pass of one utterance of T frames, by part of the network."""
    config = shape.config
    if config.type == "cnn_blstm_sa":
        products = _baseline_products(config, shape.num_emotions or 0, num_frames)
    else:
        products = _transformer_products(config, shape, num_frames)
    return {part: 2 * number for part, number in products.items()}


def training_flops(forward: dict[str, int]) -> int:
    """Operations of forward and backward pass: three times the forward pass.

    The backward pass has two products for each of the forward pass; that the first convolution
    needs no gradient of its input is left out. Only on the CPU is anything computed twice: the
    first convolution, a hundredth of the whole.
    """
    return 3 * sum(forward.values())


def kept_bytes(shape: NetworkShape, num_frames: int) -> dict[str, int]:
    """Bytes that one utterance keeps for the backward pass, float32, by part of the network.

    The attention kernel is one that keeps no scores, as PyTorch's on GPUs; temporary tensors of
    the backward pass are not counted.
    """
    config = shape.config
    if config.type == "cnn_blstm_sa":
        values = _baseline_values(config, num_frames)
    else:
        values = _transformer_values(config, shape, num_frames)
    return {part: int(FLOAT_BYTES * n) for part, n in values.items()}


class _FrontEnd(NamedTuple):
    """Sizes of the two convolutions over one utterance.

    Attributes:
        frames: S, encoder frames.
        conv1: Values that come out of the first convolution.
        conv2: Values that come out of the second.
    """

    frames: int
    conv1: int
    conv2: int


def _front_end(config: EncoderConfig, num_frames: int) -> _FrontEnd:
    (k1, k2), (s1, s2) = config.subsampling.kernel_sizes, config.subsampling.strides
    channels = config.subsampling.num_channels
    num_frames = max(num_frames, (k2 - 1) * s1 + k1)  # shorter ones are padded
    frames1, bands1 = ((size - k1) // s1 + 1 for size in (num_frames, config.num_mel_bins))
    frames2, bands2 = ((size - k2) // s2 + 1 for size in (frames1, bands1))
    return _FrontEnd(frames2, channels * frames1 * bands1, channels * frames2 * bands2)


def _transformer_products(
    config: EncoderConfig, shape: NetworkShape, num_frames: int
) -> dict[str, int]:
    """Multiply-adds by part."""
    front = _front_end(config, num_frames)
    k1, k2 = config.subsampling.kernel_sizes
    width, joined = config.d_model, config.num_heads * config.head_dim
    positions = front.frames if shape.num_emotions is None else 1 + front.frames
    products = {
        "conv1": front.conv1 * k1**2,
        "conv2": front.conv2 * k2**2 * config.subsampling.num_channels,
        "projection": front.conv2 * width,
        "blocks' linear layers": (
            config.num_blocks * positions * width * (4 * joined + 2 * config.ffn_dim)
        ),
        "attention scores": config.num_blocks * positions**2 * 2 * joined,
    }
    if shape.vocab_size is not None:
        products["CTC head"] = front.frames * width * shape.vocab_size
    if shape.num_emotions is not None:
        products["emotion head"] = width * shape.num_emotions
    return products


def _transformer_values(
    config: EncoderConfig, shape: NetworkShape, num_frames: int
) -> dict[str, float]:
    """Values kept by part; dropout keeps its output and a mask of a quarter of a value's bytes."""
    front = _front_end(config, num_frames)
    width, joined = config.d_model, config.num_heads * config.head_dim
    positions = front.frames if shape.num_emotions is None else 1 + front.frames
    dropped = 1 if config.dropout_prob else 0
    attention = 4 * joined + 2 * width + dropped * width / 4  # q, k, v, heads; sum and norm
    feed_forward = config.ffn_dim + 2 * width + dropped * (1.25 * config.ffn_dim + width / 4)
    values = {
        "features": float(num_frames * config.num_mel_bins),
        "conv1": float(front.conv1),
        "conv2": 2.0 * front.conv2,  # and once more in the order of the projection
        "blocks": positions * (width + config.num_blocks * (attention + feed_forward)),
    }
    if shape.vocab_size is not None:
        values["CTC head"] = front.frames * shape.vocab_size  # log-probabilities
    return values


def _baseline_products(
    config: CnnBlstmSaConfig, num_emotions: int, num_frames: int
) -> dict[str, int]:
    """Multiply-adds by part."""
    pool, channels, hidden = config.pool_size, config.num_channels, config.lstm_dim
    num_frames = max(num_frames, pool**2)
    pooled = (num_frames // pool) * (config.num_mel_bins // pool)
    frames = num_frames // pool**2
    inputs = [channels * (config.num_mel_bins // pool**2)]
    inputs += [2 * hidden] * (config.num_lstm_layers - 1)
    heads = config.num_attention_heads
    return {
        "conv1": 9 * channels * num_frames * config.num_mel_bins,
        "conv2": 9 * channels**2 * pooled,
        "BLSTM": sum(frames * 2 * 4 * hidden * (size + hidden) for size in inputs),
        "self-attention": frames
        * (2 * hidden * config.attention_dim + config.attention_dim * heads + heads * 2 * hidden),
        "emotion head": heads * 2 * hidden * num_emotions,
    }


def _baseline_values(config: CnnBlstmSaConfig, num_frames: int) -> dict[str, float]:
    """Values kept by part; the place of a maximum counts twice, being 8 bytes."""
    pool, channels = config.pool_size, config.num_channels
    num_frames = max(num_frames, pool**2)
    map1 = num_frames * config.num_mel_bins
    map2 = (num_frames // pool) * (config.num_mel_bins // pool)
    map3 = (num_frames // pool**2) * (config.num_mel_bins // pool**2)
    gates_and_cells = 2 * 6 * config.lstm_dim * config.num_lstm_layers
    return {
        "features": float(map1),
        "conv1": float(channels * (map1 + 3 * map2)),
        "conv2": float(channels * (map2 + 3 * map3)),
        "BLSTM": float(num_frames // pool**2 * gates_and_cells),
    }
