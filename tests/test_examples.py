"""Every file in examples/ runs on real pictures, and prints what it promises."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
Pictures = Mapping[str, Path]
SERVERS: list[object] = []  # they stop when nobody holds them


def named(*names: str) -> Callable[[Pictures, Path], list[str]]:
    """Portraits by name, as arguments."""
    return lambda have, folder: [str(have[name]) for name in names]


def pair_and_folder(have: Pictures, folder: Path) -> list[str]:
    """Two portraits of one person, and a folder with those and another's."""
    for name in ("obama2", "obama3", "biden"):
        shutil.copy(have[name], folder)
    return [str(have["obama"]), str(have["obama2"]), str(folder)]


def folder_per_person(have: Pictures, folder: Path) -> list[str]:
    """A folder with a folder per person, and an empty file in one."""
    for person, names in {"ana": ("obama", "obama2"), "ben": ("biden",)}.items():
        (folder / person).mkdir()
        for name in names:
            shutil.copy(have[name], folder / person)
    (folder / "ben" / "empty.jpg").touch()
    return [str(folder)]


def face_model(have: Pictures, folder: Path) -> list[str]:
    """The file of the morphable face, where it is at hand."""
    data = Path(os.environ.get("MIEN_TEST_DATA", EXAMPLES.parents[1] / "shared" / "data"))
    if not (data / "ict_face_model_light.npz").is_file():
        pytest.skip("the face model is absent")
    return [str(data / "ict_face_model_light.npz")]


def on_milvus(have: Pictures, folder: Path) -> list[str]:
    """The address of a gallery on milvus-lite, which answers from a thread of this process."""
    pytest.importorskip("milvus_lite", reason="milvus-lite is absent")
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    server, _, port = start_server_in_thread(data_dir=str(folder / "data"), host="127.0.0.1", port=0)
    SERVERS.append(server)
    return [f"milvus://127.0.0.1:{port}/people"]


def at_service(have: Pictures, folder: Path) -> list[str]:
    """The address of a service that answers from a thread of this process, an admin's key, and three portraits."""
    uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is absent")
    pytest.importorskip("boto3", reason="boto3 is absent")
    from mien.serve.app import build
    from mien.serve.settings import Settings

    app = build(Settings(data=folder / "service"))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    SERVERS.append(listening)
    key = app.state.service.keys.make("example", "admin", "default")
    portraits = [str(have[name]) for name in ("obama", "obama2", "biden")]
    return [f"http://127.0.0.1:{listening.getsockname()[1]}", key, *portraits]


# An example: its arguments, words it prints, words it must not print.
RUNS: Mapping[str, tuple[Callable[[Pictures, Path], list[str]], Sequence[str], Sequence[str]]] = {
    "migration.py": (
        named("obama", "obama2", "biden"),
        ["waiting: 1 person", "caught up: 3", "Safe as far", "new space: True ['ana', 'ben']", "again: True ['ana']"],
        ["False"],
    ),
    "audit_longitudinal.py": (named(), ["sd_between_days", "Scores of all people shifted at once about 20"], ["nan"]),
    "audit_attack.py": (named(), ["The worst species (mask", "max APCER", "BPCER20"], ["nan"]),
    "audit_fairness.py": (named(), ["site: FMR max/min", "differs between groups beyond chance"], ["nan", "inf"]),
    "audit_trust.py": (
        lambda have, folder: [str(folder)],
        ["bars: of 29 requirements", "not stated: ", "report.html"],
        ["nan"],
    ),
    "rekognition_client.py": (
        at_service,
        ["indexed obama left out: 0", "face: obama", "user: obama", "Ana and Ben: 0 matches, 1", "faces: [1, 1]"],
        ["face: biden", "user: biden"],
    ),
    "filters.py": (named(), ["20 of 300 people", "among them: person 40"], ["others: person 40"]),
    "cluster.py": (
        named("obama", "biden", "obama2", "obama3"),
        ["4 photos, 4 faces, 1 groups", "4 seen before", "enrolled: [('Ana', 3)]", "taken back: name 1 Ana"],
        ["biden.jpg"],
    ),
    "dedupe.py": (
        named(),
        ["one person twice? alias of p7 and p7", "another person? 0.jpg of p9; it resembles p33", "merged: 5 pictures"],
        ["nan"],
    ),
    "bulk.py": (
        folder_per_person,
        [
            "refused: ",
            "first: 3 new templates of 2 people, 1 failed",
            "again: 3 finished before, 0 looked at, 1 people",
        ],
        [],
    ),
    "anonymise.py": (
        named("obama2", "obama", "biden"),
        ["hidden: 1, marked pixelate, found again: 0", "obama.jpg: 1 left", "biden.jpg: 0 left as they are, 1 hidden"],
        [],
    ),
    "service.py": (
        lambda have, folder: [str(folder), *(str(have[name]) for name in ("obama", "obama2", "biden"))],
        ["enrolled: 2 refused: []", "reject None", "'consent': 'form 12'", "forgotten: 2 samples, people left: 0"],
        ["accept ana"],
    ),
    "video_job.py": (
        at_service,
        ["done {'seen': 2", "accept ana because score", "reject None because"],
        ["failed", "nan"],
    ),
    "ten_lines.py": (named("obama", "obama2", "biden", "obama3"), ["accept ana"], ["ben"]),
    "compat_face_recognition.py": (named("obama", "biden", "obama2"), ["obama at "], ["biden at ", "nobody"]),
    "audit_affect.py": (lambda have, folder: [str(folder)], ["UAR 0.", "of 20 people", "report.html"], ["nan"]),
    "milvus.py": (
        on_milvus,
        ["101 people, 102 templates", "again: 0 new", "nearest: ana 1.0 exact: True", "there: False"],
        [],
    ),
    "service_log.py": (
        named(),
        ["is an operator of default", "the log is whole", "is revoked", "Entry 2 is not what was written"],
        ["None"],
    ),
    "sealed.py": (named(), ["100 templates sealed", "sealed: p42", "nearest now: True", "new keys: True"], ["False"]),
    "compat_deepface.py": (pair_and_folder, ["same person", "obama2.jpg", "obama3.jpg"], ["not the same", "biden.jpg"]),
    "expressions.py": (named("obama", "biden"), ["obama.jpg at 0.0 s"], ["nan", "Traceback"]),
    "synthetic_faces.py": (face_model, ["synthetic: 6 clips", "The side is right in 6 of 6 clips."], ["nan"]),
    "growth.py": (named(), ["300 people", "3,000 people", "predicted", "3000 is the size", "mien calibrate"], ["nan"]),
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
