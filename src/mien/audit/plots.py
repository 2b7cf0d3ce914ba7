"""Charts to pictures that stand in a page: SVG text, drawn from the numbers alone, the same bytes each time."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from mien.report import Axis, Bars, Chart, Grid, Line, Lines, Mark, Picture

# Okabe and Ito's colours, which the colour-blind tell apart; dashes tell them apart in print.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
DASHES = ("-", "--", "-.", ":")
TICKS = (1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)  # of a probit axis
WIDTH, HEIGHT = 7.0, 4.2  # inches
LONGEST = 40  # characters of a name


def picture(chart: Chart, number: int = 0) -> str:
    """An element for a page: ``<svg>`` or ``<img>``. `number` keeps the ids of several pictures on one page apart."""
    if isinstance(chart, Picture):
        return f'<img alt="" src="data:image/png;base64,{base64.b64encode(chart.png).decode()}">'
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style = {
        "svg.fonttype": "none",  # text stays text: it can be selected, found and read out
        "svg.hashsalt": f"mien-{number}",
        "text.parse_math": False,  # a subject may be called $x$
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # Letters that the font here lacks are text in the SVG all the same: the browser has a font for them.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        FigureCanvasSVG(figure)
        _draw(chart, figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    whole = text.getvalue()
    return whole[whole.index("<svg") :]


@singledispatch
def _draw(chart: Any, figure: Any) -> None:
    raise TypeError(f"{type(chart).__name__} is no chart")


@_draw.register(Lines)
def _lines(chart: Lines, figure: Any) -> None:
    axes = figure.add_subplot()
    lowest = {axis: _least(chart, axis) for axis in ("x", "y")}
    _scale(axes, "x", chart.x_axis, chart)
    _scale(axes, "y", chart.y_axis, chart)
    for number, line in enumerate(chart.lines):
        x = _held(line.x, chart.x_axis, lowest["x"])
        y, low, high = (_held(values, chart.y_axis, lowest["y"]) for values in (line.y, line.low, line.high))
        look = {"color": COLOURS[number % len(COLOURS)]}
        if len(low):
            _band(axes, line, (x, y, low, high), look)
        if line.style == "points":
            axes.plot(x, y, "o", markersize=3.5, label=_short(line.name), **look)
        else:
            steps = "steps-post" if line.style == "steps" else "default"
            dash = DASHES[number // len(COLOURS) % len(DASHES)]
            axes.plot(x, y, dash, linewidth=1.6, drawstyle=steps, label=_short(line.name), **look)
    _marks(axes, chart.marks)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    axes.grid(alpha=0.25)
    if len(chart.lines) > 1 or chart.marks:
        _legend(axes, figure)


def _band(axes: Any, line: Line, values: Sequence[Any], look: Mapping[str, str]) -> None:
    x, y, low, high = values
    if line.style == "points":
        spread = np.maximum(np.array([y - low, high - y]), 0)
        axes.errorbar(x, y, spread, fmt="none", elinewidth=1, capsize=2, alpha=0.7, ecolor=look["color"])
    else:
        step = "post" if line.style == "steps" else None
        axes.fill_between(x, low, high, alpha=0.18, linewidth=0, step=step, facecolor=look["color"])


@_draw.register(Bars)
def _bars(chart: Bars, figure: Any) -> None:
    names, metrics = list(chart.bars), list(chart.bars.values())
    figure.set_size_inches(WIDTH, max(1.6, 0.9 + 0.3 * len(names)))
    axes = figure.add_subplot()
    at = np.arange(len(names))
    values = np.array([metric.value for metric in metrics], float)
    spread = np.array([[max(0, m.value - m.low) for m in metrics], [max(0, m.high - m.value) for m in metrics]])
    if chart.axis == "log":
        axes.set_xscale("log")
        _plain_ticks(axes.xaxis)
        shown = values > 0
        axes.plot(values[shown], at[shown], "o", color=COLOURS[0])
    else:
        axes.barh(at, values, height=0.62, color=COLOURS[0], alpha=0.8)
    axes.errorbar(values, at, xerr=spread, fmt="none", ecolor="#333333", elinewidth=1.1, capsize=3)
    axes.set_yticks(at, [f"{_short(name)} (n={metric.n:,})" for name, metric in zip(names, metrics, strict=True)])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(chart.label)
    axes.grid(axis="x", alpha=0.25)
    _marks(axes, chart.marks)
    if chart.marks:
        figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=8)


@_draw.register(Grid)
def _grid(chart: Grid, figure: Any) -> None:
    values = np.array([[np.nan if value is None else value for value in row] for row in chart.values], float)
    values = values.reshape(len(chart.rows), len(chart.columns))
    figure.set_size_inches(max(4.0, 2.2 + 0.62 * len(chart.columns)), max(2.0, 1.3 + 0.42 * len(chart.rows)))
    axes = figure.add_subplot()
    top = np.nanmax(values) if np.isfinite(values).any() else 1.0
    axes.imshow(values, cmap="Blues", aspect="auto", vmin=min(0.0, np.nanmin(values, initial=0.0)), vmax=top or 1.0)
    for (row, column), value in np.ndenumerate(values):
        words = _cell(float(value))
        dark = bool(value > 0.6 * top)
        axes.text(column, row, words, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    columns, rows = ([_short(name) for name in names] for names in (chart.columns, chart.rows))
    turned = {"rotation": 30, "ha": "right"} if max(map(len, columns), default=0) > 5 else {}
    axes.set_xticks(range(len(columns)), columns, **turned)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_xlabel(chart.column_label)
    axes.set_ylabel(chart.row_label)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _cell(value: float) -> str:
    """A value in a grid, in the room of five characters."""
    if np.isnan(value):
        return "–"
    size = abs(value)
    return (
        "0" if not value else f"{value:.2f}" if size >= 0.0995 else f"{value:.3f}" if size >= 5e-4 else f"{value:.0e}"
    )


def _short(name: str) -> str:
    """A name as a chart has room for: on one line, its middle left out; the tables have it whole."""
    line = "".join(char if char.isprintable() else " " for char in name)
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]}…{line[-LONGEST // 2 + 1 :]}"


def _scale(axes: Any, which: str, axis: Axis, chart: Lines) -> None:
    if axis == "linear":
        return
    place, ticks = getattr(axes, f"set_{which}scale"), getattr(axes, f"set_{which}ticks")
    if axis == "log":
        place("log")
        _plain_ticks(getattr(axes, f"{which}axis"))
        return
    place("function", functions=_probit())
    least, most = _least(chart, which), _most(chart, which)
    getattr(axes, f"set_{which}lim")(least, most)
    chosen = [tick for tick in TICKS if least <= tick <= most]
    ticks(chosen, [f"{tick:g}" if tick >= 1e-3 else f"{tick:.0e}" for tick in chosen])


def _plain_ticks(axis: Any) -> None:
    """Powers written out: the usual form is a formula, and formulas are off."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _probit() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    from scipy.special import ndtr, ndtri

    return (lambda rate: ndtri(np.clip(rate, 1e-12, 1 - 1e-12))), ndtr


