"""What the tests of training runs share."""

import pytest
from tiny_training import NUM_EPOCHS, make_data

from ser.data.sampler import epoch_batches, split_by_frames
from ser.train.engine import loop
from ser.train.training_data import TrainingData


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    return make_data(tmp_path_factory.mktemp("feats"))


@pytest.fixture
def every_second_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "REPORT_EVERY_STEPS", 2)


@pytest.fixture(scope="module")
def num_calls(data: TrainingData) -> int:
    """Calls of the loss in one whole run: more than steps, for batches are split.

    One more comes before: the rehearsal of the largest part.
    """
    lens = [u.num_frames for u in data.utterances]
    batches = [
        batch for epoch in range(NUM_EPOCHS) for batch in epoch_batches(lens, 4, 0.05, 1, epoch)
    ]
    return 1 + sum(len(split_by_frames([lens[i] for i in b], 200)) for b in batches)
