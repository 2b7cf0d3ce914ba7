"""Decoders that talk: their warnings and their lines on stderr stay inside."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_depth = 0
_filters = warnings.catch_warnings()
_lenient = False
_stderr_lock = Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings from picture decoders, and no grey halves of cut pictures, in any number of threads.

    Other libraries tell Pillow, for the whole process, to make up what a cut picture lacks; that is undone meanwhile.
    Both are globals; overlapping threads would restore them in the wrong order, so they share one swap."""
    from PIL import ImageFile

    global _depth, _filters, _lenient
    with _lock:
        if _depth == 0:
            _lenient, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif|mien\.media)\b")
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES = _lenient
                _filters.__exit__(None, None, None)


@contextmanager
def hushed() -> Iterator[None]:
    """Nothing reaches stderr while this is open.

    For libtiff alone, which writes its errors straight to the descriptor: the descriptor belongs to the whole process, so
    what other threads write there in those milliseconds is lost too."""
    with _stderr_lock:
        try:
            kept = os.dup(2)
        except OSError:  # no stderr at all, as under some service managers: nothing to hush
            yield
            return
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        os.close(nothing)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
