"""Calling a recipe as a user does, from another directory."""

import os
import subprocess
from pathlib import Path

import ser

ROOT = Path(ser.__file__).parents[1]
RECIPES = sorted(path.parent for path in ROOT.glob("egs/*/run.sh"))
SYSTEMS = ["cnn_blstm_sa", "transformer", "transformer_tl", "transformer_tl_mtl"]


def run(recipe: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Calls a recipe from another directory."""
    return subprocess.run(
        [str(recipe / "run.sh"), *options],
        cwd="/",
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
