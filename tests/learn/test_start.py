"""A run that begins from the weights of another: it really does, says so, goes on as itself, and refuses what does not fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from mien import models
from mien.errors import UsageError
from mien.learn import runs
from mien.learn.data.example import Dataset
from mien.learn.fit import BEST, LAST, Settings, fit
from mien.learn.nets.deployed import GreyPictures
from mien.learn.recipe import Arrays, Batch, Mouth, Recipe
from mien.learn.run import learn
from mien.learn.stills import stills
from mien.learn.toy import pictures

LABELS = ("left", "right", "up")


@dataclass(frozen=True, kw_only=True)
class Spots(Recipe):
    """Which way a bright spot lies."""

    name = "spots"
    task = "spot"
    about = "Where a bright spot lies."
    epochs: int = 2
    batch: int = 12
    rate: float = 0.01
    width: int = 5

    @property
    def labels(self) -> tuple[str, ...]:
        return LABELS

    @property
    def mouth(self) -> Mouth:
        return Mouth((24, 24))

    def data(self, source: Dataset, split: str) -> Arrays:
        return stills(source, split, LABELS, 24)  # type: ignore[arg-type]

    def build(self) -> nn.Module:
        return nn.Sequential(
            nn.AvgPool2d(4), nn.Flatten(), nn.Linear(36, self.width), nn.ReLU(), nn.Linear(self.width, 3)
        )

    def optimisers(self, net: nn.Module, steps: int) -> list[tuple[torch.optim.Optimizer, None]]:
        return [(torch.optim.SGD(net.parameters(), self.rate), None)]

    def losses(self, net: nn.Module, batch: Batch, turn: int) -> dict[str, torch.Tensor]:
        x = batch["pixels"].permute(0, 3, 1, 2).float() / 255
        return {"loss": functional.cross_entropy(net(x + 0.1 * torch.randn_like(x)), batch["truth"])}

    def deployed(self, net: nn.Module) -> nn.Module:
        return GreyPictures(net, mirrored=False)


class Other(Spots):
    """The same network under another name."""

    name = "others"


@pytest.fixture
def toy(tmp_path: Path) -> Dataset:
    return pictures(tmp_path / "toy", LABELS, each=8, size=24)


@pytest.fixture
def before(toy: Dataset, tmp_path: Path) -> Path:
    """A finished run with seed 7."""
    learn(Spots(), toy, tmp_path / "before", Settings(seed=7, precision="32"))
    return tmp_path / "before"


def parts(recipe: Recipe, source: Dataset) -> dict[str, Arrays]:
    return {"train": recipe.data(source, "train"), "dev": recipe.data(source, "dev")}


def best(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / BEST, weights_only=True)["net"]  # type: ignore[no-any-return]


def test_the_weights_are_those_of_the_run_before(toy: Dataset, before: Path, tmp_path: Path) -> None:
    """Nothing is learnt at a rate of 0, so what comes out is what it began with."""
    still = Spots(rate=0.0)
    given = fit(
        still, parts(still, toy), tmp_path / "on", Settings(seed=1, precision="32", start=before)
    ).net.state_dict()
    fresh = fit(still, parts(still, toy), tmp_path / "new", Settings(seed=1, precision="32")).net.state_dict()
    kept = best(before)
    assert given.keys() == kept.keys()
    assert all(torch.equal(given[name], kept[name]) for name in kept)
    assert not any(torch.equal(given[name], fresh[name]) for name in kept)


def test_it_goes_on_from_its_own_checkpoint_and_not_from_the_start_again(
    toy: Dataset, before: Path, tmp_path: Path
) -> None:
    how = Spots(epochs=4)
    settings = Settings(precision="32", start=before)
    learn(how, toy, tmp_path / "whole", settings)
    assert not learn(how, toy, tmp_path / "halved", replace(settings, stop_after=2)).trained.whole
    assert learn(how, toy, tmp_path / "halved", settings).trained.whole
    one, other = (torch.load(tmp_path / name / LAST, weights_only=True)["state_dict"] for name in ("whole", "halved"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    (before / BEST).unlink()
    with pytest.raises(UsageError, match="holds no weights"):
        learn(how, toy, tmp_path / "third", settings)


def test_the_same_folder_without_the_start_is_another_run(toy: Dataset, before: Path, tmp_path: Path) -> None:
    how = Spots(epochs=4)
    learn(how, toy, tmp_path / "run", Settings(start=before, stop_after=1))
    with pytest.raises(UsageError, match="other start"):
        learn(how, toy, tmp_path / "run", Settings())
    learn(how, toy, tmp_path / "plain", Settings(stop_after=1))
    with pytest.raises(UsageError, match="other start"):
        learn(how, toy, tmp_path / "plain", Settings(start=before))


def test_what_does_not_fit_is_refused(toy: Dataset, before: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not the folder of a run of others"):
        learn(Other(), toy, tmp_path / "a", Settings(start=before))
    with pytest.raises(UsageError, match="of another network") as told:
        learn(Spots(width=6), toy, tmp_path / "b", Settings(start=before))
    assert "--set" in told.value.remedy
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", tmp_path / "absent"):
        with pytest.raises(UsageError, match="not the folder of a run of spots"):
            learn(Spots(), toy, tmp_path / "c", Settings(start=nothing))
    learn(Spots(), toy, tmp_path / "unbegun", Settings(stop_after=1))
    (tmp_path / "unbegun" / BEST).unlink()
    with pytest.raises(UsageError, match="holds no weights"):
        learn(Spots(), toy, tmp_path / "d", Settings(start=tmp_path / "unbegun"))


def test_the_card_and_the_record_say_where_it_began(toy: Dataset, before: Path, tmp_path: Path) -> None:
    learnt = learn(Spots(epochs=1, rate=0.02), toy, tmp_path / "run", Settings(seed=3, start=before))
    assert learnt.card is not None
    training = models.card(learnt.card).training
    assert "It began from the weights of a run of 2 epochs with seed 7" in training and "seed 3, 1 epochs" in training
    start = (runs.record(tmp_path / "run") or {})["asked"]["start"]
    assert start["recipe"] == "spots" and start["seed"] == 7 and start["settings"]["epochs"] == 2
    plain = learn(Spots(epochs=1), toy, tmp_path / "plain")
    assert plain.card is not None and "began from" not in models.card(plain.card).training
