"""Residual networks against the published counts of parameters and multiply-adds."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from mien.learn.nets.resnet import ResNet, resnet18, resnet50  # noqa: E402


def parameters(net: object) -> int:
    return sum(part.numel() for part in net.parameters())  # type: ignore[attr-defined]


def multiply_adds(net: ResNet, side: int) -> int:
    """Of the convolutions and the classifier, for one picture."""
    counted = 0

    def count(part: object, given: object, out: object) -> None:
        nonlocal counted
        counted += part.weight[0].numel() * out.numel()  # type: ignore[attr-defined]

    hooks = [
        part.register_forward_hook(count)
        for part in net.modules()
        if isinstance(part, (torch.nn.Conv2d, torch.nn.Linear))
    ]
    with torch.inference_mode():
        net.eval()(torch.zeros(1, 3, side, side))
    for hook in hooks:
        hook.remove()
    return counted


@pytest.mark.parametrize(("make", "published"), [(resnet18, 11_689_512), (resnet50, 25_557_032)])
def test_as_many_parameters_as_published(make: object, published: int) -> None:
    assert parameters(make(1000)) == published  # type: ignore[operator]


@pytest.mark.parametrize(("make", "published"), [(resnet18, 1.8e9), (resnet50, 4.1e9)])
def test_as_many_multiply_adds_as_published(make: object, published: float) -> None:
    """1.8 G in table 1 of He et al. 2016; 4.1 G with the stride in the 3x3 convolution (3.8 G without)."""
    assert multiply_adds(make(1000), 224) == pytest.approx(published, rel=0.03)  # type: ignore[operator]


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize("small", [True, False])
def test_any_size_and_width_gives_logits_and_gradients(depth: int, small: bool) -> None:
    net = ResNet(depth, 7, width=8, channels=1, small=small, drop=0.1)
    for side in (40, 48):
        logits = net(torch.rand(3, 1, side, side))
        assert logits.shape == (3, 7)
        assert net.features(torch.rand(2, 1, side, side)).shape == (2, net.length)
    logits.logsumexp(1).sum().backward()
    assert all(part.grad is not None for part in net.parameters())


def test_the_small_stem_keeps_the_size_that_the_usual_one_quarters() -> None:
    sides = [ResNet(18, 7, width=8, small=small).body(torch.rand(1, 3, 48, 48)).shape[-1] for small in (True, False)]
    assert sides == [6, 2]


def test_a_block_starts_as_its_shortcut() -> None:
    net = ResNet(18, 7, width=8, small=True).eval()
    block = net.body[3]
    x = torch.rand(2, 8, 12, 12)
    assert torch.equal(block(x), x)


def test_another_depth_is_refused() -> None:
    with pytest.raises(KeyError):
        ResNet(34, 7)
