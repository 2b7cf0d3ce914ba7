"""Adaptation to a stream: what moves, what is guarded, and that the network given stays as it was."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from mien.learn.adapt import Adaptation, Adapted, entropy, fisher
from mien.learn.corruptions import CORRUPTIONS, corrupted
from mien.learn.nets.small import SmallNet


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return SmallNet(5, width=8, depths=(1, 1)).eval()


def frames(count: int = 8, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 1, 24, 24, generator=torch.Generator().manual_seed(seed))


def moved(adapted: Adapted) -> int:
    """How many weights differ from the trained ones."""
    pairs = zip(adapted.net.parameters(), adapted.source.parameters(), strict=True)
    return sum(int((one != other).sum()) for one, other in pairs)


def unsure(chances: torch.Tensor) -> float:
    """Mean entropy of probabilities, in nats."""
    return float(entropy(torch.log(chances.clamp_min(1e-12))).mean())


def test_fisher_information_is_the_mean_square_of_the_score(net: nn.Module) -> None:
    """Against the definition, frame by frame, on a network small enough to write out."""
    line = nn.Linear(3, 2)
    x = torch.randn(4, 3)
    expected = torch.zeros(2, 3)
    for one in x:
        p = torch.softmax(line(one), 0)
        answer = int(p.argmax())
        score = (torch.eye(2)[answer] - p.detach())[:, None] * one[None]
        expected += score**2 / len(x)
    assert torch.allclose(fisher(line, x)["weight"], expected, atol=1e-6)


def test_only_the_chosen_weights_move_and_no_more_than_allowed(net: nn.Module) -> None:
    before = copy.deepcopy(net.state_dict())
    adapted = Adapted(net, Adaptation(count=300, rate=0.01, trust=0.0))
    adapted.video()
    adapted.window(frames())
    assert 0 < adapted.touched <= 300
    assert 0 < moved(adapted) <= adapted.touched
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_answers_become_surer_and_calmer(net: nn.Module) -> None:
    x = frames()
    for how, without in (
        (Adaptation(agree=0.0, rate=1e-3, steps=3, trust=0.0), Adaptation("none")),
        (Adaptation("tent", agree=0.0, rate=1e-3, steps=3), Adaptation("statistics")),
    ):
        adapted = Adapted(net, how)
        adapted.video()
        assert unsure(adapted.window(x)) < unsure(Adapted(net, without).window(x)) - 1e-4
    calm = Adapted(net, Adaptation(agree=30.0, rate=0.01, steps=20, trust=0.0))
    calm.video()
    found, plain = calm.window(x), Adapted(net, Adaptation("none")).window(x)
    assert (found[1:] - found[:-1]).abs().mean() < (plain[1:] - plain[:-1]).abs().mean()


def test_a_new_video_starts_from_the_trained_weights(net: nn.Module) -> None:
    adapted = Adapted(net, Adaptation(rate=0.01, trust=0.0))
    adapted.video()
    first = adapted.window(frames())
    adapted.video()
    assert moved(adapted) == 0
    assert torch.equal(adapted.window(frames()), first)
    lasting = Adapted(net, Adaptation(rate=0.01, trust=0.0, reset=False))
    lasting.video()
    lasting.window(frames())
    lasting.video()
    assert moved(lasting) > 0


def test_sure_windows_are_left_alone(net: nn.Module) -> None:
    adapted = Adapted(net, Adaptation(rate=0.01, gate=1.01, trust=0.0))
    adapted.video()
    adapted.window(frames())
    assert moved(adapted) == 0


def test_a_network_that_contradicts_the_trained_one_is_dropped(net: nn.Module) -> None:
    wild = Adaptation(rate=0.01, trust=1.01)  # more agreement than there can be
    adapted = Adapted(net, wild)
    adapted.video()
    found = adapted.window(frames())
    assert moved(adapted) == 0
    assert torch.allclose(found, Adapted(net, Adaptation("none")).window(frames()))


def test_batch_statistics_undo_a_change_of_scale(net: nn.Module) -> None:
    line = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ).eval()
    plain = Adapted(line, Adaptation("statistics"))
    assert torch.allclose(plain.window(frames() * 7), plain.window(frames()), atol=1e-4)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruptions_grow_with_severity_and_repeat_by_seed(name: str) -> None:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:48, :48]
    pictures = np.stack([(128 + 100 * np.sin(x / 3 + p) * np.cos(y / 4)) for p in random.uniform(0, 6, 12)]).astype(
        np.uint8
    )
    distance = [
        float(np.abs(corrupted(pictures, name, severity, 3).astype(float) - pictures).mean()) for severity in (1, 2, 3)
    ]
    assert 0 < distance[0] < distance[1] < distance[2]
    assert (corrupted(pictures, name, 2, 3) == corrupted(pictures, name, 2, 3)).all()
