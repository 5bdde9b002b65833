"""A published encoder of a few thousand parameters, as the hub would have it."""

from typing import Any

import torch

from ser.config.network import WhisperConfig
from ser.nn.whisper import WhisperEncoder, positions


def their_tensors(config: WhisperConfig) -> dict[str, torch.Tensor]:
    """Tensors by their names, of an encoder with random weights, and a decoder's."""
    torch.manual_seed(1)
    encoder = WhisperEncoder(config)
    own = encoder.state_dict()
    tensors = {
        name.replace("final_norm", "layer_norm"): own[name]
        for name in own
        if not name.startswith("blocks.")
    }
    width = config.d_model
    for block in range(config.num_blocks):
        ours, theirs = f"blocks.{block}.", f"layers.{block}."
        for kind in ("weight", "bias"):
            parts = own[f"{ours}attention.qkv.{kind}"].split(width)
            for letter, part in zip("qkv", parts, strict=True):
                if (letter, kind) != ("k", "bias"):
                    tensors[f"{theirs}self_attn.{letter}_proj.{kind}"] = part.clone()
            for there, here in (
                ("self_attn.out_proj", "attention.output"),
                ("self_attn_layer_norm", "attention_norm"),
                ("fc1", "feed_forward.0"),
                ("fc2", "feed_forward.3"),
                ("final_layer_norm", "feed_forward_norm"),
            ):
                tensors[f"{theirs}{there}.{kind}"] = own[f"{ours}{here}.{kind}"]
    tensors["embed_positions.weight"] = positions(1500, width)
    named = {f"model.encoder.{name}": tensor for name, tensor in tensors.items()}
    return named | {"model.decoder.embed_tokens.weight": torch.zeros(3, width)}


def their_config(config: WhisperConfig) -> dict[str, Any]:
    """What stands in ``config.json``."""
    return {
        "model_type": "whisper",
        "num_mel_bins": config.num_mel_bins,
        "d_model": config.d_model,
        "encoder_layers": config.num_blocks,
        "encoder_attention_heads": config.num_heads,
        "encoder_ffn_dim": config.ffn_dim,
    }
