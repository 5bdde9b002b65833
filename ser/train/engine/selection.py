"""Which epochs are good: for the patience, for the weights that are kept, and for their average."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ser.nn.weights import load_weights, save_weights


@dataclass(frozen=True)
class Selection:
    """What makes an epoch better than another.

    Attributes:
        metric: Its name among the validation values.
        higher_is_better: Which way it goes.
        keep_best: Whether the best epochs' weights are kept, rather than the last ones'.
    """

    metric: str
    higher_is_better: bool
    keep_best: bool

    def selection_score(self, value: float) -> float:
        """Higher is better; what is no number is worst."""
        if math.isnan(value):
            return -math.inf
        return value if self.higher_is_better else -value


def out_of_patience(selection_score: Sequence[float], patience_epochs: int | None) -> bool:
    """Whether so many epochs, None for any number, have passed since the best there was."""
    if patience_epochs is None or not selection_score:
        return False
    return len(selection_score) - 1 - selection_score.index(max(selection_score)) >= patience_epochs


class EpochWeights:
    """Weights of the last or the best epochs in one folder, and their average.

    Args:
        folder: Where the weights lie.
        num_epochs: How many epochs are kept.
    """

    def __init__(self, folder: Path, num_epochs: int) -> None:
        self._folder, self._num_epochs = folder, num_epochs

    def add(
        self, model: nn.Module, selection_score: Sequence[float], num_checkpointed: int
    ) -> None:
        """Keeps the latest epoch if it is among the best, and drops those that no longer are.

        A run that resumes comes to the epochs after its checkpoint again, and on a GPU their scores
        may be others: what was best at the checkpoint stays until the next one.

        Args:
            model: The network after the latest epoch.
            selection_score: How good each epoch was; of equal ones the earlier counts as better.
            num_checkpointed: Epochs done at the last checkpoint.
        """
        best, latest = self.best(selection_score), len(selection_score) - 1
        if latest in best:
            self._folder.mkdir(exist_ok=True)
            save_weights(self._path(latest), model.state_dict())
        needed = {*best, *self.best(selection_score[:num_checkpointed])}
        for epoch in set(range(latest)) - needed:
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
