"""The published predictions behind "Biased heritage", judged anew: 561 runs of networks trained on data biased on purpose.

Dominguez-Catena, Paternain and Galar, 2025 (arXiv 2503.03446). A run is named ``KIND-fSTRENGTH-rNUMBER``: at strength 0.5
the training data are balanced, at 0 and 1 they hold one group only, or one group only in the classes concerned. All runs are
judged on the same pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.audit.metrics import F64, I64, bias
from mien.errors import InputError

CLASSES = 7
RACES = ("White", "Latino_Hispanic", "Black", "Middle Eastern", "East Asian")  # the groups large enough, as published
STRENGTHS = tuple(round(0.1 * step, 1) for step in range(11))
NEEDED = ("run", "rows", "y_true", "y_pred", "gender", "race", "gender_names", "race_names")


@dataclass(frozen=True, slots=True)
class Setting:
    """One kind of bias along one axis."""

    name: str
    kind: str  # representational, stereotypical (one class), stereotypical (several classes)
    axis: str  # gender, race
    prefix: str  # of the runs
    runs: tuple[int, ...]


REPRESENTATIONAL, ONE, SEVERAL = "representational", "stereotypical, one class", "stereotypical, several classes"
SETTINGS = tuple(
    Setting(f"{kind} ({axis})", kind, axis, prefix, runs)
    for axis, runs, prefixes in (
        ("gender", (0, 1, 2), ("representational", "stereo-happy", "multistereo-sa-female")),
        ("race", (0, 1, 2, 4, 5), ("representational-white", "stereo-h-white", "multistereo-sa-white")),
    )
    for kind, prefix in zip((REPRESENTATIONAL, ONE, SEVERAL), prefixes, strict=True)
)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Every metric of the runs of one setting."""

    setting: Setting
    strengths: F64  # (S,)
    values: Mapping[str, F64]  # metric -> (S, R) by strength and run
    pictures: int  # judged


def read(path: Path) -> tuple[Judged, ...]:
    """All six settings. Raises InputError for a file without the arrays or the runs."""
    with np.load(path, allow_pickle=False) as held:
        missing = [name for name in NEEDED if name not in held.files]
        if missing:
            raise InputError(f"{path} lacks {', '.join(missing)}.", "Give fer_bias_predictions.npz as it is.")
        data = {name: held[name] for name in NEEDED}
    starts = np.concatenate([[0], np.cumsum(data["rows"])])
    places = {str(name): slice(starts[row], starts[row + 1]) for row, name in enumerate(data["run"])}
    groups = {"gender": data["gender"].astype(np.int64), "race": _kept(data)}
    return tuple(_judged(setting, data, places, groups[setting.axis]) for setting in SETTINGS)


def _kept(data: Mapping[str, np.ndarray[tuple[int], np.dtype[np.int8]]]) -> I64:
    """Race as a number among RACES; -1 for groups too small."""
    names = [str(name) for name in data["race_names"]]
    code = np.array([RACES.index(name) if name in RACES else -1 for name in names], np.int64)
    return code[data["race"].astype(np.int64)]


def _judged(
    setting: Setting,
    data: Mapping[str, np.ndarray[tuple[int], np.dtype[np.int8]]],
    places: Mapping[str, slice],
    group: I64,
) -> Judged:
    names = [f"{setting.prefix}-f{strength:.1f}-r{run}" for strength in STRENGTHS for run in setting.runs]
    absent = [name for name in names if name not in places]
    if absent:
        raise InputError(f"The predictions lack {len(absent)} runs, such as {absent[0]}.", "Give the file as it is.")
    size = len(RACES) if setting.axis == "race" else 2
    tables = []
    for name in names:
        place = places[name]
        kept = group[place] >= 0
        true, given = (data[key][place][kept].astype(np.int64) for key in ("y_true", "y_pred"))
        tables.append(bias.confusion(group[place][kept], true, given, size, CLASSES))
    matrices = np.stack(tables)
    shape = len(STRENGTHS), len(setting.runs)
    values = {name: measure(matrices).reshape(shape) for name, measure in {**bias.MODEL, "error": bias.error}.items()}
    return Judged(setting, np.array(STRENGTHS), values, int(matrices[0].sum()))
