"""Real photographs for a first try: official portraits (works of the US government, public domain).

They travel inside the source distribution of the Python package `face_recognition` 1.3.0, among its tests. pip brings
that archive and checks its SHA-256; nothing of it is installed, only the listed pictures are taken out, each checked.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from mien.errors import MediaNotFound

PACKAGE = "face_recognition==1.3.0"
ARCHIVE = "5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec"  # SHA-256 of the source distribution
FOLDER = "face_recognition-1.3.0/tests/test_images/"
SECONDS = 120  # patience with the package index
PORTRAITS = {  # SHA-256 of each picture
    "biden": "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
    "obama": "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
    "obama2": "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
    "obama3": "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
    "obama_partial_face": "c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117",
    "obama_partial_face2": "9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028",
}


def portraits(cache: Path) -> dict[str, Path]:
    """Name -> path of each portrait, kept under `cache` after the first call.

    Raises MediaNotFound when they are not there yet and cannot be fetched."""
    folder = Path(cache) / "portraits"
    wanted = {name: folder / f"{name}.jpg" for name in PORTRAITS}
    if all(path.is_file() and _intact(path.read_bytes(), name) for name, path in wanted.items()):
        return wanted
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            _extract(_download(Path(scratch)), wanted)
    except OSError as error:
        raise _absent(f"{folder} cannot be written ({error.strerror})") from error
    return wanted


def _intact(content: bytes, name: str) -> bool:
    return hashlib.sha256(content).hexdigest() == PORTRAITS[name]


def _download(scratch: Path) -> Path:
    """The source archive, brought by pip from whatever index the user has configured."""
    wish = scratch / "wish.txt"
    wish.write_text(f"{PACKAGE} --hash=sha256:{ARCHIVE}\n", encoding="utf8")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "15"]
    # The hash makes pip refuse any other archive before it looks inside.
    options = ["download", "--no-deps", "--no-binary", ":all:", "--require-hashes", "-r", str(wish), "-d", str(scratch)]
    try:
        subprocess.run([*pip, *options], check=True, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        raise _absent("pip could not fetch them from the package index") from error
    archives = sorted(scratch.glob("*.tar.gz"))
    if not archives:
        raise _absent("pip brought no source archive")
    return archives[0]


def _extract(archive: Path, wanted: dict[str, Path]) -> None:
    """Take out exactly the pictures we know, by name and digest; nothing else of the archive touches the disk."""
    with tarfile.open(archive) as tar:
        for name, path in wanted.items():
            inside = f"{FOLDER}{name}.jpg"
            member = tar.extractfile(inside) if inside in tar.getnames() else None
            content = member.read() if member else b""
            if not _intact(content, name):
                raise _absent(f"{name}.jpg in {archive.name} is not the picture expected")
            part = path.with_suffix(f".{os.getpid()}.part")
            part.write_bytes(content)
            part.replace(path)


def _absent(why: str) -> MediaNotFound:
    return MediaNotFound(
        f"The demo's portraits (inside the source package {PACKAGE}) are not on this machine: {why}.",
        "Go online once, or use your own photos: mien demo --data DIR.",
    )
