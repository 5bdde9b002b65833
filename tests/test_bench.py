"""The benchmarks' stand-ins are what the programs that they time take."""

from pathlib import Path

import numpy as np
import pytest

from ser.infer.loading import load

TOOLS = Path(__file__).parents[1] / "tools"


def test_the_run_that_is_timed_is_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from benchmarks.prediction import run_folder

    with run_folder("mini") as folder:
        result = load(folder).predict(np.zeros(16000, np.float32), 16000)
    assert sum(result.posteriors.values()) == pytest.approx(1)
