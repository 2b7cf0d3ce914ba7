"""What every recipe must keep, whatever it learns. Data are made up; what is learnt from them means nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mien.errors import TrainingFailed, UsageError
from mien.learn.catalogue import RECIPES, changed, recipe
from mien.learn.data.example import Dataset
from mien.learn.export import crops, export
from mien.learn.fit import LAST, Settings, Trained, fit, history
from mien.learn.order import Order
from mien.learn.recipe import Arrays, Batch, Recipe

PLAIN = Settings(seed=0, device="cpu", precision="32")
RESUMED, POISONED = "emotion_cnn", "cmnet"  # spine's work, shown on one recipe each


@dataclass(frozen=True)
class Case:
    """A recipe as a smoke run has it, and its toy data."""

    recipe: Recipe
    source: Dataset
    parts: Mapping[str, Arrays]

    def batch(self) -> Batch:
        """One batch of the training split."""
        train = self.parts["train"]
        return train.__getitems__(next(iter(Order(len(train), self.recipe.batch, 0))))

    def crops(self, count: int = 5) -> Tensor:
        """What the deployed network takes, of the dev split."""
        return self.recipe.crops(self.parts["dev"].__getitems__(list(range(count)))).contiguous()


_cases: dict[str, Case] = {}
_fitted: dict[str, tuple[Trained, Path]] = {}


@pytest.fixture(params=RECIPES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return made(request.param, tmp_path_factory)


def made(name: str, folders: pytest.TempPathFactory) -> Case:
    if name not in _cases:
        torch.set_num_threads(1)
        small = recipe(name).smaller()
        source = small.toy(folders.mktemp(name))
        _cases[name] = Case(small, source, {"train": small.data(source, "train"), "dev": small.data(source, "dev")})
    return _cases[name]


def fitted(case: Case, folders: pytest.TempPathFactory) -> tuple[Trained, Path]:
    """One whole training, shared by the tests."""
    name = case.recipe.name
    if name not in _fitted:
        folder = folders.mktemp(f"{name}-run")
        _fitted[name] = fit(case.recipe, case.parts, folder, PLAIN), folder
    return _fitted[name]


def weights(folder: Path) -> dict[str, Tensor]:
    held: dict[str, Tensor] = torch.load(folder / LAST, weights_only=True)["state_dict"]
    return held


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_it_is_called_what_the_catalogue_calls_it(case: Case) -> None:
    made = case.recipe
    assert RECIPES[made.name][0] == type(made).__name__
    assert made.task and made.about.endswith(".") and made.intended and made.limits
    assert len(set(made.labels)) == len(made.labels) > 1 and all(made.labels)
    assert min(made.mouth.size) > 0 and made.mouth.frames >= 1


def test_its_fields_can_be_set_in_words(case: Case) -> None:
    def word(value: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)

    held = {one.name: getattr(case.recipe, one.name) for one in fields(case.recipe)}
    flat = {name: value for name, value in held.items() if value != () and not isinstance(value, type(None))}
    assert changed(case.recipe, {name: word(value) for name, value in flat.items()}) == case.recipe
    assert case.recipe.settings().keys() == held.keys()
    with pytest.raises(UsageError, match="nonsense"):
        changed(case.recipe, {"nonsense": "1"})
    with pytest.raises(FrozenInstanceError):
        case.recipe.epochs = 3  # type: ignore[misc]


def test_its_network_is_drawn_from_the_seed(case: Case) -> None:
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        net = case.recipe.build()
        assert isinstance(net, nn.Module)
        found.append({name: value.clone() for name, value in net.state_dict().items()})
    assert same(found[0], found[1]) and not same(found[0], found[2])


def test_its_losses_are_numbers_that_reach_every_parameter(case: Case) -> None:
    torch.manual_seed(0)
    net = case.recipe.build().train()
    pairs = case.recipe.optimisers(net, 10)
    case.recipe.turned(net, case.parts["train"], 0)
    reached: set[int] = set()
    held: set[int] = set()
    for turn, (optimiser, _) in enumerate(pairs):
        net.zero_grad(set_to_none=True)
        losses = case.recipe.losses(net, case.batch(), turn)
        assert losses and all(one.dim() == 0 and bool(torch.isfinite(one)) for one in losses.values())
        torch.stack([one.float() for one in losses.values()]).sum().backward()  # type: ignore[no-untyped-call]
        mine = [one for group in optimiser.param_groups for one in group["params"]]
        held |= {id(one) for one in mine}
        reached |= {id(one) for one in mine if one.grad is not None and bool(torch.isfinite(one.grad).all())}
    names = {id(one): name for name, one in net.named_parameters()}
    assert not [names.get(one, "?") for one in held - reached], "these are optimised and never get a gradient"
    learnable = {id(one) for one in net.parameters() if one.requires_grad}
    assert not [names[one] for one in learnable - held], "these are learnable and nobody optimises them"


def test_what_is_deployed_gives_probabilities_and_leaves_its_input_alone(case: Case) -> None:
    torch.manual_seed(0)
    deployed = case.recipe.deployed(case.recipe.build()).eval()
    crops = case.crops()
    width, height = case.recipe.mouth.size
    clip = (case.recipe.mouth.frames,) if case.recipe.mouth.frames > 1 else ()
    assert crops.dtype == torch.uint8 and crops.shape[1:] == (*clip, height, width, 3)
    before = crops.clone()
    with torch.inference_mode():
        found = deployed(crops)
        alone = torch.cat([deployed(crops[row : row + 1]) for row in range(len(crops))])
    assert torch.equal(crops, before)
    assert found.shape == (len(crops), len(case.recipe.labels)) and bool((found >= 0).all())
    assert torch.allclose(found.sum(1), torch.ones(len(crops)), atol=1e-5)
    assert torch.allclose(found, alone, atol=1e-4), "a reading must not depend on who else is in the batch"


def test_its_exported_graph_says_what_torch_says_for_any_number_of_crops(case: Case, tmp_path: Path) -> None:
    torch.manual_seed(0)
    deployed = case.recipe.deployed(case.recipe.build().eval()).eval()
    for count in (1, 5):  # the exporter is shown two
        difference = export(deployed, case.recipe.mouth, tmp_path / "net.onnx", crops(case.recipe.mouth, count))
        assert difference < 5e-3


def test_a_smoke_run_ends_and_leaves_its_history(case: Case, tmp_path_factory: pytest.TempPathFactory) -> None:
    trained, folder = fitted(case, tmp_path_factory)
    assert trained.whole and len(trained.history) == case.recipe.epochs == len(history(folder))
    assert 0 <= trained.best < case.recipe.epochs and 0 <= trained.score <= 1
    assert all(bool(torch.isfinite(value).all()) for value in weights(folder).values() if value.is_floating_point())


def test_the_same_seed_trains_the_same_weights(
    case: Case, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    _, folder = fitted(case, tmp_path_factory)
    random = torch.get_rng_state()
    fit(case.recipe, {name: case.recipe.data(case.source, name) for name in ("train", "dev")}, tmp_path, PLAIN)  # type: ignore[arg-type]
    torch.set_rng_state(random)
    assert same(weights(folder), weights(tmp_path))


def test_training_does_not_know_the_test_split(case: Case) -> None:
    """Without it, what is learnt from and chosen on are the same to the byte."""
    without = replace(case.source, examples=tuple(one for one in case.source.examples if one.split != "test"))
    assert len(without) < len(case.source)
    for split, held in case.parts.items():
        found = case.recipe.data(without, split)  # type: ignore[arg-type]
        assert same(held.tensors, found.tensors), split
    assert not set(case.parts["train"].names) & set(case.parts["dev"].names)
    with pytest.raises(UsageError, match="test"):
        fit(case.recipe, {**case.parts, "test": case.parts["dev"]}, Path("nowhere"), PLAIN)


def test_a_killed_run_goes_on_to_the_same_weights(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the middle of its second epoch."""
    case = made(RESUMED, tmp_path_factory)
    _, whole = fitted(case, tmp_path_factory)
    with monkeypatch.context() as patch:
        broken(patch, case.recipe, lambda loss: 1 / 0, after=_steps(case) + 1)
        with pytest.raises(ZeroDivisionError):
            fit(case.recipe, case.parts, tmp_path, PLAIN)
    assert len(history(tmp_path)) == 1
    assert fit(case.recipe, case.parts, tmp_path, PLAIN).whole
    assert same(weights(whole), weights(tmp_path))


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint_and_says_where(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = made(POISONED, tmp_path_factory)
    with monkeypatch.context() as patch:
        broken(patch, case.recipe, lambda loss: loss * float("nan"), after=_steps(case) + 1)
        with pytest.raises(TrainingFailed, match="epoch 2, batch 2") as caught:
            fit(case.recipe, case.parts, tmp_path, PLAIN)
    assert str(tmp_path / LAST) in str(caught.value)
    assert len(history(tmp_path)) == 1
    assert all(bool(torch.isfinite(value).all()) for value in weights(tmp_path).values() if value.is_floating_point())


def _steps(case: Case) -> int:
    return max(1, len(case.parts["train"]) // case.recipe.batch)


def broken(patch: pytest.MonkeyPatch, recipe: Recipe, how: Any, after: int) -> None:
    """The recipe's losses go wrong after so many batches."""
    plain, seen = type(recipe).losses, []

    def losses(self: Recipe, net: nn.Module, batch: Batch, turn: int) -> Mapping[str, Tensor]:
        seen.append(turn)
        found = plain(self, net, batch, turn)
        return found if len(seen) <= after else {name: how(value) for name, value in found.items()}

    patch.setattr(type(recipe), "losses", losses)
