"""Tables of OpenFace 2 and Py-Feat as predictions, and truth from a second file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mien.audit.data.sheet import Sheet, number
from mien.errors import InputError

KEYS = ("video", "subject", "frame", "image", "case")
EMOTIONS = {
    "anger": "anger", "disgust": "disgust", "fear": "fear", "happiness": "happiness", "sadness": "sadness",
    "surprise": "surprise", "neutral": "neutral", "happy": "happiness", "sad": "sadness",
}  # fmt: skip
TRUTH = ("truth", "emotion", "expression", "label")  # names of the column of classes in a file of truth
ABOUT = ("subject", "video", "fold", "group")  # columns of a file of truth that are no truth


def translated(sheet: Sheet) -> Sheet:
    """An OpenFace 2 or Py-Feat table with our names of columns; any other as it is.

    OpenFace: AU01_r is the score (intensity 0 to 5), AU01_c what it decided; a frame without success has no answer.
    Py-Feat: emotions are probabilities; a frame without FaceScore has no answer."""
    if "success" in sheet.columns and any(name.startswith("au") and name.endswith("_c") for name in sheet.columns):
        return _openface(sheet)
    if "facescore" in sheet.columns:
        return _pyfeat(sheet)
    return sheet


def beside(sheet: Sheet, truth: Sheet) -> Sheet:
    """Predictions with the truth of the same frame of the same video (whatever keys both files have) beside them.

    Truth without a prediction stays, without an answer; predictions without truth are listed and left out."""
    keys = [key for key in KEYS if key in sheet.columns and key in truth.columns]
    if not keys:
        raise InputError(
            f"{sheet.name} and {truth.name} share no column to join them by.",
            f"Give both a column {', '.join(KEYS[:-1])} or {KEYS[-1]}.",
        )
    columns = {name: _truth_name(name) for name in truth.columns if name not in keys}
    answers = _by_key(
        sheet, keys, "has another row of the same key before it, such as a second face, and was left out."
    )
    asked = _by_key(truth, keys, "has another row of the same key before it in the truth, and was left out.", sheet)
    left = [name for name in sheet.columns if name not in columns.values()]
    rows = []
    for key, (where, row) in asked.items():
        answer = answers.get(key)
        if answer is None:
            sheet.found.add("truth_without_prediction", "Has a truth and no prediction: no answer.", _shown(keys, key))
        given: Mapping[str, str] = answer[1] if answer else dict.fromkeys(left, "")
        joined = {name: given[name] for name in left} | {new: row[old] for old, new in columns.items()}
        rows.append((_shown(keys, key) or where, joined | {name: row[name] for name in keys}))
    for key in answers:
        if key not in asked:
            words = "Has a prediction and no truth: it cannot be judged and was left out."
            sheet.found.add("prediction_without_truth", words, _shown(keys, key))
    names = dict.fromkeys([*left, *columns.values(), *keys])
    for problem in truth.found.problems():
        for case in problem.cases:
            sheet.found.add(problem.kind, problem.words, case)
    return Sheet(sheet.name, tuple(names), tuple(rows), sheet.found)


def _truth_name(name: str) -> str:
    if name in TRUTH:
        return "truth"
    about = name in ABOUT or name.startswith("group_") or name.endswith("_truth")
    return name if about else f"{name}_truth"


def _by_key(
    sheet: Sheet, keys: list[str], words: str, into: Sheet | None = None
) -> dict[tuple[str, ...], tuple[str, Mapping[str, str]]]:
    found: dict[tuple[str, ...], tuple[str, Mapping[str, str]]] = {}
    for where, row in sheet.rows:
        key = tuple(_same(row[name]) for name in keys)
        if key in found:
            (into or sheet).found.add("several_rows_of_a_key", words, where)
        else:
            found[key] = (where, row)
    return found


def _same(text: str) -> str:
    """1 and 1.0 are one frame."""
    value = number(text)
    return f"{value:g}" if value is not None and value == value and abs(value) < 1e6 else text


def _shown(keys: list[str], key: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(keys, key, strict=True))


def _openface(sheet: Sheet) -> Sheet:
    names = {}
    for name in sheet.columns:
        if name.startswith("au") and name[-2:] in ("_r", "_c"):
            unit, graded = name[:-2], f"{name[:-2]}_r" in sheet.columns
            names[name] = f"{unit}_called" if name.endswith("_c") and graded else unit
        elif name in (*KEYS, "timestamp", "confidence", "fold", "group"):
            names[name] = name
    return _renamed(sheet, names, lambda row: row["success"] in ("1", "1.0"))


def _pyfeat(sheet: Sheet) -> Sheet:
    names = {name: f"p_{EMOTIONS[name]}" for name in sheet.columns if name in EMOTIONS}
    kept = (*KEYS, "valence", "arousal", "fold", "group")
    names |= {name: name for name in sheet.columns if name in kept or (name.startswith("au") and name[2:].isdigit())}
    return _renamed(sheet, names, lambda row: row["facescore"].lower() not in ("", "nan"))


def _renamed(sheet: Sheet, names: Mapping[str, str], seen: Callable[[Mapping[str, str]], bool]) -> Sheet:
    rows = []
    for where, row in sheet.rows:
        found = seen(row)
        if not found:
            sheet.found.add("no_face", "Has no face that was found: no answer.", where)
        rows.append((where, {new: row[old] if found or old in KEYS else "" for old, new in names.items()}))
    return Sheet(sheet.name, tuple(names.values()), tuple(rows), sheet.found)
