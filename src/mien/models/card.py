"""A card is a model's own manual, one TOML file; reading it is strict.

name = "my_model"                       # same as the file's stem; a-z 0-9 _
task = "embedder"                       # which kind of thing it is: embedder, detector, landmarks, liveness, …
summary = "One line for a listing."
training = "What it was trained on, and by whom."
paper = "Authors, title, year, link."   # optional
limits = ["What it must not be trusted with."]  # optional
build = "my_recipe"                     # optional: name of the recipe that turns the files into graphs
dimension = 512                         # optional: length of an embedder's vector
labels = ["angry", "happy"]             # classifiers: what each number of the output stands for, in its order
output = "probabilities"                # classifiers: "probabilities" | "logits" (a softmax is still to be applied); optional

[[file]]
role = "model"                          # how code asks for it
name = "my_model.onnx"                  # file name, also in a mirror folder
size = 1234                             # bytes; may be left out
sha256 = "…"                            # 64 hex digits; a file without one is never loaded
sources = [                             # tried in this order; a file that lies beside its card needs none
    { package = "some_package", path = "weights/my_model.dat" },          # data of an installed package
    { url = "https://example.org/my_model.onnx" },
    { pack = "https://example.org/pack.zip", sha256 = "…", size = 1, member = "my_model.onnx" },
]

[input]                                 # the pixels that the file (as published, before `build`) wants; optional
size = [112, 112]                       # width, height in px; left out where any will do
template = "arcface112"                 # "dlib150" | "arcface112" | "square" | "none": which crop (square: the box)
colour = "rgb"                          # "rgb" | "bgr" | "grey" (one channel; classifiers only)
mean = 127.5                            # one number or one per channel, in the order of `colour`, of pixels 0..255
std = 127.5                             # a value goes in as (pixel - mean) / std
layout = "NCHW"                         # "NCHW" | "NHWC"
mirrored = false                        # embedders: add the vector of the mirrored chip (twice the time); optional

[licence]
code = "MIT"
weights = "As stated by whoever publishes them."
url = "https://example.org/LICENSE"     # where it was read
read_on = 2026-11-22                    # when
training_data = "Terms of the training data."
commercial = "yes"                      # "yes" | "no" | "unclear"; the last two load only once accepted by name

[abstain]                               # classifiers: below which they say nothing; may be left out, and each but `data`
least_probability = 0.4                 # of the most probable label
least_eye_distance = 12                 # px between the eye centres in the source
least_score = 0.9                       # of the detector
least_quality = 0.3                     # overall, as the quality judge has it
data = "on which data, how"

[statement]                             # what whoever offers it says; also not_for, people (whom it affects), consent,
intended_use = "…"                      # oversight, contact. Each may be left out, and the whole table

[[result]]                              # measured or published; any number of them
data = "LFW"
metric = "accuracy"
value = 0.99
low = 0.98                              # 95 % interval; optional
high = 0.995
n = 6000                                # comparisons, pictures or people behind it; optional
source = "who measured it, where it is written"

[[operating_point]]                     # fields of mien.types.OperatingPoint; any number of them
threshold = 0.5                         # scores at or above are accepted
fmr = 1e-3                              # false-match rate aimed at
low = 0.0006                            # 95 % interval of the rate at this threshold
high = 0.0014
comparisons = 100000                    # impostor comparisons behind it
subjects = 1000                         # subjects behind those
data = "on which data"
space = ""                              # template space; optional
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path, PurePosixPath
from typing import Literal, cast

from mien.models.table import Table, opened
from mien.types import OperatingPoint

Commercial = Literal["yes", "no", "unclear"]
Template = Literal["dlib150", "arcface112", "square", "none"]
Colour = Literal["rgb", "bgr", "grey"]
Layout = Literal["NCHW", "NHWC"]
Output = Literal["probabilities", "logits"]
STATED = ("intended_use", "not_for", "people", "consent", "oversight", "contact")


@dataclass(frozen=True, slots=True)
class PackageData:
    """A file inside an installed Python package, which is located and never imported."""

    package: str
    path: str  # with forward slashes, from the package's folder


@dataclass(frozen=True, slots=True)
class Url:
    """The file itself on the web."""

    url: str  # http or https


@dataclass(frozen=True, slots=True)
class Pack:
    """A member of a zip on the web."""

    url: str  # http or https
    member: str
    sha256: str  # of the zip
    size: int | None = None  # of the zip, bytes


Source = PackageData | Url | Pack


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model, how to tell it is the right one, and where it may be had."""

    role: str
    name: str
    size: int | None  # bytes
    sha256: str | None  # None: nobody pinned it, so it is not loaded
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """The pixels a model wants at its mouth: (pixel 0..255 - mean) / std, channels in the order of `colour`."""

    size: tuple[int, int] | None  # width, height in px; None: any
    template: Template
    colour: Colour
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    layout: Layout
    mirrored: bool = False  # add the vector of the mirrored chip


@dataclass(frozen=True, slots=True)
class Licence:
    """The terms as somebody read them on a day; no legal advice."""

    code: str
    weights: str
    url: str
    read_on: date
    training_data: str
    commercial: Commercial


@dataclass(frozen=True, slots=True)
class Result:
    """A measured value, who measured it, and its 95 % interval where one was given."""

    data: str
    metric: str
    value: float
    source: str
    low: float | None = None
    high: float | None = None
    n: int | None = None  # how many comparisons, pictures or people stand behind it


