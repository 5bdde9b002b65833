"""Every write of every program fails, or is the last before its process or the machine ends.

A rerun makes it good.

``python tests/faults/counts.py`` tries all writes; here a few are drawn.
"""

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from disk import FAULTS, KILLED_STATUS, Disk
from experiment import OUTPUTS, differences, do, undone
from programs import Said
from undisturbed import Undisturbed

WRITERS = [name for name, outputs in OUTPUTS.items() if outputs]
REPLACED = ("table", "folds", "audit", "score", "pack")  # which are written anew by each call
CASES = [(name, False) for name in WRITERS] + [(name, True) for name in REPLACED]
NAMES = [f"{name}{' over the last' * over}" for name, over in CASES]
DRAWN = 4  # writes of a call


@dataclass(frozen=True)
class Tried:
    """A call in which one write went wrong.

    Attributes:
        write: Which.
        number: Its number in the call.
        code: The ``errno`` of its failure; None where the process ended behind it.
        power_cut: Whether the machine ended too.
    """

    write: str
    number: int
    code: int | None = None
    power_cut: bool = False

    def __str__(self) -> str:
        ended = "power cut" if self.power_cut else "killed"
        return f"{self.number} ({self.write}): {FAULTS[self.code] if self.code else ended}"


def writes_of(name: str) -> list[str]:
    """The writes of a call that nothing disturbs."""
    with Disk(Path()).watched() as disk:
        assert do(name).status == 0
    return disk.changes


def start_anew(name: str, over: bool, reference: Undisturbed) -> None:
    """The whole experiment, without what the call writes unless it is to be written over."""
    reference.copy()
    if not over:
        undone(name)


def fail(name: str, tried: Tried) -> str:
    """Does a call in which a write fails; returns what is wrong with how it ended."""
    with Disk(Path(), tried.number, tried.code).watched():
        said = do(name)
    return wrong_ending(said)


def wrong_ending(said: Said) -> str:
    """What is wrong with how a call ended that met a failing disk: it may pass over what it can."""
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    if "Traceback" in said.err:
        return f"a traceback: {said.err}"
    if said.status == 0 or (said.status == 1 and len(errors) == 1):
        return ""
    return f"status {said.status}, {said.err}"


def kill(name: str, tried: Tried) -> str:
    """Does a call in a process that ends behind a write."""
    child = os.fork()
    if child == 0:
        with Disk(Path(), tried.number, power_cut=tried.power_cut).watched():
            do(name)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return "" if status == KILLED_STATUS else f"status {status} instead of {KILLED_STATUS}"


def faults_of(name: str, over: bool, reference: Undisturbed, tries: Sequence[Tried]) -> list[str]:
    """What went wrong, a line a try: how a call ended, how its rerun ended, what that left."""
    found = []
    for tried in tries:
        start_anew(name, over, reference)
        wrong = kill(name, tried) if tried.code is None else fail(name, tried)
        again = do(name)
        if again.status:
            wrong += f" the rerun: {again.err}"
        elif differing := differences(reference.content):
            wrong += f" differ after the rerun: {differing}"
        if wrong:
            found.append(f"{name}, write {tried}: {wrong}")
    return found


def all_tries(name: str, over: bool, reference: Undisturbed) -> Iterator[Tried]:
    """Every write of a call: killed behind it, a power cut, and each kind of failure in turn."""
    start_anew(name, over, reference)
    for number, write in enumerate(writes_of(name), start=1):
        yield Tried(write, number)
        yield Tried(write, number, power_cut=True)
        yield Tried(write, number, list(FAULTS)[number % len(FAULTS)])


@pytest.mark.long
@pytest.mark.parametrize(("name", "over"), CASES, ids=NAMES)
def test_a_rerun_makes_it_good(name: str, over: bool, reference: Undisturbed) -> None:
    tries = list(all_tries(name, over, reference))
    drawn = random.Random(name).sample(tries, min(DRAWN, len(tries)))
    assert not faults_of(name, over, reference, drawn)


@pytest.mark.long
def test_the_end_of_a_run(reference: Undisturbed) -> None:
    """Whatever ends from the record on, nothing of it stays."""
    tries = list(all_tries("fold1", False, reference))
    (record,) = {tried.number for tried in tries if ".run.json.partial" in tried.write} & {
        tried.number for tried in tries if tried.write.startswith("replace ")
    }
    last = [tried for tried in tries if tried.number >= record - 2 and tried.code is None]
    assert len(last) >= 8
    assert not faults_of("fold1", False, reference, last)
