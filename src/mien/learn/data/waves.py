"""Signals beside pixels: pulse, EEG, skin conductance, breath, speech.

`read_wave` gives the values and the time of each, `at` the values at the times of frames. Times are seconds from the first
frame where the layout ties the two together (UBFC, PURE, DEAP, speech). The BDF files of MAHNOB-HCI begin about 30 s before
the film that was shown and carry a trigger channel ("Status"); their times count from the beginning of the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import EvidenceError, InputError, UsageError
from mien.learn.data.arrays import read_arrays
from mien.learn.data.example import Media, Wave
from mien.learn.data.frames import frames
from mien.learn.data.sheets import text_of
from mien.learn.data.trees import Tree
from mien.media.door import content_of, head_of, shown

F64 = NDArray[np.float64]
DEAP_BEFORE = 3.0  # seconds of rest before the film in each of DEAP's trials
SLACK = 0.5  # seconds by which frames may lie before or after the signal; its ends hold there
EEG = (  # the electrodes of DEAP and MAHNOB-HCI, in the order of their channels
    "Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7", "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz", "Fp2",
    "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz", "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2",
)  # fmt: skip
_STAMP = 10**15  # a frame's number from here on is a time in nanoseconds
_AGAIN = "Copy or download it again."


def read_wave(wave: Wave) -> tuple[F64, F64]:
    """(n,) values and (n,) times in s, rising. Values that are no number, and times that do not rise, are left out.

    Raises MediaNotFound, UnreadableMedia, InputError, UsageError."""
    reader = _READERS.get(wave.format)
    if reader is None:
        raise UsageError(f"{wave.format!r} is no format of a wave.", f"Known are {', '.join(sorted(_READERS))}.")
    values, times = reader(wave)
    if len(values) != len(times):
        raise InputError(f"{shown(wave.path)} has {len(values)} values of {wave.name} and {len(times)} times.", _AGAIN)
    good = np.isfinite(values) & np.isfinite(times)
    values, times = values[good], times[good]
    if len(times):
        rising = np.concatenate([[True], times[1:] > np.maximum.accumulate(times)[:-1]])
        values, times = values[rising], times[rising]
    if len(values) < 2:
        raise InputError(f"{shown(wave.path)} has no signal {wave.name}.", _AGAIN)
    return values, times


def at(values: F64, times: F64, moments: F64) -> F64:
    """The signal at given times, by straight lines between its samples: (m,).

    Up to `SLACK` beyond its ends the last value holds. Nothing is filtered: a signal with more above half the frame rate
    than a pulse has is to be filtered before. Raises EvidenceError where it does not cover the times."""
    if len(moments) and (moments.min() < times[0] - SLACK or moments.max() > times[-1] + SLACK):
        raise EvidenceError(
            f"The signal lasts from {times[0]:.2f} s to {times[-1]:.2f} s and the frames from {moments.min():.2f} s to "
            f"{moments.max():.2f} s.",
            "Use the frames that it covers.",
        )
    return np.interp(moments, times, values)


def frame_times(media: Media, count: int) -> F64:
    """When the first `count` frames of an example were taken, in s from the first frame of the medium: (count,).

    From the names of the frames where these are times (PURE), else from the frame rate. Raises UsageError, InputError."""
    if media.kind == "frames":
        stamps = frames(Tree(media.path), "").numbers
        if stamps and stamps[0] >= _STAMP:
            taken = np.array([stamp - stamps[0] for stamp in stamps], np.float64) / 1e9
            taken = taken[media.first : media.first + count]
            if len(taken) < count:
                raise InputError(f"{media.name} has {len(taken)} frames, not {count}.", "Ask for fewer.")
            return taken
    if media.fps <= 0:
        raise UsageError(f"The layout does not state the frame rate of {media.name}.", "Set `fps` on its media.")
    return (media.first + np.arange(count)) / media.fps


def _ubfc(wave: Wave) -> tuple[F64, F64]:
    """Values and times of UBFC-rPPG: rows of values, rates and seconds, or (gtdump.xmp) columns of ms, rate, SpO2, value."""
    text, _ = text_of(wave.path)
    try:
        rows = [[float(cell) for cell in line.replace(",", " ").split()] for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise InputError(f"{shown(wave.path)} has cells that are no number.", _AGAIN) from error
    column = {"pulse": 0, "heart_rate": 1}.get(str(wave.channel))
    if column is None:
        raise UsageError(f"UBFC has no signal {wave.channel}.", "It has pulse and heart_rate.")
    if wave.path.suffix.lower() == ".xmp":
        if not rows or any(len(row) < 4 for row in rows):
            raise InputError(f"{shown(wave.path)} has rows with fewer than 4 columns.", _AGAIN)
        table = np.array([row[:4] for row in rows], np.float64)
        return table[:, (3, 1)[column]], table[:, 0] / 1000
    if len(rows) < 3:
        raise InputError(f"{shown(wave.path)} has {len(rows)} lines; 3 are wanted.", _AGAIN)
    return np.array(rows[column], np.float64), np.array(rows[2], np.float64)


def _pure(wave: Wave) -> tuple[F64, F64]:
    """A field of the pulse oximeter's packages. Times count from the first picture that the file names."""
    try:
        held = json.loads(content_of(wave.path, 256_000_000).decode("utf-8-sig"))
        packages = held["/FullPackage"]
        values = np.array([one["Value"][str(wave.channel)] for one in packages], np.float64)
        stamps = [int(one["Timestamp"]) for one in packages]
        pictures = held.get("/Image") or packages
        start = int(pictures[0]["Timestamp"])
        times = np.array([stamp - start for stamp in stamps], np.float64) / 1e9
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        raise InputError(f"{shown(wave.path)} is no record of PURE.", _AGAIN) from error
    return values, times


