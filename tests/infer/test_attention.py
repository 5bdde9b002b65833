"""Where the emotion vector looks: the attention that the network itself uses."""

import threading

import numpy as np
import pytest
from tiny import encoder_config

from ser.config.network import ReadoutConfig
from ser.infer.model import Model
from ser.infer.torch_engine import TorchEngine, emotion_attention
from ser.nn.emotion import EmotionModel


def test_the_attention_is_the_one_that_the_network_uses(model: Model) -> None:
    """Weights and values give what the attention layer gives for the first position."""
    import torch

    assert isinstance(model.engine, TorchEngine)
    network = model.engine.networks[0]
    layer = network.encoder.blocks[-1].attention
    x = torch.randn(1, 9, network.encoder.d_model)
    with torch.inference_mode():
        weights = layer.weights_of_first(x)
        torch.testing.assert_close(weights.sum(dim=2), torch.ones(1, layer.num_heads))
        qkv = layer.qkv(x).view(1, 9, 3, layer.num_heads, layer.head_dim)
        joined = torch.einsum("bhs,bshd->bhd", weights, qkv[:, :, 2]).flatten(1)
        expected = layer(x, torch.ones(1, 9, dtype=torch.bool))[:, 0]
        torch.testing.assert_close(layer.output(joined), expected)
    feats = np.random.default_rng(0).normal(size=(200, 80)).astype(np.float32)
    found = emotion_attention(model.engine.networks, feats)
    assert found is not None
    assert (found >= 0).all() and 0 < found.sum() < 1  # the rest is on the vector itself


@pytest.mark.parametrize("layer_norm", ["pre", "post"])
def test_the_attention_is_that_of_the_last_block_and_of_what_it_gets(layer_norm: str) -> None:
    import torch

    torch.manual_seed(1)
    config = encoder_config(num_blocks=3, layer_norm=layer_norm)
    network = EmotionModel(config, 4, None, ReadoutConfig(type="emotion_vector")).eval()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)  # norms that do something
    given = []
    last = network.encoder.blocks[-1].attention
    last.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    feats = np.random.default_rng(0).normal(size=(200, 80)).astype(np.float32)
    with torch.inference_mode():
        network(torch.from_numpy(feats)[None], torch.tensor([200]))
        wanted = last.weights_of_first(given[0]).mean(dim=1)[0, 1:]
    found = emotion_attention([network], feats)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-6)


def test_the_attention_is_of_its_own_input(model: Model) -> None:
    """Another thread that predicts meanwhile does not get in between."""
    assert isinstance(model.engine, TorchEngine)
    random = np.random.default_rng(0)
    mine, other = (random.normal(size=(n, 80)).astype(np.float32) for n in (200, 90))
    alone = emotion_attention(model.engine.networks, mine)
    done = threading.Event()

    def disturb() -> None:
        while not done.is_set():
            model.engine([other])

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        found = [emotion_attention(model.engine.networks, mine) for _ in range(20)]
    finally:
        done.set()
        thread.join()
    for weights in found:
        np.testing.assert_allclose(weights, alone, atol=1e-6)
