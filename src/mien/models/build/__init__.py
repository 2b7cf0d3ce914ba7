"""Weight files of other packages to ONNX graphs and arrays.

A recipe takes the source files by role and returns the built files by role. The same sources give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mien.models.build import dlib_nets, int8, minifasnet, mtcnn_nets, points5

VERSION = "4"  # of the recipes: another one means other bytes from the same sources

RECIPES: Mapping[str, Callable[[Mapping[str, Path]], dict[str, bytes]]] = {
    "dlib_resnet": dlib_nets.build_resnet,
    "dlib_resnet_int8": int8.build,
    "dlib_mmod": dlib_nets.build_mmod,
    "dlib_points5": points5.build,
    "dlib_points68": points5.build,
    "minifasnet": minifasnet.build,
    "mtcnn": mtcnn_nets.build,
}
