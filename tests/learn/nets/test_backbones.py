"""MobileNetV2 and ViT: published parameter counts, shapes, and that they learn."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mien.errors import UsageError
from mien.learn.nets.mobilenet import MobileNetV2, eights
from mien.learn.nets.vit import ViT, vit_b16, vit_tiny


def count(net: nn.Module) -> int:
    return sum(one.numel() for one in net.parameters())


@pytest.mark.parametrize(("make", "published"), [(MobileNetV2, 3_504_872), (vit_b16, 86_567_656)])
def test_they_have_the_published_number_of_parameters(make: type, published: int) -> None:
    """3.50 M (Sandler et al. 2018) and 86.57 M (Dosovitskiy et al. 2021, fine-tuned form), as every library counts them."""
    with torch.device("meta"):
        assert count(make(1000)) == published


def test_widths_are_multiples_of_eight() -> None:
    assert [eights(channels) for channels in (1, 16 * 0.35, 24 * 0.5, 32 * 0.75, 96 * 1.4)] == [8, 8, 16, 24, 136]


@pytest.mark.parametrize(
    "net",
    [
        MobileNetV2(2, 0.35),
        MobileNetV2(2, 0.35, channels=1, small=True),
        vit_tiny(2, 32),
        vit_tiny(2, 32, 4, channels=1),
    ],
)
def test_pictures_to_logits(net: nn.Module) -> None:
    channels = next(net.parameters()).shape[1] if isinstance(net, MobileNetV2) else net.cut.in_channels  # type: ignore[union-attr]
    x = torch.randn(3, int(channels), 32, 32)
    net.eval()
    logits = net(x)
    assert logits.shape == (3, 2) and net.features(x).shape == (3, net.length)  # type: ignore[operator]
    assert torch.allclose(net(x[1:2]), logits[1:2], atol=1e-4)  # pictures do not see each other


@pytest.mark.parametrize("make", [lambda: MobileNetV2(2, 0.35, drop=0.0), lambda: vit_tiny(2, 32)])
def test_they_learn_a_tiny_task(make) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    net = make()
    truth = torch.arange(16) % 2
    x = torch.randn(16, 3, 32, 32) + truth[:, None, None, None] * 0.7
    optimiser = torch.optim.AdamW(net.parameters(), 1e-3)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(net(x), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 < losses[0]


def test_the_order_of_patches_matters() -> None:
    net = vit_tiny(2, 16).eval()
    with torch.no_grad():
        net.place.mul_(20)
    x = torch.randn(1, 3, 16, 16)
    assert not torch.allclose(net(x), net(x.roll(8, 3)), atol=1e-5)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="tile"):
        ViT(2, 30, 8, (96, 6, 3))
    with pytest.raises(UsageError, match="heads"):
        ViT(2, 32, 8, (96, 6, 5))
