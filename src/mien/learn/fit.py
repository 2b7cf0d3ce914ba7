"""The one training loop, Lightning's: seeds, precision, devices, logs, checkpoints, resumption, choice on the dev split.

An epoch draws everything (order, augmentation, dropout) from the seed and its own number, so a run that was killed and
goes on from its last whole epoch ends with the same weights as one that was not.
"""

from __future__ import annotations

import csv
import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mien.errors import TrainingFailed, UsageError
from mien.learn.order import Order
from mien.learn.predict import predict, score
from mien.learn.recipe import Arrays, Batch, Recipe

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "32", "bf16", "16"]
Told = Callable[[float, float, str], None]  # epochs done, epochs in all, what is known

LAST, BEST, HISTORY = "last.ckpt", "best.pt", "history.csv"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run is carried out; nothing here changes what is learnt but `seed` and `precision`."""

    seed: int = 0
    device: Device = "auto"
    devices: int = 1  # GPUs, or processes on the CPU
    precision: Precision = "auto"  # auto: bf16 where the processor multiplies it fast, 32 elsewhere
    workers: int = 0  # processes that load data; data in memory needs none
    stop_after: int | None = None  # epochs of this call: the run can go on later
    start: Path | None = None  # a run of the same recipe from whose weights this one begins; None: fresh ones


@dataclass(slots=True)
class Trained:
    """A network with the weights of its best epoch."""

    net: nn.Module
    best: int  # epoch, 0-based
    score: float  # of that epoch on the dev split
    history: list[dict[str, float]] = field(default_factory=list)
    precision: str = "32-true"
    whole: bool = True  # False: stopped before the last epoch


def fit(
    recipe: Recipe, data: Mapping[str, Arrays], folder: Path, settings: Settings, told: Told | None = None
) -> Trained:
    """Train on data["train"], choose the epoch on data["dev"]; a checkpoint in `folder` is gone on from.

    Raises UsageError for an accelerator that is not there or data with a test split, TrainingFailed when a loss is no
    number (the last good checkpoint stays) or memory runs out."""
    if set(data) != {"train", "dev"}:
        raise UsageError(
            f"Training was given the splits {', '.join(sorted(data))}.",
            "Give train and dev: the test split is looked at once, when everything has been chosen.",
        )
    precision = _precision(settings)
    accelerator = _accelerator(settings.device)
    torch.manual_seed(settings.seed)
    net = recipe.build()
    if settings.start is not None:
        _begin_with(net, settings.start)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module = _Module(recipe, net, {name: part.held() for name, part in data.items()}, settings)
    keeper = _Keeper(folder, told if settings.devices == 1 else None)  # other processes cannot call back
    with _quiet():
        trainer = Trainer(
            max_epochs=recipe.epochs if settings.stop_after is None else min(recipe.epochs, settings.stop_after),
            accelerator=accelerator,
            devices=settings.devices,
            strategy="ddp_spawn" if settings.devices > 1 else "auto",
            precision=precision,
            logger=_logger(folder),
            callbacks=[keeper],
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            use_distributed_sampler=False,
            log_every_n_steps=20,
        )
        last = folder / LAST
        try:
            trainer.fit(module, ckpt_path=str(last) if last.is_file() else None)
        except (MemoryError, RuntimeError) as error:
            raise _failed(error, module, folder) from error
    if keeper.interrupted or trainer.interrupted:
        raise KeyboardInterrupt
    return _best(recipe, folder, precision, module)


class _Module(LightningModule):
    """A recipe as Lightning wants it: one turn per optimiser, everything else its own."""

    def __init__(self, recipe: Recipe, net: nn.Module, data: Mapping[str, Arrays], settings: Settings) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.recipe, self.net, self.parts, self.settings = recipe, net, data, settings
        self.averaged: torch.optim.swa_utils.AveragedModel | None = None
        if recipe.ema > 0:
            self.averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=_ramped(recipe.ema), use_buffers=True)
        self.sums: dict[str, float] = {}
        self.batches = 0
        self.where = (0, 0)  # epoch, batch

    @property
    def steps(self) -> int:
        """Batches of an epoch, per process."""
        share = len(self.parts["train"]) // (self.recipe.batch * max(1, self.settings.devices))
        return max(1, share)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches drawn from the seed and the epoch; each process of several gets its own."""
        train = self.parts["train"]
        order = Order(len(train), self.recipe.batch, self.settings.seed, self.recipe.weights(train))
        order.place(self.current_epoch, self.global_rank, max(1, self.trainer.world_size))
        self.order = order
        return DataLoader(
            train, batch_sampler=order, collate_fn=_whole, num_workers=self.settings.workers,
            persistent_workers=self.settings.workers > 0,
            generator=torch.Generator(),  # the loader's own draws must not move torch's generator: see the module's head
        )  # fmt: skip

    def configure_optimizers(self) -> Any:
        """All turns' optimisers and their schedules."""
        pairs = self.recipe.optimisers(self.net, self.steps * self.recipe.epochs)
        self.schedules = [schedule for _, schedule in pairs]
        return [one for one, _ in pairs], [
            {"scheduler": schedule, "interval": "step"} for schedule in self.schedules if schedule is not None
        ]

    def on_train_epoch_start(self) -> None:
        """What an epoch draws depends on its number alone."""
        epoch = self.current_epoch
        self.order.place(epoch, self.global_rank, max(1, self.trainer.world_size))
        torch.manual_seed((self.settings.seed * 1_000_003 + epoch * 101 + self.global_rank) % (1 << 62))
        self.sums, self.batches = {}, 0
        self.recipe.turned(self.net, self.parts["train"], epoch)

    def training_step(self, batch: Batch, index: int) -> None:
        """One batch, every turn in its order."""
        self.where = (self.current_epoch, index)
        optimisers = self.optimizers()
        optimisers = optimisers if isinstance(optimisers, list) else [optimisers]
        for turn, optimiser in enumerate(optimisers):
            losses = self.recipe.losses(self.net, batch, turn)
            total = torch.stack([value.float() for value in losses.values()]).sum()
            if not bool(torch.isfinite(total)):
                raise _NotFinite(", ".join(f"{name} {float(value.detach()):.4g}" for name, value in losses.items()))
            optimiser.zero_grad()
            self.manual_backward(total)
            if self.recipe.clip > 0:
                self.clip_gradients(optimiser.optimizer, self.recipe.clip, "norm")
            optimiser.step()
            for name, value in losses.items():
                self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        for schedule in self.schedules:
            if schedule is not None:
                schedule.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.net)
        self.batches += 1

    def judged(self) -> nn.Module:
        """The weights that are evaluated and exported."""
        return self.net if self.averaged is None else self.averaged.module


