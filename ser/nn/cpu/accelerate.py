"""Puts the CPU's arithmetic into a network."""

from torch import nn

from ser.nn.attention import SelfAttention
from ser.nn.cpu.attention import CpuSelfAttention
from ser.nn.cpu.dropout import CpuFeedForward, CpuResidualSum
from ser.nn.cpu.linear import CpuCtcHead, CpuLinear
from ser.nn.cpu.subsampling import CpuConvSubsampling
from ser.nn.ctc_head import CtcHead
from ser.nn.encoder_base import FeedForward, ResidualSum
from ser.nn.subsampling import ConvSubsampling

CPU_MODULES: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: CpuLinear,
    ResidualSum: CpuResidualSum,
    FeedForward: CpuFeedForward,
    SelfAttention: CpuSelfAttention,
    ConvSubsampling: CpuConvSubsampling,
    CtcHead: CpuCtcHead,
}


def accelerate(model: nn.Module) -> None:
    """Swaps the modules of the encoder and of the CTC head for their CPU versions, in place.

    The arithmetic is the same in another order, without layout copies and with cheaper random
    numbers: a test holds both equal. Weights and their names stay, so that a model can be saved,
    loaded, exported and compiled as before; under autocast, and where it is compiled or exported,
    the plain operations run. A model whose weights are not on the CPU is left as it is.

    Args:
        model: Of ``ser.nn``; CNN-BLSTM-SA has neither part, so that nothing is swapped.
    """
    if next(model.parameters()).device.type != "cpu":
        return
    for name in ("encoder", "ctc_head"):
        part = getattr(model, name, None)
        for module in part.modules() if part is not None else ():
            # A class without a constructor of its own: what the instance holds stays as it is.
            module.__class__ = CPU_MODULES.get(type(module), type(module))
