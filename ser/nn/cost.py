"""What a network costs: operations, and memory for its backward pass, as PyTorch counts them.

The network lives on the meta device, which has shapes but no values. An operation (FLOP) is a
multiplication or an addition. Matrix products and convolutions are counted; norms, dropout and
activations are bound by memory traffic and left out.
"""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import dropout, scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

FLOAT_BYTES = 4


class Cost(NamedTuple):
    """Of one utterance.

    A part is a module inside the network, by its name, those of all blocks together; "rest" is what
    the network does outside of all, the loss included.

    Attributes:
        forward: Operations of the forward pass, by part.
        backward: Operations of the backward pass.
        kept: Bytes kept for the backward pass, float32, by part, as a GPU's kernels keep them.
            Temporary tensors of the backward pass are not counted.
    """

    forward: Counter[str]
    backward: int
    kept: Counter[str]


def cost(model: nn.Module, feats: torch.Tensor, **options: bool) -> Cost:
    """Forward and backward pass over one utterance; frozen parameters get no gradient.

    Args:
        model: On the meta device, in training. One parameter or more is trained.
        feats: What it reads, (1, T, F) on the meta device.
        options: Of its forward pass.
    """
    kept: Counter[str] = Counter()
    storages = {id(s): s for s in (p.untyped_storage() for p in model.parameters())}
    counter = FlopCounterMode(display=False)

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if id(storage) not in storages:
            storages[id(storage)] = storage
            kept[_part(max(counter.mod_tracker.parents, key=len))] += storage.nbytes()
        return tensor

    with counter:
        with saved_tensors_hooks(keep, _same), _AsOnGpu(keep):
            outputs = model(feats, torch.full((1,), feats.shape[1], device="meta"), **options)
            learning = [x for x in outputs if x is not None and x.requires_grad]
            losses = [x.log_softmax(dim=-1).sum() for x in learning]
        flops = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
        torch.autograd.backward(losses)
    own: dict[str, int] = {}
    forward: Counter[str] = Counter()
    for name in sorted(flops.keys() - {"Global"}, key=len, reverse=True):
        # What is counted for a module is counted for those around it too.
        inside = sum(number for other, number in own.items() if other.startswith(f"{name}."))
        own[name] = flops[name] - inside
        forward[_part(name)] += own[name]
    return Cost(+forward, counter.get_total_flops() - forward.total(), kept)


class _AsOnGpu(TorchFunctionMode):
    """Has kept what a GPU's kernels keep: of dropout a mask of bytes, of attention no scores."""

    def __init__(self, keep: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self._keep = keep

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is dropout and kwargs["p"]:
            return torch.native_dropout(args[0], kwargs["p"], kwargs["training"])[0]
        if func is not scaled_dot_product_attention:
            return func(*args, **kwargs)
        with saved_tensors_hooks(_same, _same):
            out = func(*args, **kwargs)
        for tensor in args if out.requires_grad else ():  # queries, keys, values
            self._keep(tensor)
        return out


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _part(name: str) -> str:
    """A module's name without the network's and without places in lists."""
    return re.sub(r"\.\d+", "", name.partition(".")[2]) or "rest"