def _ramped(decay: float) -> Callable[..., None]:
    """An average that starts short, so that a young run is not judged by the weights it began with."""

    def average(averaged: Sequence[Tensor], current: Sequence[Tensor], number: Tensor) -> None:
        count = int(number)
        weight = 1 - min(decay, (1 + count) / (10 + count))
        for old, new in zip(averaged, current, strict=True):
            if torch.is_floating_point(old):
                old.lerp_(new, weight)
            else:
                old.copy_(new)

    return average


class _Keeper(Callback):
    """Evaluates on the dev split after each epoch, keeps the best and the last, tells how far it is."""

    def __init__(self, folder: Path, told: Told | None) -> None:
        self.folder, self.told = folder, told
        self.began, self.said = 0.0, 0.0
        self.interrupted = False

    def on_train_epoch_start(self, trainer: Trainer, module: Any) -> None:
        self.began = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, module: Any, outputs: Any, batch: Any, index: int) -> None:
        now = time.monotonic()
        if self.told is not None and trainer.is_global_zero and now - self.said > 0.5:
            self.said = now
            rate = (index + 1) * module.recipe.batch / max(now - self.began, 1e-9)
            done = module.current_epoch + (index + 1) / module.steps
            self.told(done, module.recipe.epochs, f"{rate:,.0f} examples/s")

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        seconds = time.monotonic() - self.began
        found = predict(module.recipe, module.judged(), module.parts["dev"], trainer.strategy.root_device, trainer)
        value = score(module.recipe, found, module.parts["dev"])
        module.net.train()
        if trainer.is_global_zero:
            self._keep(trainer, module, value, seconds)
        beside = self.folder / f".{LAST}.new"
        trainer.save_checkpoint(beside)  # every process takes part
        if trainer.is_global_zero:
            _settle(beside, self.folder / LAST)
        if self.told is not None:
            self.told(module.current_epoch + 1, module.recipe.epochs, f"dev {module.recipe.select} {value:.4f}")

    def _keep(self, trainer: Trainer, module: Any, value: float, seconds: float) -> None:
        epoch = module.current_epoch
        rows = [row for row in history(self.folder) if row["epoch"] < epoch]
        means = {name: total / module.batches for name, total in module.sums.items()}
        rows.append(
            {"epoch": epoch, **means, f"dev {module.recipe.select}": value, "seconds": seconds}
            | {"rate": module.batches * module.recipe.batch / seconds}
        )
        if value >= max(row[f"dev {module.recipe.select}"] for row in rows):
            weights = {name: tensor.detach().cpu() for name, tensor in module.judged().state_dict().items()}
            _swap(self.folder / BEST, lambda path: torch.save({"epoch": epoch, "score": value, "net": weights}, path))
        _swap(self.folder / HISTORY, lambda path: _write(path, rows))
        for logger in trainer.loggers:
            logger.log_metrics({**means, f"dev/{module.recipe.select}": value}, epoch)


