"""Every kernel that runs here answers alike, to the last bit, and without any the numpy one does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mien.errors import UsageError
from mien.gallery.scan import Candidates, candidates, candidates_many, encode, kernel
from mien.gallery.scan.codes import native
from mien.gallery.scan.search import KERNELS

from .oracle import galleries, unit

ROOT = Path(__file__).parents[3]


def told(found: Candidates) -> tuple[list[int], float, list[float]]:
    assert found.tops is not None
    return found.rows.tolist(), found.threshold, found.tops.tolist()


def test_all_kernels_answer_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for rng, rows, codes, _ in galleries(7, 60, most=1500):
        probes = unit(
            rows[rng.integers(0, len(rows), 10)] * rng.random((10, 1)) + 0.1 * rng.normal(size=(10, rows.shape[1]))
        )
        m, cut = int(rng.integers(1, 30)), int(rng.integers(0, len(rows) + 1))
        floor = None if rng.random() < 0.5 else float(rng.normal() * 0.3)
        allowed = None if rng.random() < 0.5 else (rng.random(len(rows)) < rng.random() ** 3).astype(np.uint8)
        answers = []
        for name in KERNELS:
            monkeypatch.setenv("MIEN_SCAN", name)
            together = candidates_many([codes[:cut], codes[cut:]], probes, m, floor, allowed)
            single = [candidates(codes, probe, m, floor, allowed) for probe in probes]
            answers += [[told(found) for found in form] for form in (together, single)]
        assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("dimension", [1041, 2048])
def test_long_rows_too(dimension: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond 1,040 dimensions float32 sums of whole numbers are not exact any more, and numpy must notice."""
    rows = np.ones((40, dimension), np.float32) / np.float32(np.sqrt(dimension))
    rows[1:] += unit(np.random.default_rng(8).normal(size=(39, dimension))) * np.float32(0.1)
    rows = unit(rows)
    answers = []
    for name in KERNELS:
        monkeypatch.setenv("MIEN_SCAN", name)
        answers.append([told(found) for found in candidates_many(encode(rows), rows[:9], 4)])
    assert all(answer == answers[0] for answer in answers)


def test_batches_of_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = unit(np.random.default_rng(9).normal(size=(1111, 96)))
    codes = encode(rows)
    for name in KERNELS:
        monkeypatch.setenv("MIEN_SCAN", name)
        for count in (1, 2, 7, 8, 9, 17):
            for probe, found in zip(rows[:count], candidates_many(codes, rows[:count], 3), strict=True):
                alone = candidates(codes, probe, 3)
                assert found[0].tolist() == alone[0].tolist()
                assert found[1] == alone[1]


def test_a_kernel_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIEN_SCAN", raising=False)
    assert kernel() == KERNELS[0]
    monkeypatch.setenv("MIEN_SCAN", "abacus")
    with pytest.raises(UsageError, match=r"'abacus'.*\n?.*numpy"):
        kernel()


def test_the_compiled_scan_reads_nothing_out_of_bounds() -> None:
    if native is None:
        pytest.skip("the compiled scan was not built")
    rows = unit(np.random.default_rng(10).normal(size=(5, 128)))
    parts = encode(rows).parts
    name = KERNELS[0]
    good = (name, (parts,), rows, 128, 64, 3, -np.inf, None)
    assert len(native.scan(*good)) == 5
    for place, bad in [
        (0, "abacus"),
        (1, ((parts[0][:4], *parts[1:]),)),
        (1, ((*parts[:4], parts[4][:4]),)),
        (1, (parts[:4],)),
        (2, rows[:, :100].copy()),
        (3, 129),
        (3, 0),
        (4, 128),
        (4, 63),
        (5, 0),
        (7, np.ones(4, np.uint8)),
    ]:
        with pytest.raises((ValueError, TypeError)):
            native.scan(*good[:place], bad, *good[place + 1 :])
    with pytest.raises((ValueError, BufferError)):
        native.scan(name, ((parts[0][:, ::2], *parts[1:]),), rows, 128, 64, 3, -np.inf, None)
    with pytest.raises((ValueError, TypeError, BufferError)):
        native.encode(rows, 128, 64, (b"", *parts[1:]))
    with pytest.raises(ValueError, match="fit"):
        native.encode(rows[:3], 128, 64, parts)


def test_without_the_extension_numpy_does_it() -> None:
    code = (
        "import sys; sys.modules['mien.gallery.scan._native'] = None\n"
        "import numpy as np\n"
        "from mien.gallery.scan import candidates, encode, kernel\n"
        "rows = np.eye(5, 130, dtype=np.float32)\n"
        "print(kernel(), candidates(encode(rows), rows[3], 1)[0].tolist())\n"
    )
    here = {name: value for name, value in os.environ.items() if name != "MIEN_SCAN"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=here)
    assert done.stdout.split() == ["numpy", "[3]"]


def test_no_compiler_is_no_failure(tmp_path: Path) -> None:
    """What an install runs goes on without the extension, and says so."""
    shutil.copy(ROOT / "setup.py", tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "part"\nversion = "0"\n', "utf8")
    source = Path("src/mien/gallery/scan/native")
    shutil.copytree(ROOT / source, tmp_path / source)
    command = [sys.executable, "-W", "ignore", "setup.py", "build_ext", "--inplace"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "CC": "/bin/false"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "_native" in done.stderr
    assert not list(tmp_path.rglob("*.so"))
