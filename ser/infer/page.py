"""One utterance on a self-contained page: the words, their times, and where the model looked."""

import io
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

from ser.audio.reading import INT16_SCALE
from ser.base.arrays import Floats
from ser.base.errors import SerError
from ser.base.names import printable
from ser.base.writing import require_own_file, write_text
from ser.infer.alignment import Word, align
from ser.infer.model import Model
from ser.infer.recordings import file_seconds, read_file
from ser.infer.result import Result
from ser.infer.torch_engine import TorchEngine, emotion_attention
from ser.infer.windows import LONG_SECONDS, is_long
from ser.page.frame import COLOURS, NAMES_AS_TEXT, audio_link, render

MARK = b'<meta name="generator" content="ser-predict">'  # near the beginning of a page of ours
DASHES = ("-", "--", "-.", ":")  # readable without colour
LEGEND_COLUMNS = 8
ENVELOPE_POINTS = 2000  # of the waveform


@dataclass(frozen=True)
class View:
    """What a model says of an utterance, and a picture of it.

    Attributes:
        whole: Of all of it.
        over_time: Window by window.
        window: Seconds of each.
        hop: Seconds from one to the next.
        words: Where the transcript has them; none without a CTC head.
        with_attention: Whether the picture shows where the emotion vector looks.
        picture: SVG.
        seconds: Length.
    """

    whole: Result
    over_time: Sequence[Result]
    window: float
    hop: float
    words: Sequence[Word]
    with_attention: bool
    picture: Markup
    seconds: float


def view(model: Model, path: Path, window: float | None = None, hop: float | None = None) -> View:
    """Draws a file: waveform, log-mel, posteriors over time, words, the attention of x_e.

    Words and attention are left out where the file is predicted in windows.

    Args:
        model: A package or a run; an ONNX file has no attention to show.
        path: The audio, of a minute at most.
        window: Seconds, of the posteriors over time; by default half the file, 1 to 3 s, and no
            longer than the turns of the training: a network that was trained on whole turns is
            right less often on less of one.
        hop: Seconds from one to the next; by default a quarter of a window.

    Raises:
        SerError: The file is unreadable or too long.
    """
    seconds = file_seconds(path)
    if seconds > LONG_SECONDS:
        raise SerError(
            f"{path}: {seconds:.0f} s; expected {LONG_SECONDS:.0f} s or less for a page; cut it"
        )
    samples = read_file(path, model.sample_rate_hz)
    seconds = len(samples) / model.sample_rate_hz
    whole = model.predict(path)
    if window is None:
        window = min(3.0, max(1.0, seconds / 2), model.whole_seconds)
        window = max(0.1, math.floor(10 * window) / 10)
    if hop is None:
        hop = round(window / 4, 3)
    over_time = list(model.predict_windows([samples], window, hop))
    # What the engine sees goes on with silence where the features are padded.
    seen = max(len(samples), model.fbank.min_samples) / model.sample_rate_hz
    words: list[Word] = []
    attention = None
    if not is_long(seconds, model.whole_seconds):  # else the network saw windows
        given = model.engine_input(samples)
        output = model.engine([given])[0]
        if model.tokenizer and output.ctc is not None:
            pieces = model.tokenizer.pieces(output.tokens)
            words = align(output.ctc, output.tokens, pieces, seen)
        if isinstance(model.engine, TorchEngine):
            attention = emotion_attention(model.engine.networks, given)
    picture = _draw(model, samples, seconds, seen, over_time, words, attention)
    shown = Markup(picture)  # noqa: S704  # of matplotlib, which escapes text
    return View(whole, over_time, window, hop, words, attention is not None, shown, seconds)


