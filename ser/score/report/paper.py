"""The paper's names and figures, beside which ours stand."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, RootModel

from ser.config.load import load_config, validate
from ser.config.protocol import ProtocolConfig
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


def read_paper_results(conf: Path, protocol: Mapping[str, Any]) -> dict[str, PaperResult]:
    """The paper's figures; none for another corpus or another protocol than the paper's.

    Args:
        conf: The recipe's configuration.
        protocol: That of the folds.

    Raises:
        SerError: The file is malformed.
    """
    path, own = conf / "paper_results.yaml", conf / "protocol" / "paper.yaml"
    if not path.exists():
        return {}
    figures = load_config(path, PaperResults).root
    if own.exists() and protocol:
        given = validate(own, ProtocolConfig, dict(protocol))
        return figures if given == load_config(own, ProtocolConfig) else {}
    return figures


def paper_name(system: str, published: Collection[str]) -> str | None:
    """The paper's name of a system; of none that starts from a published encoder.

    Args:
        system: Our name.
        published: The systems that do.
    """
    return None if system in published else PAPER_NAMES.get(system)
