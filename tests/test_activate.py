"""``tools/activate.sh``: an environment of one's own is kept where it fits, else one is set up."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tracked import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Another checkout, whose set-up only says that it was called."""
    top = tmp_path / "a checkout"
    (top / "tools" / "venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "activate.sh", top / "tools")
    (top / "tools" / "setup.sh").write_text("#!/bin/sh\necho set up\n")
    (top / "tools" / "setup.sh").chmod(0o755)
    (top / "ser").mkdir()
    shutil.copy(ROOT / "ser" / "__init__.py", top / "ser")
    return top


def activate(checkout: Path, **environment: str) -> list[str]:
    """What is said, and the Python that is in front then."""
    bin_folder = str(Path(sys.executable).parent)
    path = os.pathsep.join([bin_folder, os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", '. "$0" && command -v python', checkout / "tools" / "activate.sh"],
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_an_environment_with_this_checkout_is_kept(checkout: Path) -> None:
    here = str(Path(sys.executable).with_name("python"))
    assert activate(checkout, PYTHONPATH=str(checkout)) == [here]


def test_a_whole_environment_needs_no_other_python(checkout: Path) -> None:
    """The shell of tomorrow need not name the interpreter that made it."""
    for name in ("setup.py", "tools/constraints.txt", "tools/setup.sh"):
        shutil.copy(ROOT / name, checkout / name)
    made_from = [(ROOT / name).read_bytes() for name in ("setup.py", "tools/constraints.txt")]
    complete = checkout / "tools" / "venv" / ".complete"
    digest = hashlib.sha256(b"".join(made_from)).hexdigest()

    def set_up() -> subprocess.CompletedProcess[str]:
        script, environment = checkout / "tools" / "setup.sh", {**os.environ, "PYTHON": "false"}
        return subprocess.run(
            [script], env=environment, check=False, capture_output=True, text=True
        )

    complete.write_text(f"{digest}\n{checkout}\n")
    assert set_up().returncode == 0
    complete.write_text(f"{digest}\n")  # of an earlier version, which did not note the checkout
    python = complete.parent / "bin" / "python"
    python.write_text(f'#!/bin/sh\necho "{checkout}"\n')
    python.chmod(0o755)
    assert set_up().returncode == 0, "it asks no network"
    complete.write_text(f"{digest}\n{ROOT}\n")  # copied or moved: ser would be that of the other
    assert "error: false: expected Python" in set_up().stderr, "it is made anew"
    complete.parent.rename(checkout / "elsewhere")
    complete.parent.symlink_to(checkout / "elsewhere")
    said = set_up().stderr
    assert f"error: tools/venv is the environment of {ROOT}, whose ser it runs; expected" in said
    other = checkout.parent / "another"
    shutil.copytree(checkout / "tools", other / "tools", symlinks=True)
    (other / "tools" / "venv").unlink()
    (checkout / "elsewhere").rename(other / "tools" / "venv")
    complete.parent.unlink()
    complete.parent.symlink_to(other / "tools" / "venv")
    (other / "tools" / "venv" / ".complete").write_text(f"{digest}\n/moved/since\n")
    assert f"error: tools/venv is the environment of {other}, whose ser" in set_up().stderr


@pytest.mark.parametrize("lacking", ["this checkout", "torch"])
def test_another_one_is_not(checkout: Path, tmp_path: Path, lacking: str) -> None:
    own = checkout / "tools" / "venv" / "bin" / "python"
    own.symlink_to(sys.executable)
    if lacking == "torch":
        (tmp_path / "python").mkdir()
        bare = tmp_path / "python" / "python"  # of the standard library alone
        bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
        bare.chmod(0o755)
        path = os.pathsep.join([str(bare.parent), os.environ["PATH"]])
        said = activate(checkout, PYTHONPATH=str(checkout), PATH=path)
    else:
        said = activate(checkout, PYTHONPATH=str(ROOT))
    assert said == ["set up", str(own)]
