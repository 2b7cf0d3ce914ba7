"""What `mien migrate` says: how far it is, what was moved, what would change for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mien import wire
from mien.cli.output import Column, Output

if TYPE_CHECKING:
    from mien.gallery.moving.compare import Comparison
    from mien.gallery.moving.steps import Migration, Status

CHANGED = (
    Column("subject", lambda one: one["subject"]),
    Column("source", lambda one: one["source"]),
    Column("what", lambda one: one["change"]),
    Column("changed copy", lambda one: one["augmented"]),
    Column("named before", lambda one: one["before"]["first"]),
    Column("own before", lambda one: one["before"]["own"]),
    Column("next before", lambda one: one["before"]["other"]),
    Column("named after", lambda one: one["after"]["first"]),
    Column("own after", lambda one: one["after"]["own"]),
    Column("next after", lambda one: one["after"]["other"]),
)
_EXIT = {"safe": 0, "look": 1, "unclear": 2}


def tell(found: Status | None, gallery: str, out: Output) -> int:
    """How far it is."""
    if found is None:
        out.answer({"phase": None}, [("migration", f"none of {gallery} is under way")])
        return 0
    answer = "old" if found.phase == "preparing" else "new"
    then = "--compare, then --switch" if found.phase == "preparing" else "--drop to accept it, or --roll-back"
    lines = [
        ("migration", f"to {found.embedder}, begun {found.started}"),
        ("answers", f"in the {answer} space, {found.space}"),
        ("second index", f"{found.second} ({found.second_bytes:,} bytes)"),
        ("pictures", f"{found.done} of {found.pictures} are in both" + (f", {found.lost} lost" if found.lost else "")),
        ("waiting", f"{found.waiting} people came, went or changed since" if found.waiting else ""),
        ("interrupted", "a switch was cut short; the next step finishes or undoes it" if found.interrupted else ""),
        ("compared", found.compared),
        ("next", then),
    ]
    out.answer(wire.encode(found), [(title, words) for title, words in lines if words])
    return 0


def moved(done: Migration, gallery: str, step: str, out: Output, compared: Comparison | None = None) -> int:
    """What a step moved. step: "" for all of them in one, "to" for a move into another gallery."""
    dropped = f"{done.points} thresholds kept in the gallery were measured in the space it left: run `mien calibrate`"
    back = f"mien migrate {gallery} --roll-back, until you accept it with --drop"
    lines = [
        ("moved", f"{done.moved} pictures"),
        ("left behind", f"{done.left} pictures without a crop" if done.left else ""),
        ("nobody left of", list(done.without_crop)),
        ("space", done.space),
        ("thresholds", dropped if done.points else ""),
        ("compared", "" if compared is None else compared.words),
        ("as it was" if step != "roll-back" else "the other index", done.backup),
        ("way back", back if done.backup and step != "roll-back" else ""),
    ]
    record = wire.encode(done) | ({} if compared is None else {"compared": _record(compared)})
    out.answer(record, [(title, words) for title, words in lines if words])
    return 0


def show(found: Comparison, out: Output) -> int:
    """A comparison; returns the exit code of its verdict."""
    if out.form == "csv":
        out.table("changed", CHANGED, [_wire(probe) for probe in found.changed])
        return _EXIT[found.verdict]
    out.answer(_record(found), _lines(found))
    return _EXIT[found.verdict]


def _record(found: Comparison) -> dict[str, Any]:
    return {**wire.encode(found), "changed": [_wire(probe) for probe in found.changed]}


def _wire(probe: Any) -> dict[str, Any]:
    return {**wire.encode(probe), "change": probe.change}


def _lines(found: Comparison) -> list[tuple[str, Any]]:
    drawn = "" if found.probes >= found.crops else f" of {found.crops} crops, drawn at random"
    metrics = {
        "same_name": "same name in both",
        "rank1_before": "right person first, before",
        "rank1_after": "right person first, after",
        "tar_before": f"own score accepted, before (at {_at(found.thresholds[0])})",
        "tar_after": f"own score accepted, after (at {_at(found.thresholds[1])})",
        "stranger_before": "another person accepted, before",
        "stranger_after": "another person accepted, after",
        "same_name_single": "same name, changed copies of single crops",
    }
    lines: list[tuple[str, Any]] = [
        ("verdict", found.words),
        ("probes", f"{found.probes} of {found.people} people, each against the person's other pictures{drawn}"),
        (
            "single",
            f"{found.single} people by a changed copy of their only crop, which is easier" if found.single else "",
        ),
        ("not probed", list(found.unprobed[:10]) + (["…"] if len(found.unprobed) > 10 else [])),
    ]
    for name, title in metrics.items():
        if name in found.metrics:
            one = found.metrics[name]
            lines.append((title, f"{one.value:.4f} ({one.low:.4f} to {one.high:.4f}, n = {one.n})"))
    for side, (low, middle, high) in found.margins.items():
        lines.append((f"lead over others, {side}", f"{middle:.3f} (5 % {low:.3f}, 95 % {high:.3f})"))
    for probe in found.changed[:20]:
        lines.append((probe.change, f"{probe.subject} ({probe.source}): {probe.before.first} -> {probe.after.first}"))
    lines += [("rejected", list(found.rejected))]
    lines += [("newly confused", f"{one.subject} with {one.rival} ({one.score:.3f})") for one in found.confused[:20]]
    lines += [("confused no more", f"{len(found.mended)} pairs" if found.mended else "")]
    return [(title, words) for title, words in lines if words]


def _at(threshold: float | None) -> str:
    return "no threshold" if threshold is None else f"{threshold:.4f}"
