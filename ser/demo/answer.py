"""What the page shows of a recording: HTML, or a sentence where it cannot be heard."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape

from ser.base.errors import SerError
from ser.infer.enrolment import FEW_TURNS, can_enrol
from ser.infer.model import Model
from ser.infer.page import view
from ser.infer.recordings import file_seconds
from ser.infer.windows import LONG_SECONDS
from ser.page.frame import COLOURS


def answer(model: Model, path: str | None, max_seconds: float, turns: Sequence[str] = ()) -> str:
    """What a model says of a recording, as HTML.

    Args:
        model: The model.
        path: The recording; None where there is none.
        max_seconds: A longer one is refused.
        turns: Recordings that enrol the speaker.
    """
    if path is None:
        return _sentence("No recording yet: drop a file, or record one.")
    try:
        for one in (path, *turns):
            _require_short(Path(one), max_seconds)
        return _answer(model.enrol(turns) if turns else model, Path(path))
    except SerError as error:
        said = str(error)
        for one in (path, *turns):
            said = said.replace(one, Path(one).name)  # not where the server has it
        return _sentence(said)


def _require_short(path: Path, max_seconds: float) -> None:
    seconds = file_seconds(path)
    if seconds > max_seconds:
        raise SerError(
            f"{path}: {seconds / 60:.1f} minutes; expected {max_seconds / 60:g} or less; cut it"
        )


def _answer(model: Model, path: Path) -> str:
    seconds = file_seconds(path)
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
        enrols=can_enrol(model),
        num_enrolled=model.num_enrolled,
        few=model.num_enrolled < FEW_TURNS,
    )


def _sentence(text: str) -> str:
    return f'<p role="alert">{escape(text)}</p>'
