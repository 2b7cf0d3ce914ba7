"""A report to files: JSON for programs, CSV for spreadsheets, one HTML page to hand to an auditor.

    report.html     everything, plots inside; loads nothing from anywhere
    report.json     the same numbers, the charts as data
    rows.csv        the cases behind the metrics
    problems.csv    every case of every problem found in the data
    tables/*.csv    one per table

A file is written whole or not at all, so a killed run leaves the report before it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mien.audit.provenance import provenance
from mien.errors import CannotWrite, MienError, UsageError
from mien.models.card import Result
from mien.report import Chart, Picture, Problem, Report, Row
from mien.types import Metric

__all__ = ["Written", "encode", "plain", "prepare", "provenance", "results", "write"]

SHOWN = 100  # rows of a table that the page shows; the CSV has them all
DIGITS = 9  # significant digits of a number
LONG = 60  # characters of a cell that may break anywhere
FORMULA = re.compile(r"[=+@\t\r]|-(?![\d.])")  # what a spreadsheet would compute, and a file's name may say
_METRIC = {field.name for field in fields(Metric)}


@dataclass(frozen=True, slots=True)
class Written:
    """Where a report's files are."""

    html: Path
    json: Path
    csv: tuple[Path, ...]


def prepare(folder: str | os.PathLike[str]) -> Path:
    """The folder of a report, made if absent: whether it can be written is told before the work, not after it.

    Raises UsageError for no name, CannotWrite."""
    if not os.fspath(folder):
        raise UsageError("The name of the report's folder is empty.", "Give one, such as -o report.")
    path = Path(folder)
    probe = path / f".report-{os.getpid()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise _cannot(path, error) from error
    return path


def write(report: Report, folder: Path) -> Written:
    """Write all files of a report into an existing folder. Raises CannotWrite."""
    record = encode(report)
    tables = {f"tables/{_file_name(title)}.csv": rows for title, rows in report.tables.items()}
    cases = [
        {"problem": problem.kind, "case": case, "words": problem.words}
        for problem in report.problems
        for case in problem.cases or (f"{problem.number} cases",)
    ]
    sheets = {"rows.csv": report.rows, "problems.csv": cases, **tables}
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1)
    page = _page(report, record, list(sheets))
    for name, rows in sheets.items():
        _put(folder / name, _csv(rows))
    _put(folder / "report.json", text + "\n")
    _put(folder / "report.html", page)
    return Written(folder / "report.html", folder / "report.json", tuple(folder / name for name in sheets))


def encode(report: Report) -> dict[str, Any]:
    """A report as what ``json.dumps`` takes. Raises ValueError for NaN and infinity: they are no result."""
    return {
        "name": report.name,
        "headline": report.headline,
        "metrics": {name: plain(metric) for name, metric in report.metrics.items()},
        "findings": list(report.findings),
        "problems": [_problem(problem) for problem in report.problems],
        "tables": {title: [plain(row) for row in rows] for title, rows in report.tables.items()},
        "charts": [_chart(chart) for chart in report.charts],
        "made": plain(report.made),
        "rows": [plain(row) for row in report.rows],
    }


def results(report: Report) -> tuple[Result, ...]:
    """The metrics as results for a model's card."""
    made = report.made
    commit, _, changed = str(made.get("commit") or "").partition(" ")
    code = f"commit {commit[:12]} {changed}".rstrip() if commit else f"version {made.get('mien', '')}"
    source = f"mien audit {report.name}, {code}, {made.get('date', '')}"
    data = str(made.get("called") or Path(str(made.get("data") or "data not named")).name)  # a card knows no folders
    return tuple(
        Result(data, name, _number(one.value, 4), source, _number(one.low, 4), _number(one.high, 4), one.n)
        for name, one in report.metrics.items()
    )


def _problem(problem: Problem) -> dict[str, Any]:
    return {"kind": problem.kind, "words": problem.words, "count": problem.number, "cases": list(problem.cases)}


def _chart(chart: Chart) -> dict[str, Any]:
    kind = {"kind": type(chart).__name__.lower()}
    if isinstance(chart, Picture):
        return {**kind, "title": chart.title, "note": chart.note, "sha256": hashlib.sha256(chart.png).hexdigest()}
    return {**kind, **{field.name: plain(getattr(chart, field.name)) for field in fields(chart)}}


def plain(value: Any) -> Any:
    """Nouns, mappings, sequences and numbers as JSON holds them. Raises ValueError for NaN and infinity."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (np.integer, np.bool_)):
        return value.item()
    if isinstance(value, (float, np.floating)):
        return _number(float(value))
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no place in a report")


def _number(value: float, digits: int = DIGITS) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no result: a metric that cannot be computed is left out, with the reason")
    return float(f"{value:.{digits}g}")


# --- CSV ----------------------------------------------------------------------------------------------------------


def _csv(rows: Iterable[Row]) -> str:
    """Columns in the order in which they first appear; a metric takes four: its value, low, high and n."""
    listed = [_flat(plain(row)) for row in rows]
    columns = list(dict.fromkeys(key for row in listed for key in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in listed)
    return text.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, Mapping) and set(value) == _METRIC:
            flat |= {key if name == "value" else f"{key} {name}": value[name] for name in ("value", "low", "high", "n")}
        else:
            flat[key] = value
    return flat


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return "; ".join(str(item) for item in value)
    if isinstance(value, str) and FORMULA.match(value):
        return f"'{value}"
    return "" if value is None else value


def _file_name(title: str) -> str:
    """A title as a file name on any system: letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:60] or "table"


# --- HTML ---------------------------------------------------------------------------------------------------------


def _page(report: Report, record: Mapping[str, Any], sheets: list[str]) -> str:
    import jinja2

    from mien.audit.plots import picture

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"shown": _shown, "wide": _wide}
    template = environment.from_string((Path(__file__).parent / "report.html").read_text(encoding="utf8"))
    drawn = [
        {"title": chart.title, "note": chart.note, "picture": picture(chart, number)}
        for number, chart in enumerate(report.charts)
    ]
    return template.render(report=record, charts=drawn, most=SHOWN, sheets=sheets, columns=_columns)


def _columns(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


def _wide(value: Any) -> str:
    """The class of a cell that may break anywhere, so that one endless name does not push all numbers off the page."""
    from markupsafe import Markup

    return Markup(' class="long"') if len(_shown(value)) > LONG else ""


def _shown(value: Any) -> str:
    """A cell for people."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) >= 0.01 or not value else f"{value:.2g}"
    if isinstance(value, Mapping) and set(value) == _METRIC:
        return f"{_shown(value['value'])} ({_shown(value['low'])} to {_shown(value['high'])})"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) or "–"
    if isinstance(value, (list, tuple)):
        return "; ".join(_shown(item) for item in value) or "–"
    return str(value)


# --- disk ---------------------------------------------------------------------------------------------------------


def _put(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file name that is no Unicode must not cost the report.
        temporary.write_text(text, encoding="utf8", errors="backslashreplace", newline="")
        temporary.replace(path)
    except OSError as error:
        raise _cannot(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _cannot(path: Path, error: OSError) -> MienError:
    return CannotWrite(f"{path} cannot be written: {error.strerror or error}.", "Make room, or name another folder.")