def write_page(
    model: Model, path: Path, out: Path, window: float | None = None, hop: float | None = None
) -> Result:
    """Draws a file as ``view`` does, into a page.

    Args:
        model: As of ``view``.
        path: As of ``view``.
        out: The page.
        window: As of ``view``.
        hop: As of ``view``.

    Returns:
        What the model says of all of it.

    Raises:
        SerError: As of ``view``, the page's folder is not there, or something else is in its place.
    """
    require_own_file(out, _is_page)
    if not out.parent.is_dir():
        raise SerError(f"{out.parent}: no such folder; expected one for the page; make it")
    shown = view(model, path, window, hop)
    page = render(
        "ser.infer",
        ("scroll.js", "audio.js"),
        audio=audio_link(path, out),
        name=printable(path.name),
        labels=model.labels,
        **vars(shown),
    )
    write_text(out, page)
    return shown.whole


def _is_page(path: Path) -> bool:
    with path.open("rb") as stream:
        return MARK in stream.read(200)


def _draw(
    model: Model,
    samples: Floats,
    seconds: float,
    seen: float,
    over_time: Sequence[Result],
    words: Sequence[Word],
    attention: Floats | None,
) -> str:
    """The picture as SVG; the engine saw so many seconds, padding counted."""
    num_rows = 3 + (attention is not None) + bool(words)
    heights = [1.0, 1.6, 1.6] + [0.9] * (attention is not None) + [0.5] * bool(words)
    style = {"svg.fonttype": "none", "svg.hashsalt": "ser", "font.size": 10}
    with rc_context(NAMES_AS_TEXT | style):
        figure = Figure(figsize=(11, 1.6 * sum(heights)), layout="constrained")
        axes = figure.subplots(num_rows, 1, sharex=True, height_ratios=heights)
        _draw_waveform(axes[0], samples, seconds)
        energies = model.fbank(samples)
        axes[1].imshow(
            energies.T, origin="lower", aspect="auto", cmap="viridis",
            extent=(0, seen, 0, energies.shape[1]),
        )  # fmt: skip
        axes[1].set_ylabel("log-mel band")
        middles = [(r.start + r.end) / 2 for r in over_time]
        for i, label in enumerate(model.labels):
            axes[2].plot(
                middles,
                [r.posteriors[label] for r in over_time],
                DASHES[i // 2 % len(DASHES)],
                color=COLOURS[i % len(COLOURS)],
                marker="osd^vxP*"[i % 8],
                markersize=4,
            )
        axes[2].set_ylabel("posterior")
        axes[2].set_ylim(0, 1)
        # Lines are named in full: matplotlib leaves out names that begin with "_".
        lines, columns = axes[2].get_lines(), min(len(model.labels), LEGEND_COLUMNS)
        axes[2].legend(lines, model.labels, loc="upper right", ncols=columns, fontsize=8)
        row = 3
        if attention is not None:
            places = (np.arange(len(attention)) + 0.5) * seen / len(attention)
            axes[row].fill_between(places, attention, step="mid", color=COLOURS[0], alpha=0.8)
            axes[row].set_ylabel("attention")
            row += 1
        if words:
            _draw_words(axes[row], words)
        axes[-1].set_xlabel("seconds")
        axes[-1].set_xlim(0, seconds)
        stream = io.StringIO()
        with warnings.catch_warnings():  # the browser has the letters that matplotlib's font lacks
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            figure.savefig(stream, format="svg", metadata={"Date": None})
    return re.sub(r"^.*?(?=<svg)", "", stream.getvalue(), flags=re.S)


def _draw_waveform(axes: Any, samples: Floats, seconds: float) -> None:
    pieces = np.array_split(samples / INT16_SCALE, min(ENVELOPE_POINTS, len(samples)))
    places = (np.arange(len(pieces)) + 0.5) * seconds / len(pieces)
    low, high = [p.min() for p in pieces], [p.max() for p in pieces]
    axes.fill_between(places, low, high, color=COLOURS[0], linewidth=0.3)
    axes.set_ylabel("waveform")


def _draw_words(axes: Any, words: Sequence[Word]) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel("words")
    for i, word in enumerate(words):
        axes.axvspan(word.start, word.end, color=COLOURS[i % 2], alpha=0.25)
        middle = (word.start + word.end) / 2
        axes.text(middle, 0.5, word.text, ha="center", va="center", fontsize=8, clip_on=True)
