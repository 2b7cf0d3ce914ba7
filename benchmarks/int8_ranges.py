"""Measure the activation ranges of dlib's ResNet that the 8-bit graph is built with, and write them into the package.

Calibration photos: `faces/known_people`, `faces/single`, `faces/group_photo.jpg` and every other picture of the first nine
people of `faces/orl`. No label is used, and none of the sets on which accuracy is reported (LFW, celebrity pairs, ORL's
other people) is looked at. Each chip is taken as it is, mirrored, darkened, brightened, blurred and with noise.

    python benchmarks/int8_ranges.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import dlib
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from mien.models.build import RECIPES
from mien.models.build.int8 import RANGES

U8 = NDArray[np.uint8]


def photos(faces: Path) -> Iterator[U8]:
    """RGB pictures of the calibration set."""
    found = [*sorted(faces.glob("known_people/**/*.jp*g")), *sorted(faces.glob("single/*")), faces / "group_photo.jpg"]
    for path in found:
        yield np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
    for path in sorted(faces.glob("orl/s[1-9]/*.pgm"))[::2]:
        large = cv2.resize(cv2.imread(str(path))[..., ::-1], None, fx=2, fy=2)
        yield np.ascontiguousarray(np.pad(large, ((60, 60), (60, 60), (0, 0)), "edge"))


def chips(faces: Path, points: Path) -> Iterator[U8]:
    """Aligned chips, and variants of each that widen the ranges."""
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(points))
    rng = np.random.default_rng(0)
    for picture in photos(faces):
        for box in detector(picture):
            chip = dlib.get_face_chip(picture, predictor(picture, box), 150, 0.25)
            values = chip.astype(np.float32)
            yield chip
            yield chip[:, ::-1]
            yield (values * 0.25).astype(np.uint8)
            yield np.clip(values * 1.6, 0, 255).astype(np.uint8)
            yield cv2.GaussianBlur(chip, (0, 0), 3)
            yield np.clip(values + rng.normal(0, 25, chip.shape), 0, 255).astype(np.uint8)


def exposed(net: bytes) -> tuple[onnxruntime.InferenceSession, list[str]]:
    """A session that hands out every named activation."""
    model = onnx.load_from_string(net)
    names = [name for node in model.graph.node for name in node.output if name == "stem" or name.startswith("block")]
    for name in names:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]), names


def measure(session: onnxruntime.InferenceSession, names: list[str], pictures: U8) -> dict[str, list[float]]:
    """{activation: (lowest, highest)}, to four digits: more than eight bits can show."""
    lows, highs = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for start in range(0, len(pictures), 32):
        batch = pictures[start : start + 32]
        for name, value in zip(names, session.run(names, {"pixels": batch}), strict=True):
            lows[name], highs[name] = min(lows[name], float(value.min())), max(highs[name], float(value.max()))
    return {name: [float(f"{lows[name]:.4g}"), float(f"{highs[name]:.4g}")] for name in names}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--models", type=Path, help="folder of dlib's .dat files; default: the package that carries them"
    )
    options = parser.parse_args()
    folder = options.models
    if folder is None:
        import importlib.util

        folder = Path(importlib.util.find_spec("face_recognition_models").submodule_search_locations[0]) / "models"
    pictures = np.stack(list(chips(options.data / "faces", folder / "shape_predictor_5_face_landmarks.dat")))
    net = RECIPES["dlib_resnet"]({"weights": folder / "dlib_face_recognition_resnet_model_v1.dat"})["net"]
    table = measure(*exposed(net), pictures)
    made = {
        "script": "benchmarks/int8_ranges.py",
        "chips": len(pictures),
        "data": "known_people, single, group_photo, orl s1-s9",
    }
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in table.items())
    RANGES.write_text(f'{{"made": {json.dumps(made)},\n"ranges": {{\n{rows}\n}}}}\n', encoding="utf-8")
    print(f"{len(pictures)} chips, {len(table)} activations -> {RANGES}")


if __name__ == "__main__":
    main()
