"""Adam as the paper's PyTorch has it, and its learning rate at each step."""

import pytest
import torch
from tiny import optimizer_config, system_config
from torch import nn

from ser.base.errors import SerError
from ser.nn.systems import build_system
from ser.train.engine.optimizer import learning_rate, make_optimizer, set_learning_rate


@pytest.mark.parametrize(
    ("schedule", "warmup_steps", "step", "share"),
    [
        ("constant", 0, 0, 1.0),
        ("constant", 0, 99, 1.0),
        ("constant", 10, 0, 0.1),
        ("constant", 10, 4, 0.5),
        ("constant", 10, 9, 1.0),
        ("constant", 10, 10, 1.0),
        ("constant", 1000, 99, 0.1),
        ("cosine", 0, 0, 1.0),
        ("cosine", 0, 50, 0.5),
        ("cosine", 20, 19, 1.0),
        ("cosine", 20, 20, 1.0),
        ("cosine", 20, 60, 0.5),
        ("cosine", 20, 100, 0.0),
        ("cosine", 100, 99, 1.0),
        ("linear", 0, 0, 1.0),
        ("linear", 0, 25, 0.75),
        ("linear", 20, 60, 0.5),
        ("linear", 20, 100, 0.0),
        ("inverse_sqrt", 10, 4, 0.5),
        ("inverse_sqrt", 10, 9, 1.0),
        ("inverse_sqrt", 10, 39, 0.5),
        ("inverse_sqrt", 4, 99, 0.2),
    ],
)
def test_learning_rate(schedule: str, warmup_steps: int, step: int, share: float) -> None:
    config = optimizer_config(learning_rate=3e-4, schedule=schedule, warmup_steps=warmup_steps)
    assert learning_rate(config, step, num_steps=100) == pytest.approx(3e-4 * share, abs=1e-12)


ENCODER_NAMES = {
    "encoder.subsampling.conv1.weight": 2,
    "encoder.blocks.0.attention.qkv.bias": 1,
    "encoder.blocks.1.feed_forward.0.weight": 0,
    "emotion_embedding": 0,
    "emotion_head.weight": 0,
    "ctc_head.bias": 0,
}


def emotion_model() -> nn.Module:
    return build_system(system_config("transformer_tl_mtl"), 4, 6)


def test_rates_fall_from_block_to_block() -> None:
    model = emotion_model()
    optimizer = make_optimizer(model, optimizer_config(layer_lr_decay=0.5))
    set_learning_rate(optimizer, 8e-4)
    rate_of = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    assert len(rate_of) == len(list(model.parameters())), "each is in one group"
    rates = {name: rate_of[id(p)] for name, p in model.named_parameters()}
    for name, depth in ENCODER_NAMES.items():
        assert rates[name] == pytest.approx(8e-4 * 0.5**depth), name


def test_frozen_parameters_are_named_by_their_beginning() -> None:
    model = emotion_model()
    frozen = ["encoder.subsampling", "encoder.blocks.1", "emotion_embedding"]
    optimizer = make_optimizer(model, optimizer_config(frozen=frozen))
    trained = {id(p) for g in optimizer.param_groups for p in g["params"]}
    for name, parameter in model.named_parameters():
        free = not name.startswith(tuple(f"{f}." for f in frozen)) and name not in frozen
        assert parameter.requires_grad == free == (id(parameter) in trained), name


@pytest.mark.parametrize(
    ("frozen", "said"),
    [
        (["encoder.block"], r"'encoder\.block' begins no parameter's name.*encoder\.blocks"),
        (["encoder", "emotion_embedding", "emotion_head", "ctc_head"], "leaves 0 parameters"),
    ],
)
def test_wrong_freezing_is_told(frozen: list[str], said: str) -> None:
    with pytest.raises(SerError, match=said):
        make_optimizer(emotion_model(), optimizer_config(frozen=frozen))


def test_weight_decay_is_l2_in_the_gradient() -> None:
    """One step of Adam by hand: g + w * decay, not AdamW's decay of the weight itself."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    optimizer = make_optimizer(
        model, optimizer_config(learning_rate=0.1, weight_decay=0.5, betas=[0.8, 0.98])
    )
    assert type(optimizer) is torch.optim.Adam
    model(torch.tensor([[3.0]])).sum().backward()
    optimizer.step()
    state = optimizer.state[model.weight]
    gradient = 3.0 + 0.5 * 2.0
    assert float(state["exp_avg"]) == pytest.approx(0.2 * gradient)
    assert float(state["exp_avg_sq"]) == pytest.approx(0.02 * gradient**2)
    assert float(model.weight.detach()) == pytest.approx(2.0 - 0.1, abs=1e-5)