def _values(chart: Lines, which: str) -> np.ndarray[Any, Any]:
    found = [v for line in chart.lines for v in (line.x if which == "x" else (*line.y, *line.low, *line.high))]
    return np.array(found, float)


def _least(chart: Lines, which: str) -> float:
    """The smallest value above 0: on an axis without 0, zeros are drawn at half of it."""
    values = _values(chart, which)
    above = values[values > 0]
    return float(above.min() / 2) if len(above) else 1e-6


def _most(chart: Lines, which: str) -> float:
    values = _values(chart, which)
    below = values[values < 1]
    return float(min(0.999, max(0.5, below.max()))) if len(below) else 0.999


def _held(values: Sequence[float], axis: Axis, least: float) -> np.ndarray[Any, Any]:
    held: np.ndarray[Any, Any] = np.asarray(values, float)
    if axis != "linear":
        held = np.clip(held, least, 0.9999 if axis == "probit" else np.inf)
    return held


def _marks(axes: Any, marks: Sequence[Mark]) -> None:
    for number, mark in enumerate(marks):
        draw = axes.axvline if mark.axis == "x" else axes.axhline
        draw(mark.at, color="#555555", linewidth=1, linestyle=DASHES[1 + number % 3], label=_short(mark.name))


def _legend(axes: Any, figure: Any) -> None:
    handles, _ = axes.get_legend_handles_labels()
    if len(handles) <= 6:
        axes.legend(frameon=False, fontsize=8)
    else:
        figure.set_size_inches(WIDTH, HEIGHT + 0.2 * (len(handles) // 3))
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
