"""Adam, what it trains at which rate, and the rate at each step."""

import math
from pathlib import Path

import torch
from torch import nn

from ser.base.errors import SerError
from ser.config.schema import OptimizerConfig
from ser.nn.encoder_base import Encoder


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.Adam:
    """Adam with weight decay as L2 in the gradient, as the paper's PyTorch had it.

    Each parameter group holds its share of the rate as ``rate_share``. Frozen parameters are in
    none of them and get no gradient.

    Raises:
        SerError: A name in ``frozen`` begins no parameter's name, or nothing is left to train.
    """
    freeze(model, config.frozen)
    shares: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            depth = depth_below_heads(model, name)
            shares.setdefault(config.layer_lr_decay**depth, []).append(parameter)
    return torch.optim.Adam(
        [{"params": parameters, "rate_share": share} for share, parameters in shares.items()],
        lr=config.learning_rate,
        betas=(config.betas[0], config.betas[1]),
        weight_decay=config.weight_decay,
        fused=True,  # one pass over the weights
    )


def freeze(model: nn.Module, frozen: list[str], path: Path | None = None) -> None:
    """Keeps parameters as they are, by the beginning of their names.

    Args:
        model: Whose.
        frozen: The beginnings.
        path: The configuration, for messages.

    Raises:
        SerError: A beginning fits no name, or all parameters would be frozen.
    """
    where = f"{path}: " if path else ""
    names = [name for name, _ in model.named_parameters()]
    for prefix in frozen:
        if not any(_begins(name, prefix) for name in names):
            tops = sorted({".".join(name.split(".")[:2]) for name in names})
            raise SerError(
                f"{where}optimizer.frozen: '{prefix}' begins no parameter's name; expected the "
                f"like of {', '.join(tops)}; correct the name"
            )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(_begins(name, prefix) for prefix in frozen))
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise SerError(
            f"{where}optimizer.frozen: {frozen} leaves 0 parameters to train; expected some; "
            "shorten the list"
        )


def _begins(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def depth_below_heads(model: nn.Module, name: str) -> int:
    """How far one of a model's parameters lies below the top block of its encoder, as the heads do.

    Heads, emotion vector and a model without an encoder lie at 0.
    """
    encoder = getattr(model, "encoder", None)
    if isinstance(encoder, Encoder) and name.startswith("encoder."):
        return encoder.depth_below_heads(name.removeprefix("encoder."))
    return 0


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Gives each parameter group its share of the rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["rate_share"]


def learning_rate(config: OptimizerConfig, step: int, num_steps: int) -> float:
    """The rate of a step: linear warm-up, then the schedule.

    Args:
        config: Peak rate, warm-up and schedule.
        step: Counted from 0.
        num_steps: All steps of the run.
    """
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, num_steps - config.warmup_steps)
    shape = {
        "constant": 1.0,
        "linear": 1.0 - done,
        "cosine": 0.5 * (1.0 + math.cos(math.pi * done)),
        "inverse_sqrt": math.sqrt(config.warmup_steps / (step + 1)),
    }
    return config.learning_rate * shape[config.schedule]
