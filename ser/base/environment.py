"""What a result was made with: versions, processor, commit."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import ser
from ser.base.process import num_cores

PACKAGES = ("torch", "torchaudio", "sentencepiece", "kaldiio", "numpy", "soundfile", "soxr")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that shape a result, and the processor."""
    found = {
        "processor": processor(),
        "python": platform.python_version(),
        "ser": ser.__version__,
    }
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def processor() -> str:
    """The processor's name and the number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        name = next(names, name)
    return f"{name}, {num_cores()} cores"


def git_commit() -> str:
    """The commit of this checkout, with ``+changes`` where files differ from it."""
    root = Path(ser.__file__).parents[1]

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != root.resolve():
            return "unknown"  # the repository around an environment that holds a wheel
        commit = git("rev-parse", "--short=12", "HEAD")
        return commit + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"  # no repository, or no git
