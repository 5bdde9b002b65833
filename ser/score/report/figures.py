"""Figures: confusion matrices and learning curves, in colours that everyone can distinguish."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure  # drawn by Agg: without pyplot there is no window

from ser.base.writing import atomic_file
from ser.page.frame import COLOURS, NAMES_AS_TEXT
from ser.score.report.details import summed_confusion
from ser.score.report.document import row_name
from ser.score.report.provenance import Curve
from ser.score.results import Results

MARKERS = "osD^vPX*"
STROKES = ("-", "--", ":", "-.")  # of the first eight lines, the next eight, ...

# Quantity in train.jsonl, axis label, factor.
FINETUNE_PANELS = (
    ("emotion_loss", "emotion cross-entropy (nats / utterance)", 1),
    ("ctc_loss", "CTC loss (nats, normalised as configured)", 1),
    ("valid_ua", "validation UA (%)", 100),
)
PRETRAIN_PANELS = (
    ("loss", "training CTC loss (nats, as configured)", 1),
    ("valid_loss", "validation CTC loss (nats, as configured)", 1),
    ("valid_wer", "validation WER (%)", 100),
)
Panels = Sequence[tuple[str, str, int]]


def write_figures(
    folder: Path,
    results: Results,
    finetune: Mapping[str, Sequence[Curve]],
    pretrain: Mapping[str, Curve],
    earlier: Collection[str],
) -> list[str]:
    """Writes all figures anew; those of an earlier scoring vanish, other files stay.

    Args:
        folder: Where they go.
        results: ``results.json``.
        finetune: Learning curves of the runs, by system.
        pretrain: Learning curve by recogniser.
        earlier: File names of the figures of an earlier scoring.

    Returns:
        Their file names, in the order of the report.
    """
    folder.mkdir(exist_ok=True)
    with rc_context(NAMES_AS_TEXT):
        figures = _draw(results, finetune, pretrain)
        for name, figure in figures.items():
            with atomic_file(folder / name) as partial:
                figure.savefig(partial, format="png", dpi=120)
    for path in folder.glob("*.png"):
        if path.name in earlier and path.name not in figures:
            path.unlink()
    return list(figures)


def _draw(
    results: Results, finetune: Mapping[str, Sequence[Curve]], pretrain: Mapping[str, Curve]
) -> dict[str, Figure]:
    """All figures by file name."""
    figures = {
        f"confusion_{name}.png": draw_confusion(
            summed_confusion(row), results["labels"], row_name(name, row)
        )
        for name, row in results["systems"].items()
    }
    rows = {row_name(name, row): row for name, row in results["systems"].items()}
    figures["reliability.png"] = draw_lines(
        {
            name: (row["calibration"]["confidence"], row["calibration"]["accuracy"])
            for name, row in rows.items()
        },
        ("confidence", "share of right decisions"),
        diagonal=True,
    )
    figures["risk_coverage.png"] = draw_lines(
        {name: (row["risk"]["coverage"], row["risk"]["risk"]) for name, row in rows.items()},
        ("coverage: share of decisions taken", "risk: wrong ones among these"),
    )
    runs = {row_name(n, results["systems"][n]): curves for n, curves in finetune.items()}
    single = {name: [curve] for name, curve in pretrain.items()}
    for name, curves, panels in (
        ("learning_curves.png", runs, FINETUNE_PANELS),
        ("pretraining.png", single, PRETRAIN_PANELS),
    ):
        figure = draw_curves(curves, panels)
        if figure:
            figures[name] = figure
    return figures


def draw_confusion(counts: Sequence[Sequence[int]], labels: Sequence[str], title: str) -> Figure:
    """A confusion matrix (C, C): each cell with its count and its share of the reference's row."""
    matrix = np.array(counts)
    share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = Figure(
        figsize=(2.6 + 0.8 * len(labels), 1.8 + 0.8 * len(labels)), layout="constrained"
    )
    axes = figure.add_subplot()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
    for (i, j), count in np.ndenumerate(matrix):
        colour = "white" if share[i, j] > 55 else "black"
        text = f"{count}\n{share[i, j]:.0f} %"
        axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="hypothesis", ylabel="reference", title=title)
    figure.colorbar(image, label="share of the reference class (%)", shrink=0.8)
    return figure


def draw_lines(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    labels: tuple[str, str],
    diagonal: bool = False,
) -> Figure:
    """One line a system over axes from 0 to 1; the diagonal is where the two agree."""
    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    if diagonal:
        axes.plot([0, 1], [0, 1], color="#666666", ls="--", lw=1, label="calibrated")
    for i, (name, (x, y)) in enumerate(lines.items()):
        axes.plot(x, y, **_look(i), markevery=0.1, label=name)
    axes.set(xlabel=labels[0], ylabel=labels[1], xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _look(index: int) -> dict[str, Any]:
    """How a line is drawn: 28 of them are distinct."""
    rounds, place = divmod(index, len(COLOURS))
    stroke = STROKES[rounds % len(STROKES)]
    return {"color": COLOURS[place], "marker": MARKERS[place], "ms": 4, "ls": stroke}


def draw_curves(curves: Mapping[str, Sequence[Curve]], panels: Panels) -> Figure | None:
    """One panel a quantity, one line a name: the mean over its runs, their range as a band.

    Returns:
        The figure, or None where no curve has any of the quantities.
    """
    present = [
        panel
        for panel in panels
        if any(panel[0] in epoch for runs in curves.values() for run in runs for epoch in run)
    ]
    if not present:
        return None
    figure = Figure(figsize=(4.8 * len(present), 3.8), layout="constrained")
    for axes, (quantity, label, factor) in zip(
        figure.subplots(1, len(present), squeeze=False)[0], present, strict=True
    ):
        for i, (name, runs) in enumerate(curves.items()):
            _draw_line(axes, runs, quantity, factor, i, name)
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return figure


def _draw_line(
    axes: Axes, runs: Sequence[Curve], quantity: str, factor: int, index: int, name: str
) -> None:
    by_epoch: dict[float, list[float]] = {}
    for run in runs:
        for epoch in run:
            if quantity in epoch:
                by_epoch.setdefault(epoch["epoch"], []).append(factor * epoch[quantity])
    if not by_epoch:
        return
    epochs = sorted(by_epoch)
    values = [by_epoch[epoch] for epoch in epochs]
    look = _look(index)
    label = f"{name}, {len(runs)} runs" if len(runs) > 1 else name
    axes.plot(epochs, [np.mean(v) for v in values], **look, label=label)
    low, high = [min(v) for v in values], [max(v) for v in values]
    axes.fill_between(epochs, low, high, color=look["color"], alpha=0.15, lw=0)
