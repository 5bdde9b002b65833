"""The paper's names and figures, beside which ours stand."""

from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, RootModel

from ser.config.load import load_config
from ser.config.section import Section

PAPER_NAMES = {
    "cnn_blstm_sa": "CNN-BLSTM-SA",
    "transformer": "Transformer",
    "transformer_tl": "Transformer (TL)",
    "transformer_tl_mtl": "Transformer (TL+MTL)",
}

Percent = Annotated[float, Field(ge=0, le=100)]


class PaperResult(Section):
    """A row of Table 1, in percent."""

    wa: Percent
    ua: Percent


class PaperResults(RootModel[dict[str, PaperResult]]):
    """``conf/paper_results.yaml``: Table 1 by our names of the systems."""

    model_config = ConfigDict(frozen=True, strict=True)


def read_paper_results(conf: Path) -> dict[str, PaperResult]:
    """The paper's figures, empty where the recipe has none (any corpus but the paper's).

    Raises:
        SerError: The file is malformed.
    """
    path = conf / "paper_results.yaml"
    return load_config(path, PaperResults).root if path.exists() else {}