@dataclass(frozen=True, slots=True)
class Abstain:
    """Below which a classifier says nothing, and how that was chosen; 0 never holds it back."""

    data: str  # on which data, how
    least_probability: float = 0.0  # of the most probable label
    least_eye_distance: float = 0.0  # px in the source
    least_score: float = 0.0  # of the detector, 0..1
    least_quality: float = 0.0  # overall, 0..1, see mien.judge.quality


@dataclass(frozen=True, slots=True)
class Card:
    """All that is known about a model."""

    name: str
    task: str
    summary: str
    training: str
    files: tuple[File, ...]
    licence: Licence
    input: Input | None = None
    paper: str = ""
    limits: tuple[str, ...] = ()
    build: str | None = None
    dimension: int | None = None
    labels: tuple[str, ...] = ()
    output: Output = "probabilities"
    abstain: Abstain | None = None
    statement: Mapping[str, str] = field(default_factory=dict)
    results: tuple[Result, ...] = ()
    operating_points: tuple[OperatingPoint, ...] = ()
    origin: Path = field(default=Path(), compare=False)  # the TOML file


def read(path: Path) -> Card:
    """The card in a TOML file.

    Raises ModelError, naming the file and the key, when the file cannot be read, a field is missing or unknown or of
    the wrong kind, or a digest is no SHA-256."""
    top = opened(path)
    card = Card(
        name=top.word("name"),
        task=top.word("task"),
        summary=top.get("summary", str),
        training=top.get("training", str),
        files=tuple(_file(table) for table in top.tables("file")),
        licence=_licence(top.table("licence")),
        input=_input(top.table("input")) if "input" in top else None,
        paper=top.get("paper", str, ""),
        limits=tuple(top.strings("limits")),
        build=top.word("build") if "build" in top else None,
        dimension=top.get("dimension", int, None),
        labels=tuple(top.strings("labels")),
        output=cast(Output, top.choice("output", ("probabilities", "logits"))) if "output" in top else "probabilities",
        abstain=_abstain(top.table("abstain")) if "abstain" in top else None,
        statement=top.table("statement").texts(STATED) if "statement" in top else {},
        results=tuple(table.record(Result) for table in top.tables("result")),
        operating_points=tuple(table.record(OperatingPoint) for table in top.tables("operating_point")),
        origin=path,
    )
    top.done()
    if card.name != path.stem:
        raise top.bad("name", f"is {card.name!r} but the file is called {path.name}")
    if len(set(card.labels)) < len(card.labels) or not all(card.labels):
        raise top.bad("labels", "must be different names")
    if card.input is not None and card.input.colour == "grey" and not card.labels:
        raise top.bad("input.colour", "is 'grey', which only classifiers (with labels) can want")
    if not card.files:
        raise top.bad("file", "is missing")
    if len({file.role for file in card.files}) < len(card.files):
        raise top.bad("file", "gives one role to two files")
    return card


def _file(table: Table) -> File:
    name = table.get("name", str)
    if not name or PurePosixPath(name).name != name or "\\" in name:
        raise table.bad("name", f"is {name!r}, which is no plain file name")
    made = File(
        role=table.word("role"),
        name=name,
        size=table.get("size", int, None),
        sha256=table.digest("sha256") if "sha256" in table else None,
        sources=tuple(_source(source) for source in table.tables("sources")),
    )
    table.done()
    return made


def _source(table: Table) -> Source:
    made: Source
    if "package" in table:
        path = PurePosixPath(table.get("path", str))
        if path.is_absolute() or ".." in path.parts:
            raise table.bad("path", f"is {str(path)!r}, which leaves the package")
        made = PackageData(table.word("package"), str(path))
    elif "pack" in table:
        made = Pack(table.web("pack"), table.get("member", str), table.digest("sha256"), table.get("size", int, None))
    else:
        made = Url(table.web("url"))
    table.done()
    return made


def _input(table: Table) -> Input:
    size = table.numbers("size", 2) if "size" in table else None
    made = Input(
        size=None if size is None else (int(size[0]), int(size[1])),
        template=cast(Template, table.choice("template", ("dlib150", "arcface112", "square", "none"))),
        colour=cast(Colour, table.choice("colour", ("rgb", "bgr", "grey"))),
        mean=cast("tuple[float, float, float]", table.numbers("mean", 3)),
        std=cast("tuple[float, float, float]", table.numbers("std", 3)),
        layout=cast(Layout, table.choice("layout", ("NCHW", "NHWC"))),
        mirrored=table.get("mirrored", bool, False),
    )
    if 0 in made.std:
        raise table.bad("std", "is 0")
    table.done()
    return made


def _abstain(table: Table) -> Abstain:
    made = table.record(Abstain)
    for name in ("least_probability", "least_score", "least_quality"):
        if not 0 <= getattr(made, name) <= 1:
            raise table.bad(name, f"is {getattr(made, name)}, but must lie in 0 to 1")
    if not 0 <= made.least_eye_distance < float("inf"):
        raise table.bad("least_eye_distance", f"is {made.least_eye_distance}, but px are wanted")
    if not made.data:
        raise table.bad("data", "is empty")
    return made


def _licence(table: Table) -> Licence:
    made = Licence(
        code=table.get("code", str),
        weights=table.get("weights", str),
        url=table.web("url"),
        read_on=table.get("read_on", date),
        training_data=table.get("training_data", str),
        commercial=cast(Commercial, table.choice("commercial", ("yes", "no", "unclear"))),
    )
    table.done()
    return made