def _deap(wave: Wave) -> tuple[F64, F64]:
    """Channel "trial/channel", both from 0, of (trials, channels, samples); zero is where the film begins."""
    data = _signals(wave.path, *_state(wave.path)).get("data")
    trial, _, channel = str(wave.channel).partition("/")
    if data is None or data.ndim != 3 or not (trial.isdecimal() and channel.isdecimal()):
        raise InputError(f"{shown(wave.path)} has no signal {wave.channel}.", _AGAIN)
    if int(trial) >= data.shape[0] or int(channel) >= data.shape[1]:
        raise InputError(f"{shown(wave.path)} has no signal {wave.channel}.", _AGAIN)
    values = data[int(trial), int(channel)].astype(np.float64)
    return values, np.arange(len(values)) / wave.rate - DEAP_BEFORE


def _bdf(wave: Wave) -> tuple[F64, F64]:
    """A channel by its label."""
    try:
        from pyedflib import EdfReader
    except ImportError as error:
        raise UsageError(
            f"Reading {wave.name} from {shown(wave.path)} needs the package pyedflib.", "Install it: pyedflib."
        ) from error
    head_of(wave.path, 1)
    try:
        with EdfReader(os.fspath(wave.path)) as file:
            labels = [label.strip().lower() for label in file.getSignalLabels()]
            if str(wave.channel).lower() not in labels:
                raise InputError(
                    f"{shown(wave.path)} has no channel {wave.channel}; it has {', '.join(labels)[:200]}.", _AGAIN
                )
            number = labels.index(str(wave.channel).lower())
            values = np.asarray(file.readSignal(number), np.float64)
            rate = float(file.getSampleFrequency(number))
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{shown(wave.path)} is no BDF or EDF file: {error}.", _AGAIN) from error
    return values, np.arange(len(values)) / rate


def _wav(wave: Wave) -> tuple[F64, F64]:
    """A channel of a WAV file of 16 bits, -1 .. 1."""
    import wave as wav

    head_of(wave.path, 1)
    try:
        with wav.open(os.fspath(wave.path), "rb") as file:
            if file.getsampwidth() != 2:
                raise InputError(f"{shown(wave.path)} has samples of {8 * file.getsampwidth()} bits.", "Save it in 16.")
            raw = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            raw = raw[: len(raw) - len(raw) % file.getnchannels()].reshape(-1, file.getnchannels())
            rate = file.getframerate()
    except (wav.Error, EOFError, OSError, ValueError) as error:
        raise InputError(f"{shown(wave.path)} is no WAV file: {error}.", _AGAIN) from error
    channel = int(wave.channel)
    if not 0 <= channel < raw.shape[1] or rate <= 0:
        raise InputError(f"{shown(wave.path)} has no channel {channel}.", _AGAIN)
    return raw[:, channel] / 32768.0, np.arange(len(raw)) / rate


def _state(path: Path) -> tuple[int, int]:
    head_of(path, 1)
    info = path.stat()
    return info.st_size, info.st_mtime_ns


@lru_cache(maxsize=1)  # a subject's 1,600 signals lie in one file of 100 MB
def _signals(path: Path, size: int, changed: int) -> dict[str, NDArray[Any]]:
    return dict(read_arrays(path))


_READERS: dict[str, Callable[[Wave], tuple[F64, F64]]] = {
    "ubfc": _ubfc,
    "pure": _pure,
    "deap": _deap,
    "bdf": _bdf,
    "wav": _wav,
}
