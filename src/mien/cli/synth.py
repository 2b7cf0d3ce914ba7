"""`mien synth`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli.group import verb
from mien.cli.options import pair
from mien.cli.output import Output, answers
from mien.cli.seal import told
from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.learn.synth.manifest import Kind, Wanted
    from mien.learn.synth.program import Program

# As in learn/synth/layouts, written again because help must stay light.
LAYOUTS = ("plain", "fer2013", "dfew", "casme2", "ubfc", "disfa", "bp4d")


@verb("synth")
@click.option("--subjects", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many people.")
@click.option(
    "--expressions",
    metavar="PROGRAM",
    default="basic",
    show_default=True,
    help="What they do: a TOML file, or basic, basic8, micro, spotting, unilateral, ambiguous, talk, pulse.",
)
@click.option(
    "-o", "--out", "folder", metavar="FOLDER", required=True, help="Where to put it; goes on there if stopped."
)
@click.option("--kind", type=click.Choice(["stills", "clips"]), help="Default: what the layout holds, else clips.")
@click.option("--layout", type=click.Choice(LAYOUTS), default="plain", show_default=True, help="Folders and lists.")
@click.option(
    "--size", type=click.IntRange(16, 2048), metavar="PX", help="Side of the picture (default 128; fer2013 48)."
)
@click.option("--fps", type=click.FloatRange(1, 1000), help="Frames a second (default 30; casme2 200).")
@click.option("--seconds", type=click.FloatRange(0.1, 3600), help="Length of a clip (default: the program's).")
@click.option("--repeats", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Of each expression.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn.")
@click.option(
    "--threads", type=click.IntRange(1, 512), help="Worker processes (default: all cores); same bytes whatever."
)
@click.option("--group", "groups", metavar="NAME=N,…", help="Controlled variables and their levels: skin=3,shape=2.")
@click.option(
    "--scene",
    multiple=True,
    metavar="NAME=LOW:HIGH",
    help="Pose, light, camera, spoiling: yaw, pitch, light_yaw, key, blur=0:2, noise=0:8, jpeg=30:60, weather=rain,snow, "
    "occluder=mask, …; repeatable.",
)
@click.option(
    "--habit", multiple=True, metavar="NAME=VALUE", help="blinks, head, gaze, talk, heart=50:110, …; repeatable."
)
@click.option("--masks", is_flag=True, help="Also which part of the face each pixel shows, as PNG.")
@click.option("--depth", is_flag=True, help="Also depth in mm, as 16-bit PNG.")
@click.option("--mp4", is_flag=True, help="Clips of the plain layout as videos instead of folders of frames.")
@click.option("--jpeg", is_flag=True, help="Pictures of the plain layout as JPEG instead of PNG.")
@answers
def command(folder: str, threads: int | None, out: Output, **options: Any) -> None:
    """Every picture comes with what is true of it: action units per side, pose, gaze, blinks, pulse, landmarks, box and
    intervals, in truth/*.json. Look at sheet.png first. Stopped, the same command goes on where it was.

    \b
      mien synth --subjects 200 --expressions program.toml -o data/
      mien synth --expressions basic --kind stills --group skin=3 --scene yaw=-30:30 -o data/
      mien synth --expressions pulse --layout ubfc --subjects 10 -o data/

    All of it is synthetic and says so. It shows whether a method works as meant (timing, sides, groups, leakage, noise);
    no accuracy on real faces follows from it."""
    from mien.learn.synth.maker import face_maker
    from mien.learn.synth.produce import jobs, produce

    wanted = wanted_of(options)
    make = face_maker()
    began = time.perf_counter()
    with out.progress("rendering", len(jobs(wanted)), wanted.kind) as step:
        done = produce(wanted, Path(folder), make, threads or _cores(), told(step))
    took = time.perf_counter() - began
    rate = done.frames / took if done.frames else None
    record = {
        "synthetic": True,
        "folder": folder,
        "layout": wanted.layout,
        "kind": wanted.kind,
        "subjects": wanted.subjects,
        "labels": list(wanted.program.labels),
        "made": done.made,
        "kept": done.kept,
        "frames": done.frames,
        "seconds": round(took, 3),
        "frames_per_second": round(rate, 1) if rate else None,
        "sheet": str(Path(folder) / "sheet.png"),
    }
    kept = f", {done.kept} were there" if done.kept else ""
    lines = [
        ("synthetic", f"{done.made} {wanted.kind} made{kept}, of {wanted.subjects} subjects"),
        ("labels", ", ".join(wanted.program.labels)),
        ("frames", f"{done.frames:,} in {took:.1f} s" + (f" ({rate:.0f} a second)" if rate else "")),
        ("folder", folder),
        ("look at", record["sheet"]),
    ]
    out.answer(record, lines)


def wanted_of(options: Mapping[str, Any]) -> Wanted:
    """The order that the words of the command make. Raises UsageError, InputError."""
    from mien.learn.synth.layouts import LAYOUTS as layouts
    from mien.learn.synth.layouts import check
    from mien.learn.synth.manifest import Wanted

    layout = layouts[options["layout"]]
    kind: Kind = options["kind"] or layout.kind or "clips"
    wanted = Wanted(
        program=_program(options),
        subjects=options["subjects"],
        kind=kind,
        layout=options["layout"],
        size=options["size"] or layout.size,
        fps=options["fps"] or layout.fps,
        seed=options["seed"],
        repeats=options["repeats"],
        groups=_groups(options["groups"] or ""),
        extras=tuple(name for name in ("masks", "depth") if options[name]),
        video=options["mp4"] and kind == "clips" and options["layout"] == "plain",
        jpeg=options["jpeg"] and options["layout"] == "plain",
    )
    check(wanted)
    return wanted


def _program(options: Mapping[str, Any]) -> Program:
    from mien.learn.synth.program import load_program
    from mien.learn.synth.script import changed

    program = load_program(options["expressions"])
    if options["seconds"]:
        late = [
            one.label for one in program.expressions for event in one.events if event.onset[1] >= options["seconds"]
        ]
        if late:
            raise UsageError(f"'{late[0]}' begins after {options['seconds']:g} s.", "Give more --seconds.")
        program = replace(program, seconds=options["seconds"])
    return changed(program, _values(options["scene"]), _values(options["habit"]))


def _groups(text: str) -> dict[str, int]:
    """skin=3,shape=2"""
    found = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, value = pair(part)
        if not value.isdecimal() or not int(value):
            raise UsageError(f"'{part}' names no number of levels.", "Write for instance skin=3.")
        found[name] = int(value)
    return found


def _values(words: Sequence[str]) -> dict[str, Any]:
    """yaw=-30:30, blur=2, weather=rain,snow"""
    found: dict[str, Any] = {}
    for word in words:
        name, value = pair(word)
        if name in ("weather", "occluder"):
            found[name] = ["" if one == "none" else one for one in value.split(",")]
            continue
        try:
            numbers = [float(one) for one in value.split(":")]
        except ValueError:
            raise UsageError(f"'{word}' is no value.", "Write for instance yaw=-30:30 or blur=2.") from None
        found[name] = numbers if len(numbers) > 1 else numbers[0]
    return found


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
