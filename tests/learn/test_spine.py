"""The spine from data to a card: what it leaves behind, what it refuses, and that it goes on where it was."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mien import models
from mien.errors import EvidenceError, TrainingFailed, UsageError
from mien.judge.onnx import OnnxJudge
from mien.learn import runs
from mien.learn.data.example import Dataset
from mien.learn.export import crops, export
from mien.learn.fit import LAST, Settings, fit, history
from mien.learn.nets.deployed import Calibrated, GreyPictures
from mien.learn.order import Order
from mien.learn.recipe import Arrays, Batch, Mouth, Recipe
from mien.learn.run import learn
from mien.learn.splits import with_dev
from mien.learn.stills import stills
from mien.learn.toy import pictures

LABELS = ("left", "right", "up")


@dataclass(frozen=True, kw_only=True)
class Spots(Recipe):
    """Which way a bright spot lies: learnt in seconds."""

    name = "spots"
    task = "spot"
    about = "Where a bright spot lies."
    epochs: int = 6
    batch: int = 12
    rate: float = 0.01
    poison: int = -1  # epoch in which the loss is no number

    @property
    def labels(self) -> tuple[str, ...]:
        return LABELS

    @property
    def mouth(self) -> Mouth:
        return Mouth((24, 24))

    def data(self, source: Dataset, split: str) -> Arrays:
        return stills(source, split, LABELS, 24)  # type: ignore[arg-type]

    def build(self) -> nn.Module:
        return nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Dropout(0.1), nn.Linear(36, 3))

    def optimisers(self, net: nn.Module, steps: int) -> list[tuple[torch.optim.Optimizer, None]]:
        return [(torch.optim.Adam(net.parameters(), self.rate), None)]

    def turned(self, net: nn.Module, data: Arrays, epoch: int) -> None:
        net.epoch = epoch  # type: ignore[assignment]

    def losses(self, net: nn.Module, batch: Batch, turn: int) -> dict[str, torch.Tensor]:
        from mien.learn.nets.small import standardised

        x = batch["pixels"].permute(0, 3, 1, 2).float()
        x = standardised(x + 5 * torch.randn_like(x))
        loss = functional.cross_entropy(net(x), batch["truth"])
        return {"loss": loss * (float("nan") if net.epoch == self.poison else 1.0)}

    def deployed(self, net: nn.Module) -> nn.Module:
        return GreyPictures(net, mirrored=False)


@pytest.fixture
def toy(tmp_path: Path) -> Dataset:
    return pictures(tmp_path / "toy", LABELS, each=16, size=24)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / LAST, weights_only=True)["state_dict"]  # type: ignore[no-any-return]


def parts(recipe: Recipe, source: Dataset) -> dict[str, Arrays]:
    return {"train": recipe.data(source, "train"), "dev": recipe.data(source, "dev")}


def test_a_run_leaves_a_model_that_the_engine_runs(toy: Dataset, tmp_path: Path) -> None:
    learnt = learn(Spots(), toy, tmp_path / "run")
    assert learnt.card is not None and learnt.report is not None and learnt.graph is not None
    assert learnt.difference < 5e-3
    assert learnt.report.metrics["WAR (accuracy)"].value > 0.9
    models.licence.accept(learnt.card)
    judge = OnnxJudge(models.card(learnt.card))
    assert judge.labels == LABELS and judge.kind == "spot"
    test = Spots().data(toy, "test")
    found = judge.probabilities(np.repeat(test.tensors["pixels"].numpy(), 3, axis=3))
    assert (found.argmax(1) == test.tensors["truth"].numpy()).mean() == learnt.report.metrics["WAR (accuracy)"].value
    assert (tmp_path / "run" / "report" / "report.html").is_file()
    assert list((tmp_path / "run" / "log").glob("events*"))
    card = models.card(learnt.card)
    assert "seed 0" in card.training and f"epoch {learnt.trained.best + 1}" in card.training
    assert {one.metric for one in card.results} >= {"UAR", "WAR (accuracy)"}
    assert (runs.record(tmp_path / "run") or {})["state"] == "finished"


def test_a_changed_graph_is_refused(toy: Dataset, tmp_path: Path) -> None:
    learnt = learn(Spots(epochs=1), toy, tmp_path / "run")
    assert learnt.card is not None and learnt.graph is not None
    models.licence.accept(learnt.card)
    content = bytearray(learnt.graph.read_bytes())
    content[len(content) // 2] ^= 1
    learnt.graph.write_bytes(bytes(content))
    with pytest.raises(models.ModelError if hasattr(models, "ModelError") else Exception, match="spots"):
        OnnxJudge(models.card(learnt.card))


def test_a_stopped_run_goes_on_to_the_same_weights(toy: Dataset, tmp_path: Path) -> None:
    recipe = Spots(ema=0.9)
    data = parts(recipe, toy)
    for name in ("whole", "halved"):
        (tmp_path / name).mkdir()
    fit(recipe, data, tmp_path / "whole", Settings(precision="32"))
    first = fit(recipe, data, tmp_path / "halved", Settings(precision="32", stop_after=2))
    assert not first.whole and len(first.history) == 2
    second = fit(recipe, data, tmp_path / "halved", Settings(precision="32"))
    assert second.whole and len(second.history) == 6
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "halved")
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name
    assert [row["loss"] for row in history(tmp_path / "whole")] == [row["loss"] for row in history(tmp_path / "halved")]


def test_seeds_tell_runs_apart_and_repeat_them(toy: Dataset, tmp_path: Path) -> None:
    recipe = Spots(epochs=2)
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        fit(recipe, parts(recipe, toy), tmp_path / name, Settings(seed=seed, precision="32"))
        found.append(weights(tmp_path / name)["net.3.weight"])
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(toy: Dataset, tmp_path: Path) -> None:
    recipe = Spots(poison=3)
    with pytest.raises(TrainingFailed, match="epoch 4, batch 1") as caught:
        fit(recipe, parts(recipe, toy), tmp_path, Settings(precision="32"))
    assert str(tmp_path / LAST) in str(caught.value)
    assert len(history(tmp_path)) == 3
    assert all(torch.isfinite(value).all() for value in weights(tmp_path).values())


def test_memory_that_runs_out_says_what_to_do(toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> dict[str, torch.Tensor]:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(Spots, "losses", full)
    with pytest.raises(TrainingFailed, match="batch=6"):
        fit(Spots(), parts(Spots(), toy), tmp_path, Settings())


def test_the_test_split_is_refused_in_training(toy: Dataset, tmp_path: Path) -> None:
    recipe = Spots()
    with pytest.raises(UsageError, match="test"):
        fit(recipe, parts(recipe, toy) | {"test": recipe.data(toy, "test")}, tmp_path, Settings())


def test_the_test_split_is_read_after_the_last_epoch(
    toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []
    plain = Spots.data

    def noted(self: Spots, source: Dataset, split: str) -> Arrays:
        asked.append((split, len(history(tmp_path / "run"))))
        return plain(self, source, split)

    monkeypatch.setattr(Spots, "data", noted)
    learn(Spots(epochs=2), toy, tmp_path / "run")
    assert asked == [("train", 0), ("dev", 0), ("test", 2)]


def test_the_folder_of_another_run_is_refused(toy: Dataset, tmp_path: Path) -> None:
    learn(Spots(epochs=1), toy, tmp_path / "run", Settings(stop_after=1))
    with pytest.raises(UsageError, match="rate"):
        learn(Spots(epochs=1, rate=0.5), toy, tmp_path / "run")
    with pytest.raises(UsageError, match="seed"):
        learn(Spots(epochs=1), toy, tmp_path / "run", Settings(seed=3))
    fewer = replace(toy, examples=toy.examples[:-1])
    with pytest.raises(UsageError, match="data"):
        learn(Spots(epochs=1), fewer, tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="something else"):
        learn(Spots(epochs=1), toy, tmp_path / "other")


def test_a_class_without_examples_is_told(toy: Dataset, tmp_path: Path) -> None:
    without = replace(toy, examples=tuple(one for one in toy.examples if one.label != "up"))
    with pytest.raises(EvidenceError, match="up"):
        learn(Spots(epochs=1), without, tmp_path / "run")


def test_pictures_that_cannot_be_read_are_listed_and_many_refused(toy: Dataset, tmp_path: Path) -> None:
    many = pictures(tmp_path / "many", LABELS, each=40, size=24)
    many.examples[3].media.path.write_bytes(b"no picture")
    learnt = learn(Spots(epochs=1), many, tmp_path / "run")
    assert learnt.report is not None
    (told,) = [problem for problem in learnt.report.problems if problem.kind == "unreadable_train"]
    assert told.cases == (many.examples[3].name,)
    for one in toy.examples[:3]:
        one.media.path.write_bytes(b"")
    with pytest.raises(EvidenceError, match="3 of 48"):
        learn(Spots(epochs=1), toy, tmp_path / "other")


def test_a_dev_split_is_cut_by_subject(toy: Dataset) -> None:
    unsplit = replace(toy, examples=tuple(replace(one, split="") for one in toy.examples))
    cut = with_dev(unsplit, seed=4)
    people = {split: {one.subject for one in cut.of(split).examples} for split in ("train", "dev", "test")}
    assert all(people.values())
    assert not people["train"] & people["dev"] and not people["train"] & people["test"]
    assert with_dev(toy) is toy
    anonymous = replace(unsplit, examples=tuple(replace(one, subject="") for one in unsplit.examples))
    assert "no_subjects" in {problem.kind for problem in with_dev(anonymous).problems}


def test_history_is_a_table(toy: Dataset, tmp_path: Path) -> None:
    fit(Spots(epochs=2), parts(Spots(), toy), tmp_path, Settings())
    with (tmp_path / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["epoch"]) for row in rows] == [0, 1]
    assert {"loss", "dev UAR", "seconds", "rate"} <= rows[0].keys()


def test_an_absent_accelerator_is_told(toy: Dataset, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(UsageError, match="CUDA"):
        fit(Spots(), parts(Spots(), toy), tmp_path, Settings(device="cuda"))


def test_a_graph_that_disagrees_with_torch_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = GreyPictures(Spots().build(), mirrored=False).eval()
    path = tmp_path / "net.onnx"
    assert export(net, Mouth((24, 24)), path, crops(Mouth((24, 24)), 3)) < 5e-3
    path.unlink()
    monkeypatch.setattr("mien.learn.export._compare", lambda *_: 0.1)
    with pytest.raises(TrainingFailed, match="differs"):
        export(net, Mouth((24, 24)), path, crops(Mouth((24, 24)), 3))
    assert not list(tmp_path.iterdir())


def test_an_interrupted_export_leaves_nothing_and_is_made_again(
    toy: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> float:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mien.learn.export._compare", stopped)
        with pytest.raises(KeyboardInterrupt):
            learn(Spots(epochs=1), toy, tmp_path / "run")
    assert not list((tmp_path / "run").glob("*.onnx*")) and not list((tmp_path / "run").glob(".*.new"))
    again = learn(Spots(epochs=1), toy, tmp_path / "run")
    assert again.card is not None and len(again.trained.history) == 1


def test_a_temperature_of_one_changes_nothing_and_others_keep_the_order() -> None:
    net = GreyPictures(Spots().build(), mirrored=False).eval()
    trial = crops(Mouth((24, 24)), 5)
    with torch.inference_mode():
        plain, same, warm = net(trial), Calibrated(net, 1.0)(trial), Calibrated(net, 3.0)(trial)
    assert torch.allclose(plain, same, atol=1e-6)
    assert torch.equal(plain.argsort(1), warm.argsort(1))
    assert torch.allclose(warm, torch.softmax(torch.log(plain) / 3, 1), atol=1e-6)


def test_processes_share_an_epoch_without_overlap() -> None:
    orders = []
    for rank in range(2):
        order = Order(40, 5, seed=3)
        order.place(2, rank, 2)
        orders.append([index for batch in order for index in batch])
    assert not set(orders[0]) & set(orders[1])
    assert sorted(orders[0] + orders[1]) == list(range(40))


def test_weights_draw_rare_examples_more_often() -> None:
    weights = torch.tensor([9.0] * 10 + [1.0] * 90)
    order = Order(100, 10, seed=0, weights=weights)
    drawn = np.array([index for epoch in range(20) for batch in _epoch(order, epoch) for index in batch])
    assert (drawn < 10).mean() == pytest.approx(0.5, abs=0.04)


def _epoch(order: Order, number: int) -> list[list[int]]:
    order.place(number, 0, 1)
    return list(order)


@pytest.mark.slow
def test_two_processes_learn_as_one(toy: Dataset, tmp_path: Path) -> None:
    """Gradients are averaged over processes: two with half the batch each see what one with the whole batch sees."""
    recipe = Spots(epochs=3, batch=6)
    found = fit(recipe, parts(recipe, toy), tmp_path, Settings(devices=2, device="cpu", precision="32"))
    assert found.score > 0.8


def test_the_judge_of_a_run_may_adapt_to_each_clip(tmp_path: Path) -> None:
    from mien.errors import UsageError
    from mien.learn.adapt import Adaptation
    from mien.learn.adapting import AdaptingJudge
    from mien.learn.recipes.expression_fer import LABELS as EXPRESSIONS
    from mien.learn.recipes.expression_fer import ExpressionFer

    source = pictures(tmp_path / "toy", EXPRESSIONS, each=4)
    learnt = learn(ExpressionFer(epochs=1, width=8, batch=7), source, tmp_path / "run")
    assert learnt.card is not None
    models.licence.accept(learnt.card)
    plain = OnnxJudge(str(learnt.card))
    crops_ = crops(Mouth((48, 48)), 20).numpy()
    still = AdaptingJudge(tmp_path / "run", Adaptation("none"))
    assert still.probabilities(crops_) == pytest.approx(plain.probabilities(crops_), abs=1e-3)
    moving = AdaptingJudge(tmp_path / "run", Adaptation(rate=0.01, trust=0.0))
    first = moving.probabilities(crops_)
    assert np.abs(first - plain.probabilities(crops_)).max() > 0.005
    assert moving.probabilities(crops_) == pytest.approx(first)  # the next clip starts anew
    assert first.sum(1) == pytest.approx(1)
    with pytest.raises(UsageError, match="no finished"):
        AdaptingJudge(tmp_path)
