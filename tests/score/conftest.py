"""A recipe after stage 6."""

from pathlib import Path

import pytest
from tiny_predictions import run_score, write_logs, write_predictions


@pytest.fixture(scope="session")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its ``exp`` and ``conf``, and the published report; not to be changed."""
    root = tmp_path_factory.mktemp("scored")
    write_predictions(root / "exp")
    (root / "conf").mkdir()
    (root / "conf" / "paper_results.yaml").write_text("cnn_blstm_sa: {wa: 58.1, ua: 59.8}\n")
    write_logs(root / "exp")
    (root / "exp" / "figures").mkdir()
    (root / "exp" / "figures" / "confusion_old.png").touch()
    with pytest.MonkeyPatch.context() as patch:
        run_score(patch, root / "exp", "--publish", str(root))
    return root
