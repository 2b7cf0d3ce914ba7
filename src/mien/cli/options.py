"""Options that several verbs share, and what they make: an engine, a policy."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import click

from mien.errors import GalleryNotFound, UsageError

if TYPE_CHECKING:
    from mien.cli.output import Output
    from mien.engine import Engine
    from mien.gallery import BaseGallery

_REQUIRE = "A reading there must be, such as liveness:live:0.9 (with --judge); repeatable."
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def rate(text: str) -> float:
    """An error rate: 0.001, 1e-3 or 1/1000."""
    try:
        return float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise click.BadParameter(f"'{text}' is no rate: write 0.001, 1e-3 or 1/1000.") from None


def requirement(text: str) -> tuple[str, str, float]:
    """A reading that a picture must have, kind:label:least, as (kind, label, least score)."""
    try:
        kind, label, least = text.split(":")
        return kind, label, float(least)
    except ValueError:
        raise click.BadParameter(f"'{text}' is no requirement: write for instance liveness:live:0.9.") from None


def seconds(text: str) -> float:
    """A length of windows: 0 to 60 s."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 60:
        raise click.BadParameter(f"'{text}' is no length of windows: write 0 to 60 (s).")
    return value


def pair(text: str) -> tuple[str, str]:
    """key=value as (key, value)."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise click.BadParameter(f"'{text}' is no key=value.")
    return key, value


def with_engine(judges: bool = False) -> Decorator:
    """--detector, --embedder, --threads, --device (and --judge): the verb gets `engine`; its models load on first use."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--detector", metavar="NAME", help="Model that finds faces (see `mien models`).")
        @click.option("--embedder", metavar="NAME", help="Model that turns faces into templates.")
        @click.option("--threads", type=click.IntRange(1), help="Workers for many pictures (default: all cores).")
        @click.option("--device", metavar="NAME", help="What models run on: cpu (default), cuda, tensorrt, openvino, …")
        @functools.wraps(function)
        def wrapped(*words: Any, detector: str, embedder: str, threads: int | None, **options: Any) -> Any:
            device = options.pop("device", None)
            judged = options.pop("judge", ())  # one by argument, or several by option
            judged = (judged,) if isinstance(judged, str) else judged
            named = {"detector": detector, "embedder": embedder, "judges": judged, "threads": threads, "device": device}
            chosen = {key: value for key, value in named.items() if value}
            return function(*words, engine=make_engine(**chosen), **options)

        if not judges:
            return wrapped
        judge = click.option("--judge", multiple=True, metavar="NAME", help="Model that reads faces; repeatable.")
        return judge(wrapped)

    return decorate


def make_engine(**chosen: Any) -> Engine:
    """The engine of a command; tests put their own here."""
    from mien.engine import Engine

    return Engine(**chosen)


def with_policy(many: bool) -> Decorator:
    """--fmr, --threshold, --require (and --fpir, --margin where there is a gallery): the verb gets `policy`."""
    of_search = [
        click.option(
            "--fpir", type=rate, metavar="RATE", help="Share of strangers that may be taken for somebody enrolled."
        ),
        click.option("--margin", type=float, help="Least lead over the runner-up; less abstains."),
    ]
    of_all = [
        click.option("--fmr", type=rate, metavar="RATE", help="False-match rate per comparison, such as 1e-3."),
        click.option("--threshold", type=float, help="A similarity to decide at, by hand and without evidence."),
        click.option(
            "--require",
            type=requirement,
            metavar="KIND:LABEL:LEAST",
            multiple=True,
            help="A reading every picture needs.",
        ),
    ]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*words: Any, **options: Any) -> Any:
            from mien.decide import Policy

            names = ("fmr", "fpir", "threshold", "margin", "require")
            given = {name: options.pop(name) for name in names if name in options}
            chosen = {name: value for name, value in given.items() if value not in (None, ())}
            return function(*words, policy=Policy(**chosen), **options)

        for option in reversed(of_all + (of_search if many else [])):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def on_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty()


def default_models() -> tuple[str, ...]:
    """The detector and the embedder an engine uses when none is named."""
    from inspect import signature

    from mien.engine import Engine

    wanted = signature(Engine).parameters
    return tuple(wanted[name].default for name in ("detector", "embedder"))


def with_keys(function: Callable[..., Any]) -> Callable[..., Any]:
    """--keys: the verb gets `keys`, the folder of a sealed gallery's keys or None."""
    return click.option(
        "--keys",
        metavar="DIR",
        envvar="MIEN_KEYS",
        help="Folder with the keys of a sealed gallery (default: $MIEN_KEYS).",
    )(function)


@contextmanager
def key_warnings(out: Output | None) -> Iterator[None]:
    """What there is to say against the way keys are kept, on stderr as remarks."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default")
        yield
    for warning in found:
        if out is None or warning.category.__name__ != "KeyWarning":
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        else:
            out.warn(str(warning.message))


@contextmanager
def gallery_at(
    path: str, *, create: bool = False, read_only: bool = False, keys: str | None = None, out: Output | None = None
) -> Iterator[BaseGallery]:
    """The gallery of a command, closed at the end. Raises as open_gallery.

    keys: of a sealed gallery. out: where it is said what a sealed gallery protects, and what is amiss with its keys."""
    from mien.gallery import open_gallery

    if path == ":memory:":
        raise UsageError("A gallery in memory would be gone with this command.", "Give a file, such as people.db.")
    if "@" in path.partition("://")[2].partition("/")[0]:
        raise UsageError(
            "The address holds a password, which commands and the list of processes would show.",
            "Set MIEN_MILVUS_TOKEN to user:password, and leave it out of the address.",
        )
    try:
        with key_warnings(out):
            gallery = open_gallery(path, create=create, read_only=read_only, keys=keys)
    except GalleryNotFound as error:
        if create or "://" in path:
            raise
        raise GalleryNotFound(error.message, f"Make it with: mien enrol {path} --from photos/") from error
    with gallery:
        if out is not None and getattr(gallery, "in_process", False):
            out.note(
                f"{path}: its keys are in this process too, so this is encryption at rest (see mien serve-matcher)."
            )
        yield gallery
