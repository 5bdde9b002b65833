"""What the HTML pages share: a frame, audio beside them, and a policy that loads nothing else."""

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

# Style attributes are drawn figures' own; scripts are those of the page, by their digests.
POLICY = (
    "default-src 'none'; img-src data:; media-src 'self' file:; style-src 'unsafe-inline'; "
    "script-src {}; base-uri 'none'; form-action 'none'"
)
# Okabe and Ito's colours, without yellow, which white paper swallows, and a grey.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
NAMES_AS_TEXT: dict[Any, Any] = {"text.parse_math": False, "text.usetex": False}
"""Of matplotlib: a class called ``$x_1$`` is no formula."""


def render(package: str, scripts: Sequence[str], **values: Any) -> str:
    """``page.html`` of a package in the frame that all pages have.

    Args:
        package: Where the template and its scripts lie.
        scripts: File names, of the package or of ``ser.page``.
        values: What the template shows; text is escaped.
    """
    loader = ChoiceLoader([PackageLoader(package, ""), PackageLoader("ser.page", "")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters["breakable"] = breakable
    sources = [loader.get_source(environment, name)[0] for name in scripts]
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in sources]
    return environment.get_template("page.html").render(
        policy=POLICY.format(" ".join(f"'sha256-{digest}'" for digest in digests)),
        scripts=[Markup(source) for source in sources],  # noqa: S704  # our own files
        **values,
    )


def breakable(text: str) -> Markup:
    """Text of a narrow cell: a long name is broken at ``_``, a figure not before its ``%``."""
    return escape(text).replace("_", Markup("_<wbr>")).replace(" %", "\N{NO-BREAK SPACE}%")


def audio_link(audio: Path, page: Path) -> str:
    """The address of an audio file for a page: relative where it lies in the current folder.

    Both then move together; an audio file elsewhere keeps its absolute ``file:`` address. All that
    could be taken for a scheme, a query or markup is percent-encoded.

    Args:
        audio: The file.
        page: The page that plays it.
    """
    path = Path(os.path.abspath(audio))  # noqa: PTH100  # symbolic links stay, as in a browser
    if not path.is_relative_to(Path.cwd()):
        return path.as_uri()
    relative = Path(os.path.relpath(path, page.parent))
    return quote(os.fsencode(relative.as_posix()))
