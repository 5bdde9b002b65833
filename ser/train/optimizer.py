"""Adam, and its learning rate at each step."""

import math

import torch
from torch import nn

from ser.config.schema import OptimizerConfig


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Adam:
    """Adam with weight decay as L2 in the gradient, as the paper's PyTorch had it."""
    return torch.optim.Adam(
        model.parameters(),
        lr=config.learning_rate,
        betas=(config.betas[0], config.betas[1]),
        weight_decay=config.weight_decay,
        fused=True,  # one pass over the weights
    )


def learning_rate(config: OptimizerConfig, step: int, num_steps: int) -> float:
    """The rate of a step: linear warm-up, then constant or a half cosine down to zero.

    Args:
        config: Peak rate, warm-up and shape.
        step: Counted from 0.
        num_steps: All steps of the run.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - config.warmup_steps) / max(1, num_steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
