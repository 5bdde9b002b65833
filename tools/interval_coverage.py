"""Simulates evaluations of known truth and prints how often the intervals hold it.

tools/venv/bin/python tools/interval_coverage.py [--worlds N] [--rounds N] [--seed N]
"""

import argparse
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from ser.base.arrays import Doubles
from ser.base.errors import run_program
from ser.base.options import require_within
from ser.metrics.classification import Codes, accuracy
from ser.score.stats.intervals import (
    CellCounts,
    Estimate,
    Metric,
    bootstrap,
    count_cells,
    jackknife_interval,
    percentile_interval,
)

NUM_SPEAKERS_PER_SESSION = 2
# IEMOCAP's class shares, and recalls about those of Table 1.
PRIORS = np.array([1103, 1636, 1708, 1084]) / 5531
RECALLS = np.array([0.74, 0.66, 0.64, 0.76])
SESSION_SDS, SPEAKER_SDS = (0, 3, 5, 8), (0, 3)  # points
CASES: tuple[tuple[str, Metric, tuple[float, float]], ...] = (
    ("WA", "wa", (1, 0)),
    ("UA", "ua", (1, 0)),
    ("difference of WA", "wa", (1, -1)),
)


@dataclass(frozen=True, kw_only=True)
class World:
    """Where simulated evaluations come from; standard deviations are fractions.

    Attributes:
        num_sessions: G.
        num_utts: Utterances of each speaker.
        session_sd: Of a session's accuracy around the mean.
        speaker_sd: Of a speaker's around the session's.
    """

    num_sessions: int = 5
    num_utts: int = 553
    session_sd: float
    speaker_sd: float


@dataclass(frozen=True)
class Coverage:
    """Share of intervals that hold the truth, and their median width, as fractions."""

    covered: float
    width: float


def simulate(world: World, rng: np.random.Generator) -> tuple[Codes, Codes, Codes, Doubles]:
    """Session, speaker, class (N,) and whether each of two systems is right (N, 2).

    Both share what a session and a speaker make easy or hard; the first has half as much again of
    its own, and so has the second, so that their difference varies from session to session too.
    """
    num_speakers = world.num_sessions * NUM_SPEAKERS_PER_SESSION
    speaker = np.repeat(np.arange(num_speakers), world.num_utts)
    session = speaker // NUM_SPEAKERS_PER_SESSION
    shares = np.array([[1.0, 0.5, 0.0], [1.0, 0.0, 0.5]]) / np.sqrt(1.25)
    of_session = world.session_sd * rng.standard_normal((world.num_sessions, 3)) @ shares.T
    of_speaker = world.speaker_sd * rng.standard_normal((num_speakers, 3)) @ shares.T
    ref = rng.choice(len(PRIORS), size=len(speaker), p=PRIORS)
    chance = RECALLS[ref][:, None] + of_session[session] + of_speaker[speaker]
    correct = (rng.random((len(speaker), 2)) < chance).astype(float)
    return session, speaker, ref, correct


def truth(metric: Metric, contrast: tuple[float, float]) -> float:
    """WA or UA of an endless number of sessions; two systems are equally good."""
    value = float(PRIORS @ RECALLS if metric == "wa" else RECALLS.mean())
    return value * sum(contrast)


def coverage(
    world: World,
    metric: Metric,
    contrast: tuple[float, float],
    num_worlds: int,
    seed: int,
    num_rounds: int | None = None,
) -> Coverage:
    """Coverage of the recommended interval, or else of the plain hierarchical bootstrap.

    A session stands for whatever one trained model tests and no other: its spread is that of its
    people, its scenes and its training run together.

    Args:
        world: What is simulated.
        metric: WA or UA.
        contrast: (1, 0) for one system, (1, -1) for a difference.
        num_worlds: Simulated evaluations; the same for both intervals.
        seed: Of all draws.
        num_rounds: Rounds of the bootstrap in each; None for the recommended interval.
    """
    rng = np.random.default_rng(seed)
    estimates: list[Estimate] = []
    for i in range(num_worlds):
        session, speaker, ref, correct = simulate(world, rng)
        cells = count_cells(session, ref, correct, len(PRIORS))
        if num_rounds is None:
            estimates.append(jackknife_interval(cells, metric, contrast))
        else:
            rounds = bootstrap(session, speaker, ref, correct, len(PRIORS), num_rounds, seed=i)
            value = _value(cells, metric, contrast)
            estimates.append(percentile_interval(rounds, value, metric, contrast))
    return _coverage(estimates, truth(metric, contrast))


def _value(cells: CellCounts, metric: Metric, contrast: tuple[float, float]) -> float:
    both = accuracy(cells.counts.sum(axis=0), cells.correct.sum(axis=0), metric)
    return float(both @ np.array(contrast))


def _coverage(estimates: list[Estimate], expected: float) -> Coverage:
    ends = [(e.low, e.high) for e in estimates if e.low is not None and e.high is not None]
    covered = float(np.mean([low <= expected <= high for low, high in ends]))
    return Coverage(covered, float(np.median([high - low for low, high in ends])))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=2000, help="simulated evaluations a row")
    parser.add_argument("--rounds", type=int, default=400, help="of the bootstrap in each")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    """Prints a table in Markdown."""
    args = parse_args()
    for option, value in (("--worlds", args.worlds), ("--rounds", args.rounds)):
        require_within(option, value, 1, 1_000_000)
    print("| figure | session sd | speaker sd | plain, covers | width | ours, covers | width |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    rows = [(case, s, p) for case in CASES for s in SESSION_SDS for p in SPEAKER_SDS]
    for (name, metric, contrast), session_sd, speaker_sd in tqdm(rows, unit="row", disable=None):
        world = World(session_sd=session_sd / 100, speaker_sd=speaker_sd / 100)
        both = (
            coverage(world, metric, contrast, args.worlds, args.seed, num_rounds)
            for num_rounds in (args.rounds, None)
        )
        figures = " | ".join(f"{100 * one.covered:.1f} % | {100 * one.width:.1f}" for one in both)
        print(f"| {name} | {session_sd} | {speaker_sd} | {figures} |", flush=True)


if __name__ == "__main__":
    run_program(main)
