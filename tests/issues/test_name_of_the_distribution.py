"""``ser`` on the public index is another project: nothing tells a user to install that."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
STRANGER = re.compile(r"""pip3?\s+install\s+(?:-\S+\s+)*['"]?ser(?![\w.-])""")


def test_no_hint_installs_a_strangers_package() -> None:
    assert STRANGER.search("pip install 'ser[onnx]'") and STRANGER.search("pip install -U ser")
    assert not STRANGER.search("pip install 'ser-from-asr[onnx]'")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    found = [
        name
        for name in tracked
        if Path(name).suffix in (".py", ".md", ".sh", ".yaml", ".html")
        and ROOT / name != Path(__file__)
        and STRANGER.search(" ".join((ROOT / name).read_text().split()))
    ]
    assert not found
    assert 'name="ser-from-asr"' in (ROOT / "setup.py").read_text()
