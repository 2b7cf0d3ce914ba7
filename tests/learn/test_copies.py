"""Copies of rare pictures, and random changes: after the split only, repeatable, and what they say they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mien.errors import UsageError
from mien.learn.data.example import Dataset
from mien.learn.offline import topped_up, with_copies
from mien.learn.randaugment import CHANGES, TONES, WARPS, changed, randaugment
from mien.learn.recipe import Arrays
from mien.learn.recipes.emotion_cnn import EmotionCnn


def pool(counts: tuple[int, ...] = (9, 6, 2, 0), size: int = 16) -> Arrays:
    truth = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    pixels = torch.randint(
        0, 255, (len(truth), size, size, 1), generator=torch.Generator().manual_seed(3), dtype=torch.uint8
    )
    names = [f"n{row}" for row in range(len(truth))]
    return Arrays({"pixels": pixels}, truth, [f"s{row}" for row in range(len(truth))], names)


def face(count: int, size: int = 24) -> Tensor:
    return 40 + torch.rand((count, 1, size, size), generator=torch.Generator().manual_seed(1)) * 160


def test_rare_classes_reach_the_median_and_nothing_else_changes() -> None:
    data = pool()
    found, origin = with_copies(data, 4)
    assert torch.bincount(found.tensors["truth"], minlength=4).tolist() == [9, 6, 6, 0]  # median of 9, 6, 2
    assert torch.equal(found.tensors["pixels"][: len(data)], data.tensors["pixels"])
    assert torch.equal(found.tensors["truth"], data.tensors["truth"][origin])
    copies = found.tensors["pixels"][len(data) :]
    assert sorted(origin[len(data) :].tolist()) == [15, 15, 16, 16], "copies go round the pictures of the class"
    assert not any(
        torch.equal(copy, data.tensors["pixels"][row]) for copy, row in zip(copies, origin[len(data) :], strict=True)
    )
    assert found.subjects[-1] == data.subjects[origin[-1]] and len(set(found.names)) == len(found)


def test_copies_repeat_and_leave_torchs_generator_alone() -> None:
    before = torch.get_rng_state()
    one, other, third = (with_copies(pool(), 4, seed)[0].tensors["pixels"] for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one, other) and not torch.equal(one, third)


@pytest.mark.parametrize("split", ["", "dev", "test"])
def test_copies_are_refused_but_in_the_training_split(split: str) -> None:
    with pytest.raises(UsageError, match="Split first"):
        topped_up(pool(), split, 4)  # type: ignore[arg-type]


def test_the_recipe_tops_up_training_alone_and_refuses_unsplit_data(tmp_path: Path) -> None:
    recipe = EmotionCnn()
    toy = recipe.toy(tmp_path)
    lost = [one for one in toy.examples if one.label == "disgust" and one.split == "train"][1:]
    source = Dataset(toy.layout, tuple(one for one in toy.examples if one not in lost), toy.labels)
    train, dev = recipe.data(source, "train"), recipe.data(source, "dev")
    assert torch.bincount(train.tensors["truth"]).tolist() == [8] * 7
    assert not any("copy" in name for name in dev.names) and sum("copy" in name for name in train.names) == 7
    with pytest.raises(UsageError, match="not split yet"):
        from dataclasses import replace

        recipe.data(replace(source, examples=tuple(replace(one, split="") for one in source.examples)), "")


def test_weights_draw_classes_alike() -> None:
    found = EmotionCnn().weights(pool((9, 6, 2, 1, 1, 1, 1)))
    assert found is not None
    truth = pool((9, 6, 2, 1, 1, 1, 1)).tensors["truth"]
    sums = [float(found[truth == number].sum()) for number in range(7)]
    assert sums == pytest.approx([1.0] * 7)
    assert EmotionCnn(balanced=False).weights(pool()) is None


def test_no_strength_is_no_warp_and_every_change_changes() -> None:
    x = face(len(CHANGES))
    which = torch.arange(len(CHANGES))
    still = changed(x, which, torch.zeros(len(x)))
    for number, name in enumerate(CHANGES):
        if name in ("nothing", *WARPS, "contrast", "brightness", "sharpness"):
            assert torch.allclose(still[number], x[number], atol=1e-2), name
    found = changed(x, which, torch.full((len(x),), 0.6))
    assert torch.equal(found[0], x[0])
    assert all(float((found[number] - x[number]).abs().max()) > 1 for number in range(1, len(CHANGES)))
    assert float(found.min()) >= 0 and float(found.max()) <= 255 and x.equal(face(len(CHANGES)))


def test_tones_by_hand() -> None:
    x = torch.tensor([10.0, 100.0, 200.0]).reshape(1, 1, 1, 3).expand(1, 1, 3, 3).contiguous()

    def tone(name: str, amount: float) -> list[float]:
        which = torch.tensor([1 + len(WARPS) + TONES.index(name)])
        found: list[float] = changed(x, which, torch.tensor([amount]))[0, 0, 1].tolist()
        return found

    assert tone("solarise", 0.5) == [10.0, 100.0, 55.0]
    assert tone("posterise", 0.8) == [0.0, 96.0, 192.0]  # 3 bits are left
    assert tone("stretch", 0.1) == pytest.approx([0, 90 * 255 / 190, 255])
    assert tone("brightness", -1.0) == pytest.approx([1, 10, 20], abs=1e-3)


def test_a_move_to_the_right_looks_further_right() -> None:
    x = torch.zeros(1, 1, 10, 10)
    x[..., 6] = 200.0
    which = torch.tensor([CHANGES.index("move x")])
    found = changed(x, which, torch.tensor([2 / 3]))  # 0.6 * 2 / 3 of half the width: 2 px
    assert found[0, 0, 5].argmax() == 4


def test_each_picture_draws_its_own_changes() -> None:
    x = face(1).expand(32, 1, 24, 24)
    torch.manual_seed(0)
    one = randaugment(x)
    torch.manual_seed(0)
    assert torch.equal(one, randaugment(x)) and one.shape == x.shape
    assert len({tuple(picture.flatten().tolist()) for picture in one}) > 25
