"""The network of a face and its halves: shared weights, gates that gate, a loss that is what the published code computes."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from mien.errors import UsageError
from mien.learn.nets.cmnet import CmNet, QuadrantGate, TiledGate
from mien.learn.nets.small import SmallNet
from mien.learn.recipes.cmnet import Cmnet

X = torch.rand((2, 1, 48, 48), generator=torch.Generator().manual_seed(0))


def net(**how: bool) -> CmNet:
    torch.manual_seed(0)
    return CmNet(7, 8, (1, 1, 1), **how).eval()


def test_without_halves_and_gates_it_is_the_backbone() -> None:
    torch.manual_seed(0)
    backbone = SmallNet(7, 8, (1, 1, 1)).eval()
    assert torch.equal(backbone(X), net(halves=False, refined=False)(X))


def test_halves_cost_no_parameters_and_are_the_pictures_own() -> None:
    plain, halved = net(halves=False, refined=False), net(refined=False)
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in halved.parameters())
    _, left, right = halved.parts(X)
    wanted = halved.lower(X[..., :24]).mean((2, 3))
    assert torch.allclose(left, wanted, atol=1e-5) and not torch.allclose(left, right, atol=1e-3)
    changed = X.clone()
    changed[..., 24:] = 0
    _, again, other = halved.parts(changed)
    assert torch.allclose(left, again, atol=1e-5) and not torch.allclose(right, other, atol=1e-3)
    assert plain.parts(X)[1].shape == (2, 0)


def test_a_mirrored_half_is_not_the_other_half() -> None:
    """Halves are not mirrored, as published: a symmetric face still has two different halves."""
    symmetric = torch.cat([X[..., :24], X[..., :24].flip(3)], 3)
    _, left, right = net(refined=False).parts(symmetric)
    assert not torch.allclose(left, right, atol=1e-3)


def test_the_loss_is_the_published_codes() -> None:
    """Twice the variance over the halves of log-softmax over the halves, which is the mean squared difference."""
    left, right = torch.rand(5, 16), torch.rand(5, 16)
    both = torch.stack([left, right], 1)
    published = 2 * functional.log_softmax(both, 1).var(1, unbiased=True).mean()
    assert torch.allclose(published, functional.mse_loss(left, right), atol=1e-6)


def test_gates_weigh_by_quarter_and_by_place() -> None:
    x = torch.rand(2, 8, 6, 6)
    torch.manual_seed(0)
    quadrants, tiles = QuadrantGate(8), TiledGate()
    for gate in (quadrants, tiles):
        found = gate(x)
        share = found / x
        assert found.shape == x.shape and bool(((share > 0) & (share < 1)).all())
    assert torch.allclose(quadrants(x) / x, (quadrants(x) / x)[:, :, :1, :1].expand_as(x), atol=1e-5), "one per channel"
    assert torch.allclose(tiles(x) / x, (tiles(x) / x)[:, :1].expand_as(x), atol=1e-5), "one per place"
    turned = torch.cat([x[..., 3:, :], x[..., :3, :]], 2)  # quarters change places: the channel's mean stays
    assert not torch.allclose((quadrants(x) / x)[..., 0, 0], (quadrants(turned) / turned)[..., 0, 0], atol=1e-6)


def test_sides_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(UsageError, match="multiple of 16"):
        net()(torch.rand(1, 1, 40, 40))


def test_alignment_is_weighed_and_can_be_left_out() -> None:
    batch = {"pixels": (X.permute(0, 2, 3, 1) * 255).to(torch.uint8), "truth": torch.tensor([0, 1])}
    small = {"width": 8, "depths": (1, 1, 1), "varied": False}
    for align, names in ((0.1, {"loss", "halves"}), (0.0, {"loss"})):
        recipe = Cmnet(align=align, **small)  # type: ignore[arg-type]
        assert set(recipe.losses(net(), batch, 0)) == names
    weak, strong = (Cmnet(align=a, **small).losses(net(), batch, 0)["halves"] for a in (0.1, 0.4))  # type: ignore[arg-type]
    assert torch.allclose(4 * weak, strong, rtol=1e-4)
