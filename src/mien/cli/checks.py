"""What `mien doctor` looks at, one function per line of its report."""

from __future__ import annotations

import functools
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from mien.cli.options import default_models
from mien.errors import MienError

State = Literal["OK", "WARN", "FAIL"]
# Module -> the package that brings it.
PACKAGES = {
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "cv2": "opencv-python-headless",
    "PIL": "Pillow",
    "pillow_heif": "pillow-heif",
    "av": "av",
    "click": "click",
    "rich": "rich",
    "platformdirs": "platformdirs",
    "lz4": "lz4",
}
DECODERS = {"h264": "H.264", "hevc": "H.265", "vp9": "VP9", "av1": "AV1", "mpeg4": "MPEG-4", "mjpeg": "Motion JPEG"}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    name: str
    state: State
    finding: str
    remedy: str = ""


def all_checks(galleries: Sequence[str] = ()) -> Iterator[Check]:
    """Every check in turn, then each of the `galleries`. One that breaks is a failed line, and the rest goes on."""
    named = {path: functools.partial(_thresholds, path) for path in galleries}
    for name, check in (_CHECKS | named).items():
        yield checked(name, check)


Finding = tuple[State, str, str]


def checked(name: str, check: Callable[[], Finding]) -> Check:
    """What a check finds; one that breaks is a failure."""
    try:
        state, finding, remedy = check()
    except MienError as error:
        state, finding, remedy = "FAIL", error.message, error.remedy
    except Exception as error:
        if os.environ.get("MIEN_DEBUG"):
            raise
        state, finding, remedy = "FAIL", f"{type(error).__name__}: {error}.", "Set MIEN_DEBUG=1 to see where."
    return Check(name, state, finding, remedy)


def _python() -> Finding:
    where = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}."
    )
    return ("OK", where, "") if sys.version_info >= (3, 11) else ("FAIL", where, "mien wants Python 3.11 or newer.")


def _packages() -> Finding:
    broken = {}
    for module, package in PACKAGES.items():
        try:
            import_module(module)
        except Exception as error:  # noqa: BLE001 - a shared library that is missing raises whatever it likes
            broken[package] = str(error).splitlines()[0] if str(error) else type(error).__name__
    if not broken:
        return "OK", f"All {len(PACKAGES)} that mien needs load.", ""
    said = "; ".join(f"{package} ({why})" for package, why in broken.items())
    return "FAIL", f"Not loading: {said}.", f"Run: pip install --force-reinstall {' '.join(broken)}"


def _search() -> Finding:
    from mien.gallery.scan import kernel

    name = kernel()
    if name == "numpy":
        why = "Searches of large galleries run in numpy: the compiled kernel was not built."
        return "WARN", why, "Install a C compiler and run: pip install --force-reinstall --no-deps mien"
    return "OK", f"The compiled search runs as {name}.", ""


def _models() -> Finding:
    from mien import models
    from mien.cli.models import state

    states = {name: state(models.card(name), models.verify([name])) for name in default_models()}
    said = "; ".join(f"{name}: {words}" for name, words in states.items()) + "."
    bad = [name for name, words in states.items() if words not in ("ready", "built on first use")]
    return ("FAIL", said, f"Run: mien models pull {' '.join(bad)}") if bad else ("OK", said, "")


def _runtime() -> Finding:
    import onnxruntime

    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    extra = [name for name in providers if name not in ("CPU", "Azure")]
    said = f"ONNX Runtime {onnxruntime.__version__} on the CPU"
    return "OK", f"{said}; it also offers {', '.join(extra)}." if extra else f"{said}; no accelerator is offered.", ""


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS")
    said = f"{cores} core{'s' if cores > 1 else ''} to work on"
    return "OK", f"{said}; OMP_NUM_THREADS={limit}." if limit else f"{said}.", ""


def _video() -> Finding:
    import av

    missing = [name for codec, name in DECODERS.items() if codec not in av.codecs_available]
    present = [name for codec, name in DECODERS.items() if codec in av.codecs_available]
    if missing:
        return "WARN", f"No decoder for {', '.join(missing)}.", "Reinstall the package av from its wheel."
    return "OK", f"PyAV {av.__version__} decodes {', '.join(present)}.", ""


def _heic() -> Finding:
    try:
        import pillow_heif
    except ImportError as error:
        return "WARN", f"HEIC pictures cannot be read ({error}).", "Run: pip install --force-reinstall pillow-heif"
    return "OK", f"HEIC and AVIF pictures are read (libheif {pillow_heif.libheif_version()}).", ""


def _audits() -> Finding:
    from mien.audit.listing import missing

    absent = missing()
    if absent:
        return "WARN", f"Audits and reproductions need {', '.join(absent)}.", 'Run: pip install "mien[audit]"'
    return "OK", "The packages of audits and reproductions are installed.", ""


def _cache() -> Finding:
    from mien.models import places

    folder = places.cache()
    if not _writable(folder):
        remedy = "Models are then built anew in every process: set MIEN_CACHE to a folder you may write."
        return "WARN", f"{folder} cannot be written.", remedy
    used = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return "OK", f"{folder} can be written and holds {used / 1e6:.0f} MB.", ""


def _mirrors() -> Finding:
    from mien.models import places

    folders = places.mirrors()
    if not folders:
        return "OK", "MIEN_MODELS is not set: models come from packages, the cache, or the network.", ""
    absent = [str(folder) for folder in folders if not folder.is_dir()]
    if absent:
        return "WARN", f"MIEN_MODELS names no folder: {', '.join(absent)}.", "Mend MIEN_MODELS."
    return "OK", f"Models are looked for in {', '.join(map(str, folders))} first.", ""


def _galleries() -> Finding:
    from mien.gallery import open_gallery

    with tempfile.TemporaryDirectory() as folder:
        open_gallery(Path(folder) / "people.db").close()
    return "OK", f"A gallery can be made (SQLite {sqlite3.sqlite_version}).", ""


def _thresholds(path: str) -> Finding:
    from mien.cli import words
    from mien.cli.options import gallery_at

    with gallery_at(path, read_only=True) as gallery:
        outgrown = words.outgrown(gallery)
        held = f"{len(gallery):,} people, {gallery.templates:,} templates, {len(gallery.points)} thresholds kept"
    return ("WARN", f"{held}: {outgrown}", "") if outgrown else ("OK", f"{held}; they fit its size.", "")


def _selftest() -> Finding:
    from mien.cli import selftest
    from mien.engine import Engine

    start = time.perf_counter()
    found = selftest.faults(Engine())
    took = time.perf_counter() - start
    if found:
        return "FAIL", f"{'; '.join(found)}.".capitalize(), "Run: mien models verify, then reinstall onnxruntime."
    return "OK", f"A drawn face is found and its template is the expected one ({took:.1f} s, models loaded).", ""


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


_CHECKS: dict[str, Callable[[], Finding]] = {
    "Python": _python,
    "packages": _packages,
    "default models": _models,
    "inference": _runtime,
    "search": _search,
    "cores": _cores,
    "video": _video,
    "HEIC": _heic,
    "audits": _audits,
    "cache": _cache,
    "model folders": _mirrors,
    "galleries": _galleries,
    "self-test": _selftest,
}
