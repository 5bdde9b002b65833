"""What the page shows of a recording: HTML, or a sentence where it cannot be heard."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape

from ser.base.errors import SerError
from ser.infer.model import Model
from ser.infer.page import view
from ser.infer.recordings import file_seconds
from ser.infer.windows import LONG_SECONDS
from ser.page.frame import COLOURS


def answer(model: Model, path: str | None, max_seconds: float) -> str:
    """What a model says of a recording, as HTML.

    Args:
        model: The model.
        path: The recording; None where there is none.
        max_seconds: A longer one is refused.
    """
    if path is None:
        return _sentence("No recording yet: drop a file, or record one.")
    try:
        return _answer(model, Path(path), max_seconds)
    except SerError as error:
        return _sentence(str(error).replace(path, Path(path).name))  # not where the server has it


def _answer(model: Model, path: Path, max_seconds: float) -> str:
    seconds = file_seconds(path)
    if seconds > max_seconds:
        raise SerError(
            f"{path}: {seconds / 60:.1f} minutes; expected {max_seconds / 60:g} or less; cut it"
        )
    drawn = None
    if seconds <= LONG_SECONDS:
        drawn = view(model, path)
    whole = model.predict(path) if drawn is None else drawn.whole
    labels = dict(zip(model.labels, (COLOURS * len(model.labels)), strict=False))
    environment = Environment(
        loader=PackageLoader("ser.demo", ""), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("answer.html").render(
        label=whole.label,
        flag=whole.flag,
        words=whole.words,
        posteriors=whole.posteriors,
        stretches=list(model.predict_speech(path)),
        seconds=max(seconds, whole.end),
        colours={None: "transparent", **labels},
        view=drawn,
    )


def _sentence(text: str) -> str:
    return f'<p role="alert">{escape(text)}</p>'
