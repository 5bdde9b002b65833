"""Adam as the paper's PyTorch has it, and its learning rate at each step."""

import pytest
import torch
from tiny import optimizer_config
from torch import nn

from ser.train.optimizer import learning_rate, make_optimizer


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
    ],
)
def test_learning_rate(schedule: str, warmup_steps: int, step: int, share: float) -> None:
    config = optimizer_config(learning_rate=3e-4, schedule=schedule, warmup_steps=warmup_steps)
    assert learning_rate(config, step, num_steps=100) == pytest.approx(3e-4 * share, abs=1e-12)


def test_weight_decay_is_l2_in_the_gradient() -> None:
    """One step of Adam by hand: g + w * decay, not AdamW's decay of the weight itself."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 2.0)
    optimizer = make_optimizer(
        model, optimizer_config(learning_rate=0.1, weight_decay=0.5, betas=[0.9, 0.999])
    )
    assert type(optimizer) is torch.optim.Adam
    model(torch.tensor([[3.0]])).sum().backward()
    optimizer.step()
    state = optimizer.state[model.weight]
    gradient = 3.0 + 0.5 * 2.0
    assert float(state["exp_avg"]) == pytest.approx(0.1 * gradient)
    assert float(state["exp_avg_sq"]) == pytest.approx(0.001 * gradient**2)
    assert float(model.weight.detach()) == pytest.approx(2.0 - 0.1, abs=1e-5)
