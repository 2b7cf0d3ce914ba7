"""How many faces a second the expression judge reads; torch ResNets and per-face calls in the style of DeepFace beside it.

Every round runs all contestants one after the other on the same faces of real photos, one thread each, so that load on
the machine falls on all alike. Times are of the processor, medians over the rounds; a ratio is the contestant's median
over ours at the same batch, its interval by bootstrap over rounds.

    judge             crops (uint8) to probabilities by the shipped graph, ONNX Runtime
    judge, whole      the same from photo and box: the crop is cut too
    resnet18, 50      torch, 224 px, the same crops enlarged beforehand; standardising and softmax are timed, as the judge's are
    resnet50, ONNX    the same network in ONNX Runtime: how much of the ratio is the runtime's
    per-face calls    photo and box to a dictionary of percentages, face by face: cut, grey, resize with its shape kept,
                      pad, scale, one torch call (a network of the layers DeepFace uses for emotions), in plain Python

Weights are drawn at random except the judge's: speed does not depend on them.

    python benchmarks/expression_speed.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
from record import RESULTS, save
from torch import nn

from mien import detect, judge, media, models
from mien.judge.onnx import OnnxJudge
from mien.learn.nets.resnet import resnet18, resnet50
from mien.types import Face

BATCHES = (1, 32)
SIDE = 224  # px, the usual input of a ResNet
MEAN, STD = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))  # the usual standardisation
Contestants = dict[tuple[str, int], Callable[[], object]]


def faces_of(data: Path, count: int) -> list[Face]:
    """Faces as the default detector finds them on LFW's photos."""
    detector = detect.load("mtcnn")
    found: list[Face] = []
    for path in sorted(data.glob("faces/lfw10/*/*.jpg"))[::2]:
        found += detector.detect([media.read_image(path)])[0][:1]
        if len(found) == count:
            return found
    raise SystemExit(f"{data} has too few photos with faces.")


