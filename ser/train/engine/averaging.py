"""The weights of single epochs that a run keeps: for the best, and for the average of several."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from ser.train.engine.checkpoint import load_weights, save_weights


class EpochWeights:
    """Weights of the last or the best epochs in one folder, and their average.

    Args:
        folder: Where the weights lie.
        num_epochs: How many epochs are kept.
    """

    def __init__(self, folder: Path, num_epochs: int) -> None:
        self._folder, self._num_epochs = folder, num_epochs

    def add(self, model: nn.Module, selection_score: Sequence[float]) -> None:
        """Keeps the latest epoch if it is among the best, and drops the one that no longer is.

        A run that resumes from an earlier checkpoint comes to the same epochs again and decides
        the same, so what is dropped here is not missed there.

        Args:
            model: The network after the latest epoch.
            selection_score: How good each epoch was; of equal ones the earlier counts as better.
        """
        best, latest = self.best(selection_score), len(selection_score) - 1
        if latest in best:
            self._folder.mkdir(exist_ok=True)
            save_weights(self._path(latest), model)
        for epoch in set(range(latest)) - set(best):
            self._path(epoch).unlink(missing_ok=True)

    def best(self, selection_score: Sequence[float]) -> list[int]:
        """The epochs that are kept, in their order."""
        ranked = sorted(
            range(len(selection_score)), key=lambda epoch: (-selection_score[epoch], epoch)
        )
        return sorted(ranked[: self._num_epochs])

    def average(self, selection_score: Sequence[float]) -> dict[str, torch.Tensor]:
        """The mean of the kept weights, summed in float64 in the order of the epochs.

        Raises:
            SerError: One of them is missing or damaged.
        """
        return average_weights([load_weights(self._path(e)) for e in self.best(selection_score)])

    def _path(self, epoch: int) -> Path:
        return self._folder / f"epoch{epoch + 1}.safetensors"


def average_weights(weights: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of several models' weights; of one model these very weights."""
    first = weights[0]
    if len(weights) == 1:
        return dict(first)
    return {
        name: torch.stack([w[name].double() for w in weights]).mean(dim=0).to(tensor.dtype)
        for name, tensor in first.items()
    }
