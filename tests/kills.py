"""Kills stages 1, 3 and 4 of egs/mini at random moments and compares what they leave at the end.

    python tests/kills.py [--seed N] [--kills N]

Not a part of the ordinary tests: it takes some minutes. Two copies of the recipe share a small
generated corpus. In one the stages run through. In the other each is killed (SIGKILL to all its
processes) again and again: feature extraction while its archive grows, training after a checkpoint
in the middle of an epoch that this very process wrote. Each resumption must go on at the step of
that checkpoint, and features and weights must be the same bytes in both copies.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import ser

ROOT = Path(ser.__file__).parents[1]
TITLES = {1: "features", 3: "pre-training", 4: "fine-tuning"}
OUTPUTS = {  # of each stage, by patterns
    1: ("dump/fbank/*/feats.ark", "dump/fbank/*/feats.scp"),
    3: ("exp/pretrain/*/model.safetensors",),
    4: ("exp/*/seed*/fold*/model.safetensors",),
}
LONGEST_DELAY_SECONDS = {1: 0.1, 3: 0.5, 4: 0.5}  # from the first sign of work to the kill
OPTIONS = ("--systems", "transformer_tl_mtl cnn_blstm_sa", "--folds", "1 2", "--jobs", "1")
EPOCHS = {"pretrain/ctc": 6, "systems/transformer_tl_mtl": 4, "systems/cnn_blstm_sa": 6}


class BrokenStageError(Exception):
    """What a stage did wrong."""


def make_recipe(top: Path) -> Path:
    """A copy of egs/mini with less data, fewer epochs and a checkpoint every few steps."""
    (top / "tools").symlink_to(ROOT / "tools")
    recipe = top / "egs" / "reference"
    made = shutil.ignore_patterns("corpus", "data", "dump", "exp*")
    shutil.copytree(ROOT / "egs" / "mini", recipe, ignore=made)
    edit(
        recipe / "local" / "data.sh",
        r'(make_synthetic "\$MINI_CORPUS")',
        r"\1 --num-turns 160 --num-sentences 300",
    )
    for name, epochs in EPOCHS.items():
        path = recipe / "conf" / f"{name}.yaml"
        edit(path, r"max_epochs: \d+", f"max_epochs: {epochs}")
        edit(path, r"checkpoint_minutes: \S+", "checkpoint_minutes: 60.0\n  checkpoint_steps: 5")
    return recipe


def edit(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text())
    assert count == 1, (path, pattern)
    path.write_text(text)


@contextmanager
def started(recipe: Path, corpus: Path, first: int, last: int) -> Iterator[subprocess.Popen[bytes]]:
    """Stages of a recipe in a process group of their own, which ends with the block."""
    log = recipe / "run.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [str(recipe / "run.sh"), "--stage", str(first), "--stop-stage", str(last), *OPTIONS],
            env={**os.environ, "MINI_CORPUS": str(corpus)},
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode not in (0, -signal.SIGKILL):
        sys.exit(f"error: stage {first} failed; the end of {log}:\n{log.read_text()[-2000:]}")


def run_through(recipe: Path, corpus: Path, first: int, last: int) -> None:
    with started(recipe, corpus, first, last) as process:
        process.wait()


def under_way(recipe: Path, stage: int) -> Path | None:
    """The folder that a stage has begun and not finished."""
    for pattern in OUTPUTS[stage]:
        for folder in recipe.glob(pattern.rpartition("/")[0]):
            if (folder / "started.json").exists() and not (folder / "run.json").exists():
                return folder
    return None


def checkpoint(folder: Path) -> tuple[Path, dict[str, int]] | None:
    """A run's checkpoint, as a file and where it stands; None where there is none."""
    for name in ("checkpoint", ".checkpoint.old"):  # between two renames the latter alone is there
        path = folder / name / "progress.json"
        if path.exists():
            with suppress(FileNotFoundError):
                return path, json.loads(path.read_text())["progress"]
    return None


