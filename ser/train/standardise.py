"""Mean and standard deviation of what a readout pools, over the training utterances."""

from collections.abc import Sequence

import torch

from ser.data.loader import load_batches
from ser.data.sampler import split_by_frames
from ser.data.utterances import FeatureReader, Utterance
from ser.nn.emotion import EmotionModel
from ser.nn.mask import length_mask
from ser.nn.readout import Pooling
from ser.train.engine.distributed import Distributed
from ser.train.engine.memory import out_of_memory_named


def standardise(
    model: EmotionModel,
    utterances: Sequence[Utterance],
    feats: FeatureReader,
    world: Distributed,
    max_frames: int,
) -> None:
    """Sets what the readout takes off and divides by; one without such is left alone.

    It is set once, with the weights that training starts from.

    Args:
        model: On its device.
        utterances: Of the training part.
        feats: Their features, or what the frozen encoder made of these.
        world: The processes, which share the utterances out.
        max_frames: Padded frames at a time.

    Raises:
        SerError: They do not fit into memory.
    """
    readout = model.readout
    if not isinstance(readout, Pooling):
        return
    sums = torch.zeros(2, readout.offset.numel(), dtype=torch.float64, device=world.device)
    count = torch.zeros(1, dtype=torch.float64, device=world.device)
    model.eval()
    micro_batches = split_by_frames([u.num_frames for u in utterances], max_frames)
    for batch in load_batches(utterances, feats, micro_batches[world.share], world.device):
        what = f"a batch of {len(batch.utts)} utterances"
        with torch.inference_mode(), out_of_memory_named(max_frames, what):
            hidden, lens = batch.feats, batch.feat_lens
            if not batch.encoded:
                hidden, lens = model.encode(hidden, lens)
            rows = hidden[length_mask(lens, hidden.shape[1])].double()  # (all frames, W)
            sums += torch.stack([rows.sum(dim=0), rows.square().sum(dim=0)])
            count += len(rows)
    (total, squares), number = world.sum(sums), world.sum(count)
    mean = total / number
    variance = (squares / number - mean.square()).clamp(min=0)
    readout.standardise(mean.float(), variance.sqrt().float())
