"""The recipe of the backbones: what it reads, how large the networks are, and that what is deployed is what was trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mien.errors import EvidenceError, UsageError
from mien.learn.data.example import Dataset, Example, Media
from mien.learn.presentations import LABELS, presentations
from mien.learn.recipes.spoof_backbones import NETS, SpoofBackbones, scaled, shape
from mien.media import write_image
from mien.types import Frame


def people(folder: Path, count: int = 3) -> Dataset:
    random = np.random.default_rng(0)
    examples = []
    for number in range(count):
        path = folder / f"{number}.png"
        write_image(Frame(random.integers(0, 255, (40, 40, 3), dtype=np.uint8)), path)
        examples.append(Example(path.name, Media(path), "train", subject=f"p{number}"))
    return Dataset("people", tuple(examples))


def test_photos_become_live_ones_and_attacks(tmp_path: Path) -> None:
    made = SpoofBackbones(media="print+replay", size=32).data(people(tmp_path), "train")
    assert made.tensors["pixels"].shape == (9, 32, 32, 1) and made.tensors["truth"].tolist() == [0, 1, 1] * 3
    assert made.subjects == ("p0",) * 3 + ("p1",) * 3 + ("p2",) * 3 and LABELS[0] == "live"
    with pytest.raises(EvidenceError, match="nothing in the split 'test'"):
        presentations(people(tmp_path), "test", ("print",), 32)


def test_labelled_data_are_taken_as_they_are(tmp_path: Path) -> None:
    recipe = SpoofBackbones()
    source = recipe.toy(tmp_path)
    made = recipe.data(source, "dev")
    assert made.tensors["pixels"].shape == (16, 64, 64, 1) and sorted(set(made.tensors["truth"].tolist())) == [0, 1]


@pytest.mark.parametrize(("net", "parameters"), list(zip(NETS, (0.69, 5.89, 0.69), strict=True)))
def test_networks_have_the_size_that_is_told_and_are_deployed_as_trained(net: str, parameters: float) -> None:
    torch.manual_seed(0)
    recipe = SpoofBackbones(net=net)
    built = recipe.build().eval()
    assert abs(sum(one.numel() for one in built.parameters()) / 1e6 - parameters) < 0.006
    pixels = torch.randint(0, 255, (4, 64, 64, 1), dtype=torch.uint8)
    found = recipe.deployed(built)(recipe.crops({"pixels": pixels}))
    x = scaled(pixels.permute(0, 3, 1, 2).float())
    wanted = torch.softmax((built(x) + built(x.flip(3))) / 2, 1)
    assert torch.allclose(found, wanted, atol=1e-4) and torch.allclose(found.sum(1), torch.ones(4))
    batch = {"pixels": pixels, "truth": torch.tensor([0, 1, 0, 1])}
    assert float(recipe.losses(built, batch, 0)["loss"].detach()) > 0


def test_the_rate_rises_and_falls() -> None:
    values = [shape(share / 100) for share in range(101)]
    assert max(values) == pytest.approx(1) and values.index(max(values)) == 5 and values[-1] < 1e-6
    assert values[:6] == sorted(values[:6]) and values[5:] == sorted(values[5:], reverse=True)


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(UsageError, match="no network 'vgg'"):
        SpoofBackbones(net="vgg").build()
    with pytest.raises(UsageError, match="no medium 'mask'"):
        _ = SpoofBackbones(media="print+mask").kinds


@pytest.mark.slow
@pytest.mark.parametrize("net", NETS)
def test_the_exported_graph_says_the_same_for_any_number_of_crops(net: str, tmp_path: Path) -> None:
    from mien.learn.export import crops, export

    torch.manual_seed(0)
    recipe = SpoofBackbones(net=net)
    built = recipe.build().to(memory_format=torch.channels_last).eval()
    difference = export(recipe.deployed(built).eval(), recipe.mouth, tmp_path / "net.onnx", crops(recipe.mouth, 5))
    assert difference < 5e-3  # weights are kept as float16
