"""Recipes on clips: what is read, mixed, voted and deployed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from mien.errors import EvidenceError
from mien.learn.augment import mixed
from mien.learn.data.example import Dataset
from mien.learn.moving import arrays, moving, toy
from mien.learn.nets.clips import ClipNet
from mien.learn.recipe import Arrays
from mien.learn.recipes import midas, rdfer
from mien.learn.recipes.midas import Midas
from mien.learn.recipes.rdfer import Rdfer, judged
from mien.learn.votes import Votes, key_windows, sampled, votes, windowed

LABELS = ("anger", "happiness", "surprise")


def made(count: int = 6, frames: int = 8, size: int = 24, classes: int = 3) -> Arrays:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 255, (count, frames, size, size, 1), dtype=np.uint8)
    truth = np.arange(count) % classes
    return judged(arrays(pixels, np.eye(classes)[truth], truth, [f"p{index}" for index in range(count)]))


def test_clips_of_a_data_set_become_tensors(tmp_path: Path) -> None:
    source = toy(tmp_path, LABELS, each=2)
    found = moving(source, "train", LABELS, 4, 24)
    assert found.tensors["pixels"].shape == (6, 4, 24, 24, 1) and found.tensors["pixels"].dtype == torch.uint8
    assert found.tensors["truth"].tolist() == [0, 0, 1, 1, 2, 2]
    assert found.tensors["soft"][0].tolist() == pytest.approx([2 / 3, 1 / 3, 0]) and found.subjects[0] == "train0"
    only_shares = replace(source, examples=tuple(replace(one, label=None) for one in source.examples))
    assert moving(only_shares, "train", LABELS, 4, 24).tensors["truth"].tolist() == [0, 0, 1, 1, 2, 2]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    source = toy(tmp_path, LABELS, each=2, frames=2)
    with pytest.raises(EvidenceError, match="no labelled clip in the split 'dev'"):
        moving(Dataset("toy", source.of("train").examples), "dev", LABELS, 2, 24)
    with pytest.raises(EvidenceError, match="no clip of fear"):
        moving(source, "train", (*LABELS, "fear"), 2, 24)
    for path in (tmp_path / "train" / "anger" / "0").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(EvidenceError, match="1 of 6 clips cannot be read, train/anger/0"):
        moving(source, "train", LABELS, 2, 24)


def test_a_clip_is_mixed_with_one_weight_and_its_label_with_the_same() -> None:
    torch.manual_seed(1)
    x = torch.arange(5.0)[:, None, None, None].expand(5, 4, 3, 3).clone() ** 2
    y = functional.one_hot(torch.arange(5)).float()
    found, labels = mixed(x, y, 1.0)
    assert (found == found[:, :1, :1, :1]).all(), "all frames and pixels of a clip have one weight"
    assert torch.allclose(found[:, 0, 0, 0], labels @ x[:, 0, 0, 0], atol=1e-5)
    assert torch.allclose(labels.sum(1), torch.ones(5)) and not torch.equal(labels, y)


def test_soft_labels_are_learnt_from_only_where_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(midas, "moved", lambda x, size, how: x)
    monkeypatch.setattr(midas, "lit", lambda x: x)
    batch = {**made().tensors, "soft": torch.full((6, 3), 1 / 3)}
    how = Midas(classes=LABELS, frames=8, size=24, mix=0.0)
    torch.manual_seed(0)
    net = how.build().eval()
    logits = torch.log_softmax(net(batch["pixels"].squeeze(-1).float()), 1).detach()
    assert float(how.losses(net, batch, 0)["loss"].detach()) == pytest.approx(float(-logits.mean()), abs=1e-5)
    hard = float(replace(how, soft=False).losses(net, batch, 0)["loss"].detach())
    assert hard == pytest.approx(float(functional.nll_loss(logits, batch["truth"])), abs=1e-5)


def test_what_is_deployed_is_what_was_trained() -> None:
    torch.manual_seed(0)
    data = made()
    one = Midas(classes=LABELS, frames=8, size=24)
    net = one.build().eval()
    x = data.tensors["pixels"].squeeze(-1).float()
    found = one.deployed(net)(one.crops(data.tensors))
    assert torch.allclose(found, torch.softmax(net(x), 1), atol=1e-4)
    two = Rdfer(classes=LABELS, frames=8, view=4, size=24)
    net = two.build().eval()
    wanted = torch.softmax((net(x[:, ::2]) + net(x[:, 1::2])) / 2, 1)
    assert torch.allclose(two.deployed(net)(two.crops(data.tensors)), wanted, atol=1e-4)
    assert two.mouth.frames == 8 and found.shape == (6, 3)


def test_votes_are_counted() -> None:
    chances = torch.tensor(
        [[[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]], [[0.0, 1.0]] * 3, [[0.6, 0.4], [0.1, 0.9], [0.5, 0.5]]]
    )
    found = Votes(chances[:, :, :], torch.zeros(3, 4, 2))
    assert found.agreement.tolist() == pytest.approx([2 / 3, 1, 2 / 3]) and found.mode.tolist() == [0, 1, 0]
    even = Votes(torch.tensor([[[0.55, 0.45], [0.1, 0.9]]]), torch.zeros(1, 4, 2))
    assert even.mode.tolist() == [1], "of equals the one with the larger mean"


def test_sampled_clips_rise_and_cover_the_video() -> None:
    torch.manual_seed(0)
    x = torch.arange(12.0).expand(200, 12)
    found = sampled(x, 6)
    assert (found // 2 == torch.arange(6.0)).all(), "one frame of each equal part"
    first = torch.cat([torch.full((100,), -1), torch.full((100,), 3)])
    window = torch.arange(3.0, 9.0)
    keyed = (windowed(x, first, 6, 0.5) == window).all(1)
    assert not keyed[:100].any() and 25 < int(keyed[100:].sum()) < 75
    assert (windowed(x, first, 6, 1.0)[100:] == window).all()


def test_the_key_window_is_where_the_label_shows() -> None:
    net = ClipNet(2, 4)
    bright = lambda x: torch.stack([torch.zeros(len(x)), x.mean((1, 2))], 1)  # noqa: E731 - class 1 where it is bright
    net.streams.forward = bright  # type: ignore[method-assign]
    features = torch.zeros(2, 8, 1)
    features[0, 2:6], features[1, 4:8] = 1.0, 1.0
    found = Votes(torch.full((2, 1, 2), 0.5), features)
    assert key_windows(net, found, torch.tensor([1, 1]), 4).tolist() == [2, 4]


def test_disputed_labels_with_agreement_are_replaced_and_without_count_more(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(3)
    sure, unsure = [[0.1, 0.8, 0.1]] * 4, [[0.8, 0.1, 0.1]] * 2 + [[0.1, 0.1, 0.8], [0.3, 0.4, 0.3]]
    chances = torch.tensor([sure, [[0.1, 0.8, 0.1]] * 4, unsure])
    monkeypatch.setattr(rdfer, "votes", lambda *_: Votes(chances, torch.zeros(3, 8, 2)))
    how = Rdfer(classes=LABELS, frames=8, view=4, size=24, epochs=4, warm=0.5, key=0.0, hard=3.0)
    net = how.build()
    how.turned(net, data, 1)
    assert data.tensors["weight"].tolist() == [1, 1, 1] and data.tensors["target"].argmax(1).tolist() == [0, 1, 2]
    how.turned(net, data, 2)
    assert data.tensors["weight"].tolist() == [1, 1, 3]
    assert data.tensors["target"][0].tolist() == pytest.approx([0.1, 0.8, 0.1]), "noise: the mean vote"
    assert data.tensors["target"][1:].tolist() == [[0, 1, 0], [0, 0, 1]]
    replace(how, judge="loss").turned(net, data, 2)
    assert data.tensors["weight"].tolist() == [1, 1, 1] and data.tensors["target"][2].argmax() == 0


def test_votes_leave_the_network_as_it_was() -> None:
    torch.manual_seed(0)
    data, how = made(), Rdfer(classes=LABELS, frames=8, view=4, size=24, warm=0.0)
    net = how.build().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert isinstance(net, ClipNet)
    found = votes(net, data, 4, 5)
    assert found.chances.shape == (6, 5, 3) and net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    how.turned(net, data, 0)
    assert ((data.tensors["first"] >= 0) & (data.tensors["first"] <= 4)).all()
    assert float(how.losses(net, data.tensors, 0)["loss"].detach()) > 0


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [Midas(frames=6, size=24), Rdfer(frames=6, view=2, size=24)])
def test_the_spine_carries_them_to_a_card(recipe: Midas | Rdfer, tmp_path: Path) -> None:
    from mien.learn.run import learn

    found = learn(recipe.smaller(), recipe.toy(tmp_path / "toy"), tmp_path / "run")
    assert found.card is not None and found.card.is_file() and found.difference < 5e-3
