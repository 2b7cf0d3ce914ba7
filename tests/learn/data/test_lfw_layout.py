"""Photos in a folder per person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.errors import InputError
from mien.learn.data.layouts import lfw
from mien.learn.splits import with_dev
from mien.media import write_image
from mien.types import Frame


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(Frame(np.full((8, 8, 3), 90, np.uint8)), path)


def test_people_are_subjects_and_nothing_is_labelled(tmp_path: Path) -> None:
    for person in ("Ada_B", "Bo_C", "Cy_D", "Di_E", "Ed_F", "Flo_G", "Gus_H"):
        for number in (1, 2):
            put(tmp_path / "lfw" / person / f"{person}_{number:04}.jpg")
    put(tmp_path / "lfw" / "Ada_B" / "holiday.jpg")
    assert lfw.fits(tmp_path) and lfw.fits(tmp_path / "lfw")
    found = lfw.read(tmp_path)
    assert len(found) == 14 and {one.subject for one in found.examples} >= {"Ada_B", "Gus_H"}
    assert all(one.label is None and one.split == "" for one in found.examples) and found.labels == ()
    assert [(one.kind, one.number) for one in found.problems] == [("odd_name", 1)]
    cut = with_dev(found, 1)
    sides = {split: {one.subject for one in cut.of(split).examples} for split in ("train", "dev", "test")}
    assert all(sides.values()) and sum(map(len, sides.values())) == 7


def test_other_folders_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "Ada" / "1.jpg")
    assert not lfw.fits(tmp_path)
    with pytest.raises(InputError, match="lfw"):
        lfw.read(tmp_path)
