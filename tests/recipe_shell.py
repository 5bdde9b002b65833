"""Calling a recipe as a user does, from another directory; egs/mini in small."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import fork_server
from tracked import ROOT, own

RECIPES = [path.parent for path in own(ROOT, "egs/*/run.sh")]
SYSTEMS = ["cnn_blstm_sa", "transformer", "transformer_tl", "transformer_tl_mtl"]


def run_script(
    script: Path, *words: str, cwd: Path = Path("/"), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Calls a script of the shell, whose programs of ``ser.bin`` are served (``fork_server``)."""
    return subprocess.run(
        [str(script), *words],
        cwd=cwd,
        env={**os.environ, **fork_server.environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def run(recipe: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Calls a recipe from another directory."""
    return run_script(recipe / "run.sh", *options, **environment)


def plant_checkout(top: Path) -> Path:
    """A checkout whose recipes have nothing made yet; ``ser`` and the tools are the real ones."""
    top.mkdir(exist_ok=True)
    (top / "tools").symlink_to(ROOT / "tools")
    made = shutil.ignore_patterns("corpus", "data", "dump", "exp*", "model*")
    shutil.copytree(ROOT / "egs", top / "egs", symlinks=True, ignore=made)
    return top


def prepare(recipe: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Calls ``local/data.sh`` as ``run.sh`` does where no recogniser is trained."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    steps = ["-c", ". ./db.sh && local/data.sh data/ser"]
    return run_script(Path("bash"), *steps, cwd=recipe, **{"PATH": path, **environment})


def shrink(recipe: Path) -> None:
    """Makes a copy of egs/mini tiny: little data, small models, two epochs, two folds."""
    conf = recipe / "conf"
    data = (recipe / "local" / "data.sh").read_text()
    data = data.replace('"$MINI_CORPUS"\n', '"$MINI_CORPUS" --num-turns 80 --num-sentences 60\n', 1)
    assert "--num-turns" in data
    (recipe / "local" / "data.sh").write_text(data)

    def edit(path: Path, **changes: Any) -> None:
        text = path.read_text()
        for key, value in changes.items():
            text, count = re.subn(rf"(?m)^( *{key}:) \S+", rf"\1 {value}", text)
            assert count == 1, (path, key)
        path.write_text(text)

    edit(conf / "encoder.yaml", num_channels=4, d_model=16, num_blocks=1, head_dim=4, ffn_dim=16)
    edit(conf / "protocol" / "paper.yaml", num_folds=2)  # of two and three sessions
    edit(conf / "pretrain" / "ctc.yaml", max_epochs=2)
    edit(conf / "systems" / "cnn_blstm_sa.yaml", max_epochs=2, num_channels=2, lstm_dim=4)
    for name in SYSTEMS[1:]:
        edit(conf / "systems" / f"{name}.yaml", max_epochs=2)
