"""Every file in examples/ runs on real pictures, and prints what it promises."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
Pictures = Mapping[str, Path]


def named(*names: str) -> Callable[[Pictures, Path], list[str]]:
    """Portraits by name, as arguments."""
    return lambda have, folder: [str(have[name]) for name in names]


def pair_and_folder(have: Pictures, folder: Path) -> list[str]:
    """Two portraits of one person, and a folder with those and another's."""
    for name in ("obama2", "obama3", "biden"):
        shutil.copy(have[name], folder)
    return [str(have["obama"]), str(have["obama2"]), str(folder)]


def face_model(have: Pictures, folder: Path) -> list[str]:
    """The file of the morphable face, where it is at hand."""
    data = Path(os.environ.get("MIEN_TEST_DATA", EXAMPLES.parents[1] / "shared" / "data"))
    if not (data / "ict_face_model_light.npz").is_file():
        pytest.skip("the face model is absent")
    return [str(data / "ict_face_model_light.npz")]


# An example: its arguments, words it prints, words it must not print.
RUNS: Mapping[str, tuple[Callable[[Pictures, Path], list[str]], Sequence[str], Sequence[str]]] = {
    "audit_longitudinal.py": (named(), ["sd_between_days", "Scores of all people shifted at once about 20"], ["nan"]),
    "audit_attack.py": (named(), ["The worst species (mask", "max APCER", "BPCER20"], ["nan"]),
    "audit_fairness.py": (named(), ["site: FMR max/min", "differs between groups beyond chance"], ["nan", "inf"]),
    "audit_trust.py": (
        lambda have, folder: [str(folder)],
        ["bars: of 29 requirements", "not stated: ", "report.html"],
        ["nan"],
    ),
    "ten_lines.py": (named("obama", "obama2", "biden", "obama3"), ["accept ana"], ["ben"]),
    "compat_face_recognition.py": (named("obama", "biden", "obama2"), ["obama at "], ["biden at ", "nobody"]),
    "audit_affect.py": (lambda have, folder: [str(folder)], ["UAR 0.", "of 20 people", "report.html"], ["nan"]),
    "sealed.py": (named(), ["100 templates sealed", "sealed: p42", "nearest now: True", "new keys: True"], ["False"]),
    "compat_deepface.py": (pair_and_folder, ["same person", "obama2.jpg", "obama3.jpg"], ["not the same", "biden.jpg"]),
    "expressions.py": (named("obama", "biden"), ["obama.jpg at 0.0 s"], ["nan", "Traceback"]),
    "synthetic_faces.py": (face_model, ["synthetic: 6 clips", "The side is right in 6 of 6 clips."], ["nan"]),
    "audit_verification.py": (named(), ["Accepting 1 in 1,000 impostors", "TAR at FMR 0.01", "Refused"], ["nan"]),
}


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_example(name: str, portraits: Pictures, tmp_path: Path) -> None:
    arguments, wanted, unwanted = RUNS[name]
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments(portraits, tmp_path)]
    source = os.pathsep.join(filter(None, [str(EXAMPLES.parent / "src"), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": source}
    )
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in wanted), done.stdout
    assert not any(word in done.stdout for word in unwanted), done.stdout
