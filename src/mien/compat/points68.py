"""What the 68 points of a face (the iBUG 300-W scheme) are called, and where they lie on dlib's mean face."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

CARD = "dlib_points68"  # its terms exclude commercial use, so it wants a yes by name

# The original's parts, each with its points in the original's order.
PARTS: Mapping[str, tuple[int, ...]] = {
    "chin": tuple(range(17)),
    "left_eyebrow": tuple(range(17, 22)),
    "right_eyebrow": tuple(range(22, 27)),
    "nose_bridge": tuple(range(27, 31)),
    "nose_tip": tuple(range(31, 36)),
    "left_eye": tuple(range(36, 42)),
    "right_eye": tuple(range(42, 48)),
    "top_lip": (*range(48, 55), 64, 63, 62, 61, 60),
    "bottom_lip": (*range(54, 60), 48, 60, 67, 66, 65, 64),
}

# The points that dlib aligns a chip on: nose, eyes, upper lip and the inner mouth's upper edge.
STEADY = (*range(27, 55), *range(60, 65))
# (33, 2): where they lie on dlib's mean face (image_processing/render_face_detections.h), in parts of its box.
MEAN = np.array(
    [
        [0.490127, 0.203352], [0.490127, 0.307009], [0.490127, 0.409805], [0.490127, 0.515625],
        [0.36688, 0.587326], [0.426036, 0.609345], [0.490127, 0.628106], [0.554217, 0.609345],
        [0.613373, 0.587326], [0.121737, 0.216423], [0.187122, 0.178758], [0.265825, 0.179852],
        [0.334606, 0.231733], [0.260918, 0.245099], [0.182743, 0.244077], [0.645647, 0.231733],
        [0.714428, 0.179852], [0.793132, 0.178758], [0.858516, 0.216423], [0.79751, 0.244077],
        [0.719335, 0.245099], [0.254149, 0.780233], [0.340985, 0.745405], [0.428858, 0.727388],
        [0.490127, 0.742578], [0.551395, 0.727388], [0.639268, 0.745405], [0.726104, 0.780233],
        [0.290379, 0.784792], [0.428096, 0.778746], [0.490127, 0.785343], [0.552157, 0.778746],
        [0.689874, 0.784792],
    ]
)  # fmt: skip
