"""What a method must say to be trained here. Loops, devices, logs, checkpoints, selection, export and cards are the spine's.

A recipe is a frozen dataclass: its fields are what `mien learn NAME --set field=value` may change. It says how examples
become tensors, which network there is, who is optimised by what, what the losses are, and what is deployed.

    @dataclass(frozen=True, kw_only=True)
    class Mine(Recipe):
        name, task, about = "mine", "expression", "One line. Authors, title, year."
        ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset as TorchDataset

from mien.report import Problem

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from mien.audit.affect.data import AffectData
    from mien.learn.data.example import Dataset, Split
    from mien.models.card import Template
    from mien.report import Report

Batch = dict[str, Tensor]


class Arrays(TorchDataset[Batch]):
    """Examples held in memory as tensors of one length; a batch is an index into each, so loading costs nothing.

    `truth` (n,) int64 is the class of each, -1 where there is none; `subjects` whose each is, for intervals."""

    def __init__(
        self, tensors: Batch, truth: Tensor, subjects: Sequence[str] = (), names: Sequence[str] = (),
        problems: Sequence[Problem] = (),
    ) -> None:  # fmt: skip
        self.tensors = {**tensors, "truth": truth}
        self.subjects = tuple(subjects)
        self.names = tuple(names)
        self.problems = tuple(problems)  # what could not be read

    def __len__(self) -> int:
        return len(self.tensors["truth"])

    def held(self) -> Arrays:
        """The same tensors in a table of its own: what a method puts into one stays out of the other."""
        return Arrays(self.tensors, self.tensors["truth"], self.subjects, self.names, self.problems)

    def __getitem__(self, index: int) -> Batch:
        return {name: values[index] for name, values in self.tensors.items()}

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A whole batch at once, which is what the loader asks for."""
        chosen = torch.as_tensor(indices)
        return {name: values[chosen] for name, values in self.tensors.items()}


@dataclass(frozen=True, slots=True)
class Mouth:
    """The crops that the deployed network takes: (n, height, width, 3) uint8 RGB, or (n, frames, height, width, 3)."""

    size: tuple[int, int]  # width, height in px
    template: Template = "square"
    frames: int = 1  # of a clip


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """One method. Fields are its parameters; defaults are those of the method's paper where they fit."""

    name: ClassVar[str]  # `mien learn NAME`
    task: ClassVar[str]  # of the card: "expression", "liveness", …
    about: ClassVar[str]  # one line, and the paper
    intended: ClassVar[str] = ""  # what the trained model is for, for its card
    limits: ClassVar[tuple[str, ...]] = ()  # what it must not be trusted with, for its card
    layouts: ClassVar[tuple[str, ...]] = ()  # layouts it reads; empty: any with labels

    epochs: int = 20
    batch: int = 128
    ema: float = 0.0  # decay of the averaged weights that are evaluated and exported; 0: the last ones
    select: str = "UAR"  # "UAR" | "accuracy": by which the best epoch is chosen on the dev split
    clip: float = 0.0  # largest norm of a gradient; 0: not clipped
    calibrate: bool = True  # fit a temperature on the dev split

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Classes in the order of the outputs."""

    @property
    @abstractmethod
    def mouth(self) -> Mouth:
        """What the deployed network takes."""

    @abstractmethod
    def data(self, source: Dataset, split: Split) -> Arrays:
        """The examples of one split as tensors. Called for "test" once training is over, never before.

        Raises EvidenceError when the split lacks a class that is to be learnt."""

    @abstractmethod
    def build(self) -> nn.Module:
        """The network with fresh weights, drawn from torch's generator."""

    @abstractmethod
    def optimisers(self, net: nn.Module, steps: int) -> Sequence[tuple[Optimizer, LRScheduler | None]]:
        """One optimiser per turn, each with a schedule stepped once per batch; `steps` batches in all."""

    @abstractmethod
    def losses(self, net: nn.Module, batch: Batch, turn: int) -> Mapping[str, Tensor]:
        """Named losses whose sum is minimised in this turn. Augmentation belongs here: after the split, on the device."""

    @abstractmethod
    def deployed(self, net: nn.Module) -> nn.Module:
        """What is exported: raw crops (`mouth`) to (n, labels) probabilities."""

    def crops(self, batch: Batch) -> Tensor:
        """What `deployed` is given of a batch: uint8 crops with channels last."""
        pixels = batch["pixels"]
        if pixels.shape[-1] == 1:
            pixels = pixels.expand(*pixels.shape[:-1], 3)
        return pixels

    def measured(self, data: AffectData) -> Report:
        """The report on the test split."""
        from mien.audit.affect import Affect

        return Affect().run(data)

    def weights(self, data: Arrays) -> Tensor | None:
        """(n,) chances with which examples are drawn; None: each once per epoch."""
        return None

    def turned(self, net: nn.Module, data: Arrays, epoch: int) -> None:  # noqa: B027 - most methods change nothing
        """Called before each epoch: what a method re-samples, freezes or relabels between epochs."""

    def toy(self, folder: Path) -> Dataset:
        """Tiny made-up data in a layout that this recipe reads, for `--smoke` without data."""
        from mien.learn.toy import pictures

        return pictures(folder, self.labels)

    def smaller(self) -> Recipe:
        """The recipe of a smoke run: all parts, little of each."""
        from dataclasses import replace

        return replace(self, epochs=2, batch=min(self.batch, 16))

    def settings(self) -> dict[str, Any]:
        """Field values, for the run's record."""
        from dataclasses import asdict

        return asdict(self)
