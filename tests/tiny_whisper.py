"""A published encoder of a few thousand parameters, as the hub would have it."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

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


def write_published(folder: Path, config: WhisperConfig) -> Path:
    """Writes the weights and what of ``config.json`` is read; returns the folder."""
    folder.mkdir()
    save_file(their_tensors(config), folder / "model.safetensors")
    sizes = {
        "model_type": "whisper",
        "num_mel_bins": config.num_mel_bins,
        "d_model": config.d_model,
        "encoder_layers": config.num_blocks,
        "encoder_attention_heads": config.num_heads,
        "encoder_ffn_dim": config.ffn_dim,
    }
    (folder / "config.json").write_text(json.dumps(sizes))
    return folder
