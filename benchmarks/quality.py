"""What spoils recognition, and whether the quality judge sees it: the measurement behind `mien.judge.quality`.

    python benchmarks/quality.py --data ../shared/data

1. Each development person's second photo is degraded step by step and compared with the untouched first photo: share of
   true matches kept at FMR 1 in 1,000, false matches against untouched photos, false matches when both are degraded, and
   what the judge measured. Points are those of the untouched photo, so the detector's own failures do not mix in.
2. Error versus discard: does setting aside the comparisons of lowest quality lower FNMR at a fixed threshold? On
   untouched photos, and on photos of which half were degraded by a random step.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from accuracy import Photo, faces, halves, photos, shown, vectors
from numpy.typing import NDArray
from record import save

from mien.audit.metrics import Comparisons, bootstrap, error_versus_discard, threshold_at_fmr
from mien.embed import OnnxEmbedder
from mien.judge.quality import assess, measure
from mien.types import F32, U8, Face, Frame

Spoil = Callable[[U8, F32], tuple[U8, F32]]  # pixels and points, both ways
RNG = np.random.default_rng(0)
RATE = 1e-3


def eyes_of(points: F32) -> float:
    """Distance between the eyes in px."""
    return float(np.hypot(*(points[1] - points[0])))


def smaller(eyes: float) -> Spoil:
    """Reduced until the eyes are `eyes` px apart."""

    def spoil(pixels: U8, points: F32) -> tuple[U8, F32]:
        share = eyes / eyes_of(points)
        size = (max(1, round(pixels.shape[1] * share)), max(1, round(pixels.shape[0] * share)))
        factors = np.array([size[0] / pixels.shape[1], size[1] / pixels.shape[0]], np.float32)
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8), points * factors

    return spoil


def pixelwise(change: Callable[[NDArray[np.float32], float], Any]) -> Spoil:
    """A change of the pixels alone, told the eye distance."""
    return lambda pixels, points: (
        np.clip(change(pixels.astype(np.float32), eyes_of(points)), 0, 255).astype(np.uint8),
        points,
    )


def noise(pixels: NDArray[np.float32], sigma: float) -> NDArray[np.float64]:
    """The same noise in all channels: grey pictures stay grey."""
    return pixels + RNG.normal(0, sigma, (*pixels.shape[:2], 1))


def jpeg(pixels: NDArray[np.float32], quality: int) -> U8:
    """Through a JPEG file."""
    content = cv2.imencode(".jpg", pixels.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def covered(part: str) -> Spoil:
    """Eyes, mouth or one half under a flat patch."""

    def spoil(pixels: U8, points: F32) -> tuple[U8, F32]:
        pixels = pixels.copy()
        eyes, mouth = float(points[:2, 1].mean()), float(points[3:, 1].mean())
        height = mouth - eyes
        if part == "mouth":
            pixels[max(0, int(eyes + 0.62 * height)) :] = 40
        elif part == "eyes":
            pixels[max(0, int(eyes - 0.25 * height)) : max(0, int(eyes + 0.25 * height))] = 40
        else:
            pixels[:, : max(0, int(points[2, 0]))] = 40
        return pixels, points

    return spoil


def smear(pixels: NDArray[np.float32], length: float) -> Any:
    """A camera that moved sideways."""
    return cv2.blur(pixels, (max(1, int(length)) | 1, 1))


STEPS: dict[str, Spoil] = {
    "untouched": lambda pixels, points: (pixels, points),
    **{f"{eyes} px between the eyes": smaller(eyes) for eyes in (40, 25, 20, 15, 12, 10, 8)},
    **{
        f"blur {share:.0%} of the eye distance": pixelwise(lambda p, e, s=share: cv2.GaussianBlur(p, (0, 0), s * e))
        for share in (0.02, 0.04, 0.06, 0.08, 0.10, 0.13, 0.16)
    },
    **{f"moved {s:.0%}": pixelwise(lambda p, e, s=s: smear(p, s * e)) for s in (0.1, 0.2, 0.3)},
    **{f"darkness x {g}": pixelwise(lambda p, _, g=g: noise(p * g, 2)) for g in (0.5, 0.25, 0.1, 0.05)},
    **{f"exposure x {g}": pixelwise(lambda p, _, g=g: p * g) for g in (1.5, 2, 3, 4)},
    **{f"contrast x {g}": pixelwise(lambda p, _, g=g: 128 + (p - p.mean()) * g) for g in (0.5, 0.25, 0.1, 0.05)},
    **{f"JPEG {q}": pixelwise(lambda p, _, q=q: jpeg(p, q)) for q in (30, 15, 8, 4)},
    **{f"noise {s}": pixelwise(lambda p, _, s=s: noise(p, s)) for s in (10, 20, 40, 60)},
    **{f"covered {part}": covered(part) for part in ("mouth", "eyes", "half")},
}


def face_of(photo: Photo, box: F32, points: F32, spoil: Spoil) -> Face:
    """A degraded face; its box follows its points."""
    pixels, moved = spoil(photo.read(), points)
    return Face(Frame(pixels, photo.name), box * (eyes_of(moved) / eyes_of(points)), moved.astype(np.float32), 0.999)


def templates(embedder: OnnxEmbedder, shown_faces: list[Face]) -> F32:
    """(n, D) unit vectors."""
    parts = [embedder.embed(shown_faces[start : start + 32]) for start in range(0, len(shown_faces), 32)]
    return np.stack([template.vector for part in parts for template in part])


def curve(embedder: OnnxEmbedder, probes: list[tuple[Photo, F32, F32]], references: F32, threshold: float) -> Any:
    """Per degradation: what is lost, and what the judge measured."""
    rows = {}
    strangers = ~np.eye(len(probes), dtype=bool)
    for name, spoil in STEPS.items():
        spoilt = [face_of(photo, box, points, spoil) for photo, box, points in probes]
        found = templates(embedder, spoilt)
        scores, among = found @ references.T, found @ found.T
        seen = [measure(face) for face in spoilt[:200]]
        rows[name] = {
            "true matches": round(float((np.diag(scores) >= threshold).mean()), 3),
            "false matches, reference untouched": float(f"{(scores[strangers] >= threshold).mean():.2g}"),
            "false matches, both degraded": float(f"{(among[strangers] >= threshold).mean():.2g}"),
            "overall quality, median": round(float(np.median([assess(f).scores["overall"] for f in spoilt[:200]])), 3),
            **{
                part: round(float(np.median([getattr(item, part) for item in seen])), 3)
                for part in ("sharpness", "contrast", "clipped", "noise")
            },
        }
        print(name, rows[name], flush=True)
    return rows


def discard(quality: NDArray[np.float64], scores: NDArray[np.float64], person: Any, threshold: float) -> dict[str, Any]:
    """FNMR after discarding, and its change, with intervals over people."""
    compared = Comparisons(scores, person, person)
    result = {"0 %": shown(bootstrap(lambda w: float(np.average(scores < threshold, weights=w)), compared, rounds=300))}
    for share in (0.1, 0.2):
        kept = np.argsort(quality, kind="stable")[round(share * len(quality)) :]
        left = np.zeros(len(scores))
        left[kept] = 1

        def change(w: NDArray[np.float64], left: NDArray[np.float64] = left) -> float:
            missed = scores < threshold
            return float(np.average(missed, weights=w * left) - np.average(missed, weights=w))

        result[f"{share:.0%}"] = round(error_versus_discard(scores, quality, threshold, share), 4)
        result[f"change at {share:.0%}"] = shown(bootstrap(change, compared, rounds=300))
    return result


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("build/accuracy"))
    parser.add_argument("--people", type=int, default=400)
    options = parser.parse_args()
    pictures = photos(options.data, "lfw_grey")
    points, boxes, scores = faces(pictures, options.cache / "lfw_grey_faces.npz")
    names, person = np.unique([photo.person for photo in pictures], return_inverse=True)
    chosen = halves(options.data, names)
    embedder = OnnxEmbedder("dlib_resnet", mirrored=True)
    found = vectors(pictures, options.cache, embedder, "lfw_grey")
    first = np.flatnonzero(chosen[person] & np.r_[True, person[1:] != person[:-1]] & found.any(1))
    strangers = (found[first] @ found[first].T)[np.triu_indices(len(first), 1)]
    threshold = threshold_at_fmr(strangers.astype(np.float64), RATE)
    pairs = [i for i in first if i + 1 < len(person) and person[i + 1] == person[i] and found[i + 1].any()]
    some = pairs[: options.people]
    probes = [(pictures[i + 1], boxes[i + 1], points[i + 1]) for i in some]
    results = {"degraded probes": curve(embedder, probes, found[some], threshold)}
    faces_of = {i: face_of(pictures[i], boxes[i], points[i], STEPS["untouched"]) for p in pairs for i in (p, p + 1)}
    quality = {i: assess(face).scores["overall"] for i, face in faces_of.items()}
    plain = np.array([min(quality[i], quality[i + 1]) for i in pairs])
    genuine = (found[pairs] * found[[i + 1 for i in pairs]]).sum(1).astype(np.float64)
    results["discard, untouched"] = discard(plain, genuine, person[pairs], threshold)
    sure = np.array([min(scores[i], scores[i + 1]) for i in pairs])
    results["discard by the detector's score, untouched"] = discard(sure, genuine, person[pairs], threshold)
    steps = list(STEPS.values())
    picks = [steps[RNG.integers(len(steps))] if RNG.random() < 0.5 else STEPS["untouched"] for _ in some]
    spoilt = [face_of(*probe, pick) for probe, pick in zip(probes, picks, strict=True)]
    mixed = (templates(embedder, spoilt) * found[some]).sum(1).astype(np.float64)
    seen = np.array([assess(face).scores["overall"] for face in spoilt])
    results["discard, half degraded"] = discard(seen, mixed, person[some], threshold)
    for name in list(results)[1:]:
        print(name, results[name], flush=True)
    save("quality", results, sys.argv)


if __name__ == "__main__":
    main()
