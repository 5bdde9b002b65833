"""``ser`` on the public index is another project: nothing tells a user to install that."""

import re
from pathlib import Path

from tracked import FILES, ROOT

STRANGER = re.compile(r"""pip3?\s+install\s+(?:-\S+\s+)*['"]?ser(?![\w.-])""")


def test_no_hint_installs_a_strangers_package() -> None:
    assert STRANGER.search("pip install 'ser[onnx]'") and STRANGER.search("pip install -U ser")
    assert not STRANGER.search("pip install 'ser-from-asr[onnx]'")
    found = [
        path
        for path in FILES - {Path(__file__)}
        if path.suffix in (".py", ".md", ".sh", ".yaml", ".html")
        and STRANGER.search(" ".join(path.read_text().split()))
    ]
    assert not found
    assert 'name="ser-from-asr"' in (ROOT / "setup.py").read_text()
