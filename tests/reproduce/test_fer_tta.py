"""Streams of fer_tta: the same frames in both orders, and sums that are what they are called."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mien.audit.metrics import affect
from mien.learn.adapt import Adaptation
from mien.reproduce.claim import Context
from mien.reproduce.fer_tta import SHIFTS, TUNING, run
from mien.reproduce.fer_tta_streams import LENGTH, SIDE, Stream, answers, f1, gain, harm, spoilt, streams, tables


def world(classes: int = 3, each: int = 80) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(classes), each)
    return random.integers(0, 256, (len(truth), 48, 48), np.uint8), truth


def test_both_orders_show_the_same_frames() -> None:
    found = streams(*world(), 2, 0)
    sums = [sorted(found[order].pixels.sum((1, 2)).tolist()) for order in ("ordered", "shuffled")]
    assert sums[0] == sums[1] and len(sums[0]) == 3 * 2 * LENGTH
    ordered = found["ordered"].truth.reshape(-1, LENGTH)
    assert (ordered == ordered[:, :1]).all()
    assert not (found["shuffled"].truth.reshape(-1, LENGTH) == found["shuffled"].truth[0]).all()


def test_shifts_that_are_judged_were_not_tuned_on() -> None:
    assert not set(SHIFTS) & set(TUNING)


def test_gains_and_harm_against_sums_by_hand() -> None:
    truth = np.repeat([0, 1], LENGTH)
    stream = Stream(np.zeros((2 * LENGTH, 48, 48), np.uint8), truth)
    right, half = truth.copy(), truth.copy()
    half[LENGTH:] = 0
    base, better = tables([half], [stream], 2), tables([right], [stream], 2)
    assert f1(better).value == 1 and f1(base).value == pytest.approx((2 / 3 + 0) / 2)
    assert gain(better, base).value == pytest.approx(1 - 1 / 3)
    assert gain(base, base).value == gain(base, base).high == 0
    share, worst = harm(base, better)
    assert share.value == 0.5 and worst == -1
    assert affect.counts(truth, half, 2).sum() == tables([half, half], [stream, stream], 2).sum() / 2


def test_clean_streams_stay_as_they_are_and_answers_come_in_order() -> None:
    pixels, truth = world(2)
    stream = streams(pixels, truth, 1, 0)["ordered"]
    assert spoilt(stream, "clean", 2, 0) is stream
    assert (spoilt(stream, "noise", 2, 0).pixels != stream.pixels).any()
    net = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 2))
    found, each, touched = answers(net, Adaptation("none"), stream)
    small = torch.nn.functional.interpolate(torch.from_numpy(stream.pixels)[:, None].float(), SIDE, mode="area")
    from mien.learn.nets.small import standardised

    assert (found == net(standardised(small)).argmax(1).numpy()).all()
    assert each > 0 and touched == 0


@pytest.mark.slow
def test_the_whole_runs(data) -> None:  # type: ignore[no-untyped-def]
    found = run(Context(data, smoke=True))
    assert found.verdict in ("partly", "not reproduced", "reproduced")
    assert found.metrics and found.report.tables["Methods"]
