"""The benchmarks' stand-ins are what the programs that they time take."""

import re
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from benchmarks import busy_cores
from benchmarks.prediction import beside, random_system, run_folder
from benchmarks.row import Row
from tracked import ROOT

from ser.infer.loading import load


def test_every_row_is_on_the_page() -> None:
    page = (ROOT / "tools" / "benchmarks" / "README.md").read_text()
    rows = re.findall(r'^    "(\w+)": "\w+",$', (ROOT / "tools" / "bench.py").read_text(), re.M)
    assert len(rows) > 10
    assert [row for row in rows if f"`{row}`" not in page] == []


def test_the_run_that_is_timed_is_a_run() -> None:
    with run_folder(random_system("mini")) as folder:
        result = load(folder).predict(np.zeros(16000, np.float32), 16000)
    assert sum(result.posteriors.values()) == pytest.approx(1)


@pytest.mark.slow
def test_the_row_beside_busy_cores_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy_cores, "ROUNDS", 1)
    monkeypatch.setattr(busy_cores, "NUM_WINDOWS", 1)
    monkeypatch.setattr(busy_cores, "CASES", {"passive": ("PASSIVE", 0)})
    started: list[subprocess.Popen[bytes]] = []

    def start(command: list[str]) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(command))
        return started[-1]

    monkeypatch.setattr(busy_cores, "subprocess", SimpleNamespace(Popen=start))
    row = busy_cores.latency_on_busy_cores()
    assert row.value == row.cases["passive"] > 0
    assert row.raw["passive.alone"] > 0
    assert len(started) == row.raw["cores"]
    assert all(process.returncode is not None for process in started), "none is left behind"


def test_a_row_that_misses_the_target_of_a_case_says_so() -> None:
    row = Row(
        key="step",
        value=6.0,
        target=">= 5",
        cases={"cut": 1.0, "memory": 0.4},
        targets={"cut": ">= 1.3", "memory": "<= 0.5"},
    )
    assert row.to_reach == ">= 5, cut >= 1.3, memory <= 0.5"
    assert row.reached == "no: cut"
    assert replace(row, cases={"cut": 1.3, "memory": 0.4}).reached == "yes"
    assert replace(row, value=4.0, targets={}).reached == "no: step"
    assert replace(row, target="reported", targets={}).reached == "-"


def test_ratios_beside_a_peer() -> None:
    ours = {"seconds": 1.0, "start": 2.0, "peak_megabytes": 400.0, "added_megabytes": 100.0}
    theirs = {"seconds": 3.0, "start": 4.0, "peak_megabytes": 800.0, "added_megabytes": 400.0}
    expected = {"speed": 3.0, "start": 2.0, "memory": 0.5, "own_memory": 0.25}
    assert beside(ours, theirs) == expected