def per_face_net() -> nn.Module:
    """The layers of DeepFace's network for emotions: five convolutions and three dense layers on 48 x 48 grey."""
    return nn.Sequential(
        *(nn.Conv2d(1, 64, 5), nn.ReLU(), nn.MaxPool2d(5, 2)),
        *(nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.AvgPool2d(3, 2)),
        *(nn.Conv2d(64, 128, 3), nn.ReLU(), nn.Conv2d(128, 128, 3), nn.ReLU(), nn.AvgPool2d(3, 2)),
        *(nn.Flatten(), nn.Linear(128, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU()),
        *(nn.Linear(1024, 7), nn.Softmax(1)),
    ).eval()


def per_face(net: nn.Module, faces: list[Face], labels: tuple[str, ...]) -> list[dict[str, Any]]:
    """One call per face, each from the whole photo, as such libraries do it."""
    answers = []
    for face in faces:
        x0, y0, x1, y1 = (max(0, int(value)) for value in face.box)
        grey = cv2.cvtColor(face.frame.pixels[y0:y1, x0:x1][..., ::-1], cv2.COLOR_BGR2GRAY)
        factor = 48 / max(grey.shape)
        small = cv2.resize(grey, (int(grey.shape[1] * factor), int(grey.shape[0] * factor)))
        down, right = 48 - small.shape[0], 48 - small.shape[1]
        padded = np.pad(small, ((down // 2, down - down // 2), (right // 2, right - right // 2)))
        with torch.inference_mode():
            values = net(torch.from_numpy(padded.astype(np.float32) / 255)[None, None])[0].numpy()
        percent = {label: 100 * float(value) for label, value in zip(labels, values, strict=True)}
        answers.append({"emotion": percent, "dominant_emotion": max(percent, key=lambda label: percent[label])})
    return answers


def standardised(crops: torch.Tensor) -> torch.Tensor:
    """(n, 224, 224, 3) uint8 to what a ResNet wants."""
    return ((crops.float() / 255 - MEAN) / STD).permute(0, 3, 1, 2).contiguous()


def run_net(net: nn.Module, crops: torch.Tensor) -> np.ndarray:
    """Probabilities by torch."""
    with torch.inference_mode():
        return torch.softmax(net(standardised(crops)), 1).numpy()


def in_onnx(net: nn.Module, folder: Path) -> Callable[[torch.Tensor], np.ndarray]:
    """The same network in ONNX Runtime, one thread, any batch."""
    path = folder / "net.onnx"
    free = {"x": {0: torch.export.Dim("n", min=1)}}
    torch.onnx.export(
        net, (torch.zeros(2, 3, SIDE, SIDE),), str(path), input_names=["x"], dynamic_shapes=free, verbose=False
    )
    session = models.session(path, 1)
    name = session.get_inputs()[0].name

    def run(crops: torch.Tensor) -> np.ndarray:
        logits = torch.from_numpy(session.run(None, {name: standardised(crops).numpy()})[0])
        return torch.softmax(logits, 1).numpy()

    return run


def contestants(one: OnnxJudge, faces: list[Face], folder: Path) -> Contestants:
    """Everything that is timed, by name and batch."""
    nets = {"resnet18": resnet18(7).eval(), "resnet50": resnet50(7).eval()}
    other, small = in_onnx(nets["resnet50"], folder), per_face_net()
    crops = one.crops(faces)
    large = torch.from_numpy(np.stack([cv2.resize(crop, (SIDE, SIDE)) for crop in crops]))
    runs: Contestants = {}
    for size in BATCHES:
        some, few, big = faces[:size], crops[:size], large[:size]
        runs["judge", size] = lambda few=few: one.probabilities(few)
        runs["judge, whole", size] = lambda some=some: one.probabilities(one.crops(some))
        for name, net in nets.items():
            runs[f"{name}, torch", size] = lambda net=net, big=big: run_net(net, big)
        runs["resnet50, ONNX Runtime", size] = lambda big=big: other(big)
        runs["per-face calls, torch", size] = lambda some=some: per_face(small, some, one.labels)
    return runs


def timed(run: Callable[[], object]) -> float:
    """ms of processor time; short runs are repeated until they can be told from the clock."""
    start, count = time.process_time(), 0
    while not count or time.process_time() - start < 0.02:
        run()
        count += 1
    return (time.process_time() - start) * 1e3 / count


def interval(theirs: np.ndarray, ours: np.ndarray) -> tuple[float, float]:
    """95 % interval of the ratio of medians over resampled rounds."""
    picks = np.random.default_rng(0).integers(0, len(theirs), (2000, len(theirs)))
    low, high = np.percentile(np.median(theirs[picks], axis=1) / np.median(ours[picks], axis=1), [2.5, 97.5])
    return float(low), float(high)


def summary(times: dict[tuple[str, int], np.ndarray]) -> dict[str, dict[str, Any]]:
    """Faces per second, and how many times as long the others take: whole against whole, network against network."""
    rows = {}
    for (name, size), measured in times.items():
        each = float(np.median(measured)) / size
        row: dict[str, Any] = {"ms per face": round(each, 3), "faces per second": round(1e3 / each), "n": len(measured)}
        if not name.startswith("judge"):
            ours = times["judge, whole" if name.startswith("per-face") else "judge", size]
            low, high = interval(measured, ours)
            row |= {"times as long as ours": round(float(np.median(measured) / np.median(ours)), 1)}
            row |= {"low": round(low, 1), "high": round(high, 1)}
        rows[f"{name}, batch {size}"] = row
    return rows


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--judge", default="expression", help="a kind, or a card")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    one = judge.load(options.judge)
    assert isinstance(one, OnnxJudge)
    with tempfile.TemporaryDirectory() as folder:
        runs = contestants(one, faces_of(options.data, max(BATCHES)), Path(folder))
        for run in runs.values():
            run()
        times = {key: np.zeros(options.rounds) for key in runs}
        for number in range(options.rounds):
            for key, run in runs.items():
                times[key][number] = timed(run)
    size = sum(path.stat().st_size for path in models.ready(one.card).values())
    parameters = {name: sum(part.numel() for part in net(7).parameters()) for name, net in
                  (("resnet18", resnet18), ("resnet50", resnet50))}  # fmt: skip
    results = {"what": {"judge": one.name, "MB of its file": round(size / 1e6, 2), **parameters}} | summary(times)
    for title, row in results.items():
        print(f"{title:34s} {row}")
    print(save("expression_speed", results, sys.argv, options.out))


if __name__ == "__main__":
    main()