def has_worked(recipe: Path, stage: int, since: float) -> bool:
    """Whether a stage has written, since then, what the next start is to go on with."""
    folder = under_way(recipe, stage)
    if folder is None:
        return False
    if stage == 1:
        listing = folder / ".feats.scp.partial"
        return listing.exists() and listing.stat().st_mtime > since and listing.stat().st_size > 0
    last = checkpoint(folder)
    return bool(last and last[1]["step_in_epoch"] > 0 and last[0].stat().st_mtime > since)


def kill_often(
    recipe: Path, corpus: Path, stage: int, kills: int, chance: random.Random
) -> list[int]:
    """Kills a stage so often, then lets it end. Feature extraction that ends earlier begins anew.

    Returns:
        The steps at which training went on, by its log; for stage 1 none.

    Raises:
        BrokenStageError: It ended too early, or went on elsewhere than at its checkpoints.
    """
    expected: dict[Path, list[int]] = {}
    done = 0
    while done < kills:
        since = time.time()
        with started(recipe, corpus, stage, stage) as process:
            moment = None
            while process.poll() is None and (moment is None or time.time() < moment):
                if moment is None and has_worked(recipe, stage, since):
                    moment = time.time() + chance.uniform(0, LONGEST_DELAY_SECONDS[stage])
                time.sleep(0.005)
        if process.returncode == 0 and stage == 1:  # too quick for this moment: once more
            shutil.rmtree(recipe / "dump")
            continue
        if process.returncode == 0:
            raise BrokenStageError(f"ended after {done} of {kills} kills")
        done += has_worked(recipe, stage, since)
        folder = under_way(recipe, stage)
        if stage > 1 and folder and (last := checkpoint(folder)):
            expected.setdefault(folder, []).append(last[1]["step"])
    run_through(recipe, corpus, stage, stage)
    for folder, steps in expected.items():
        log = (folder / "train.log").read_text()
        seen = [int(step) for step in re.findall(r"going on after step (\d+)", log)]
        if seen != steps or min(steps) < 1:
            raise BrokenStageError(f"{folder}: went on at {seen}, its checkpoints were at {steps}")
    return [step for steps in expected.values() for step in steps]


def same_bytes(recipe: Path, reference: Path, stage: int) -> bool:
    """Whether a stage left the same files with the same bytes in both copies."""
    files = [
        {path.relative_to(root): path.read_bytes() for p in OUTPUTS[stage] for path in root.glob(p)}
        for root in (recipe, reference)
    ]
    return bool(files[0]) and files[0] == files[1]


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--kills", type=int, default=20, help="a fifth of them in stage 1")
    return parser.parse_args()


def main() -> None:
    """Runs one copy through, kills the other, compares."""
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: terminated"))  # stages end too
    chance = random.Random(args.seed)
    began = time.time()
    kills = {1: args.kills // 5, 3: args.kills * 2 // 5}
    kills[4] = args.kills - sum(kills.values())
    failed = 0
    with tempfile.TemporaryDirectory(prefix="kills.") as scratch:
        corpus = Path(scratch) / "corpus"
        reference = make_recipe(Path(scratch))
        run_through(reference, corpus, 0, 0)
        run_through(reference, corpus, 2, 2)
        recipe = reference.with_name("killed")
        shutil.copytree(reference, recipe)
        print("| stage | kills | went on at step | same bytes |\n|---|---:|---|---|", flush=True)
        for stage in OUTPUTS:
            run_through(reference, corpus, stage, stage)
            try:
                steps = kill_often(recipe, corpus, stage, kills[stage], chance)
            except BrokenStageError as error:
                failed += 1
                print(f"| {stage} {TITLES[stage]} | | {error} | |", flush=True)
                continue
            same = same_bytes(recipe, reference, stage)
            failed += not same
            print(
                f"| {stage} {TITLES[stage]} | {kills[stage]} | {' '.join(map(str, steps)) or '-'} "
                f"| {'yes' if same else 'NO'} |",
                flush=True,
            )
    print(f"seed {args.seed}, {time.time() - began:.0f} s")
    print(f"{len(OUTPUTS) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
