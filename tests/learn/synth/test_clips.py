"""Clips in memory: what recipes learn from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.errors import UsageError
from mien.learn.synth.clips import Clips, More, clips
from mien.learn.synth.produce import Maker
from mien.learn.synth.program import load_program
from mien.learn.synth.timeline import ramp


def same(one: Clips, other: Clips) -> bool:
    arrays = ("pixels", "truth", "written", "soft", "units", "pulse", "spans")
    words = ("labels", "unit_names", "subjects", "names", "groups")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays) and all(
        getattr(one, name) == getattr(other, name) for name in words
    )


def test_shapes_and_labels(stub: Maker) -> None:
    made = clips("basic", subjects=3, frames=8, size=24, more=More(make=stub, groups={"skin": 3}))
    assert made.pixels.shape == (21, 8, 24, 24, 3) and made.pixels.dtype == np.uint8
    assert made.labels == ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
    assert np.bincount(made.truth).tolist() == [3] * 7
    assert (made.soft.argmax(1) == made.truth).all() and not made.noisy.any()
    assert sorted(set(made.subjects)) == ["s0001", "s0002", "s0003"]
    assert {group["skin"] for group in made.groups} == {
        made.groups[0]["skin"],
        *(one["skin"] for one in made.groups[7:]),
    }
    assert ((made.spans == -1).all(1) == (made.truth == 0)).all()


def test_units_are_the_closed_form_at_the_frames_times(stub: Maker) -> None:
    program = load_program("unilateral")
    made = clips(program, subjects=1, frames=30, size=16, more=More(make=stub))
    left = made.unit_names.index("AU12")
    onset, apex, offset = made.spans[0]
    curve = made.units[0, :, left, 0]
    assert made.units[0, :, left, 1].max() == 0  # the right side rests
    assert curve[:onset].max(initial=0) < 0.03 and curve[offset + 1 :].max(initial=0) == 0
    middle = (onset + apex) / 2
    assert curve[int(middle)] == pytest.approx(curve.max() * ramp((int(middle) - onset) / (apex - onset)), abs=0.12)


def test_blends_have_two_shares(stub: Maker) -> None:
    made = clips("ambiguous", subjects=10, frames=4, size=16, more=More(make=stub))
    assert np.allclose(made.soft.sum(1), 1)
    assert ((made.soft > 0).sum(1) == 2).all()
    low = np.sort(made.soft, axis=1)[:, -2]
    assert low.min() >= 0.2 - 1e-6 and low.max() <= 0.5 and low.std() > 0.05


def test_label_noise_is_flagged(stub: Maker) -> None:
    program = replace(load_program("basic"), label_noise=0.4)
    made = clips(program, subjects=15, frames=1, size=16, more=More(make=stub))
    assert made.noisy.mean() == pytest.approx(0.4, abs=0.13)
    assert (made.soft.argmax(1) == made.truth).all()


def test_workers_and_the_cache_change_nothing(stub: Maker, tmp_path: Path) -> None:
    plain = clips("basic", subjects=2, frames=3, size=16, more=More(make=stub))
    kept = More(make=stub, threads=2, cache=tmp_path)
    assert same(plain, clips("basic", subjects=2, frames=3, size=16, more=kept))
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns
    assert same(plain, clips("basic", subjects=2, frames=3, size=16, more=kept))
    assert file.stat().st_mtime_ns == before
    assert not same(plain, clips("basic", subjects=2, frames=3, size=16, seed=1, more=kept))
    assert len(list(tmp_path.iterdir())) == 2
    file.write_bytes(file.read_bytes()[:1000])  # damaged: made again
    assert same(plain, clips("basic", subjects=2, frames=3, size=16, more=kept))


def test_nothing_is_refused(stub: Maker) -> None:
    with pytest.raises(UsageError, match="at least 1 subject"):
        clips("basic", subjects=0, more=More(make=stub))