class _NotFinite(RuntimeError):
    """A loss that is no number."""


def history(folder: Path) -> list[dict[str, float]]:
    """What is known of each epoch of a run."""
    path = folder / HISTORY
    if not path.is_file():
        return []
    with path.open(encoding="utf8", newline="") as stream:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(stream)]


def _write(path: Path, rows: list[dict[str, float]]) -> None:
    with path.open("w", encoding="utf8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[-1]), restval="nan", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _swap(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside and put it in its place at once: a kill leaves the old one or the new one."""
    beside = path.with_name(f".{path.name}.new")
    write(beside)
    _settle(beside, path)


def _settle(beside: Path, path: Path) -> None:
    with beside.open("rb") as stream:
        os.fsync(stream.fileno())
    beside.replace(path)


def _best(recipe: Recipe, folder: Path, precision: str, module: _Module) -> Trained:
    kept = torch.load(folder / BEST, map_location="cpu", weights_only=True)
    net = recipe.build()
    net.load_state_dict(kept["net"])
    rows = history(folder)
    whole = bool(rows) and rows[-1]["epoch"] + 1 >= recipe.epochs
    return Trained(net.eval(), int(kept["epoch"]), float(kept["score"]), rows, precision, whole)


def _begin_with(net: nn.Module, start: Path) -> None:
    path = start / BEST
    if not path.is_file():
        raise UsageError(f"{start} holds no weights to begin from.", "Name the folder of a run of the same recipe.")
    try:
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["net"])
    except RuntimeError as error:  # other layers, or layers of other sizes
        raise UsageError(
            f"The weights in {start} are of another network.", "Give the same --set values as that run had."
        ) from error


def _failed(error: BaseException, module: _Module, folder: Path) -> Exception:
    epoch, batch = module.where
    at = f"in epoch {epoch + 1}, batch {batch + 1}"
    kept = f"The last good checkpoint is {folder / LAST}." if (folder / LAST).is_file() else "No epoch was finished."
    if isinstance(error, _NotFinite):
        return TrainingFailed(
            f"The loss is no longer a number {at} ({error}). {kept}",
            "Start anew with a smaller learning rate, with --set clip=1 or with --precision 32.",
        )
    words = str(error).lower()
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "out of memory" in words or "alloc" in words:
        return TrainingFailed(
            f"Memory ran out {at}, with {module.recipe.batch} examples per batch. {kept}",
            f"Give --set batch={max(1, module.recipe.batch // 2)} and another folder.",
        )
    return error if isinstance(error, Exception) else RuntimeError(str(error))


def _whole(batch: Batch | list[Batch]) -> Batch:
    """A batch that was fetched at once, or one that was fetched one by one."""
    if isinstance(batch, dict):
        return batch
    return {name: torch.stack([one[name] for one in batch]) for name in batch[0]}


def _accelerator(device: Device) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("There is no CUDA device here, or this torch was built without it.", "Leave --device out.")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def _precision(settings: Settings) -> Any:
    """Lightning's word for it."""
    if settings.precision != "auto":
        return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[settings.precision]
    if _accelerator(settings.device) == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
    return "bf16-mixed" if _fast_bf16() else "32-true"


def _fast_bf16() -> bool:
    """Whether this processor multiplies bf16 in hardware; elsewhere it is emulated, and slow."""
    test = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(test is not None and test())


def _logger(folder: Path) -> Any:
    """Events for TensorBoard."""
    from lightning.pytorch.loggers import TensorBoardLogger

    return TensorBoardLogger(folder, name="log", version="", default_hp_metric=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning talks about hardware and hints; what matters here is told by `told`."""
    names = ("lightning.pytorch", "lightning.fabric", "lightning")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            warnings.filterwarnings("ignore", message=r".*lr_scheduler\.step\(\).*")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


__all__ = ["BEST", "HISTORY", "LAST", "Settings", "Told", "Trained", "fit", "history"]
