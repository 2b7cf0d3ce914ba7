"""What the liveness judge gets wrong, by species of attack, and what it costs beside the reference.

    python benchmarks/liveness.py rates --data ../shared/data          # needs the weights in a folder of MIEN_MODELS
    python benchmarks/liveness.py speed --data ../shared/data --reference Silent-Face-Anti-Spoofing

rates: bona fide are photos as their cameras took them; attacks are simulated presentations of the same photos
(`mien.learn.attacks`), and so are "bona fide, simulated": photos seen by the simulated camera. The threshold .5 is the
reference's; nothing is tuned here. Photos without a face stay in the denominator as "no answer". Intervals: people are drawn.
speed: `predict` of the reference, which reads its weights at every call, the same networks kept in memory, and ours; in
turns."""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from record import save

from mien import Engine, judge, read_image
from mien.judge.liveness import FAR, NEAR, Liveness, crop, usual_box
from mien.learn.attacks import BONA_FIDE, KINDS, simulate
from mien.types import Clip, Frame

AT = 0.5
SIDE = 480


def people(data: Path) -> dict[str, list[Path]]:
    """Photos by person."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((data / "faces" / "lfw10").glob("*/*.jpg")):
        found[f"lfw10/{path.parent.name}"].append(path)
    for path in sorted((data / "faces" / "celebrity_pairs").rglob("*.jpg")):
        found[f"celebrity_pairs/{path.stem}"].append(path)
    return found


def small(frame: Frame) -> Frame:
    """At most SIDE px a side, as a door camera delivers; the simulation takes time by the pixel."""
    scale = SIDE / max(frame.width, frame.height)
    if scale >= 1:
        return frame
    size = (round(frame.width * scale), round(frame.height * scale))
    return Frame(np.asarray(cv2.resize(frame.pixels, size, interpolation=cv2.INTER_AREA), np.uint8), frame.source)


def read(engine: Engine, one: Liveness, frame: Frame) -> float | None:
    """The score for live of the largest face; None where there is no answer."""
    faces = engine.faces(frame)
    return one.judge(Clip((faces[0],)))[0].scores.get("live") if faces else None


def rates(data: Path, seed: int) -> dict[str, Any]:
    """Share called live, called an attack and not answered, by what was presented."""
    engine, one = Engine(threads=1), judge.load("liveness")
    assert isinstance(one, Liveness)
    seen: dict[str, dict[str, list[float | None]]] = defaultdict(lambda: defaultdict(list))
    for number, (person, paths) in enumerate(people(data).items()):
        for path in paths:
            frame = small(read_image(path))
            seen[f"photo, {person.split('/')[0]}"][person].append(read(engine, one, frame))
            for kind in KINDS:
                name = "bona fide, simulated" if kind == BONA_FIDE else kind
                made = simulate(frame.pixels, kind, seed + number)
                seen[name][person].append(read(engine, one, Frame(made.pixels)))
        print(number, person, file=sys.stderr, flush=True)
    return {name: summary(scores) for name, scores in seen.items()}


def summary(scores: dict[str, list[float | None]]) -> dict[str, Any]:
    """Rates with a 95 % interval over people (bootstrap)."""
    parts = [
        np.array([[s is not None and s >= AT, s is not None and s < AT, s is None] for s in each])
        for each in scores.values()
    ]
    totals = np.array([part.sum(0) for part in parts])
    drawn = np.random.default_rng(0).integers(0, len(totals), (2000, len(totals)))
    shares = totals[drawn].sum(1) / totals[drawn].sum((1, 2))[:, None]
    low, high = np.percentile(shares, [2.5, 97.5], axis=0)
    whole = totals.sum(0) / totals.sum()
    names = ("live", "attack", "no answer")
    found = {name: {"value": whole[i], "low": low[i], "high": high[i]} for i, name in enumerate(names)}
    return {**found, "n": int(totals.sum()), "people": len(totals)}


def speed(data: Path, reference: Path, rounds: int) -> dict[str, Any]:
    """Median ms for one face, in turns."""
    import torch

    torch.set_num_threads(1)
    sys.path.insert(0, str(reference))
    module = importlib.import_module("src.anti_spoof_predict")
    names = sorted((reference / "resources" / "anti_spoof_models").glob("*.pth"))
    theirs = module.AntiSpoofPredict.__new__(module.AntiSpoofPredict)
    theirs.device = torch.device("cpu")
    kept = []
    for path in names:
        theirs._load_model(str(path))
        kept.append(theirs.model.eval())
    engine, one = Engine(threads=1), judge.load("liveness")
    assert isinstance(one, Liveness)
    frame = read_image(data / "spoof" / "image_T1.jpg")
    box = usual_box(engine.faces(frame)[0])
    blue = np.ascontiguousarray(frame.pixels[..., ::-1])

    def crops() -> list[Any]:
        return [crop(blue, box, wide) for wide in (NEAR, FAR)]

    def as_published() -> Any:
        return sum(theirs.predict(each, str(path)) for each, path in zip(crops(), names, strict=True)) / 2

    def in_memory() -> Any:
        with torch.inference_mode():
            tensors = [torch.from_numpy(each.transpose(2, 0, 1)[None]).float() for each in crops()]
            return sum(torch.softmax(net(x), 1).numpy() for net, x in zip(kept, tensors, strict=True)) / 2

    def ours() -> Any:
        return one.probabilities([(frame.pixels, box)])

    ways = {"reference's predict": as_published, "reference, weights kept": in_memory, "mien": ours}
    answers = [way()[0] for way in ways.values()]
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, way in ways.items():
            begun = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(each) * 1e3 for name, each in times.items()}
    return {
        "ms": medians,
        "ratio": {name: medians[name] / medians["mien"] for name in medians},
        "largest difference": float(np.ptp(np.stack(answers), axis=0).max()),
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["rates", "speed"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--reference", type=Path, help="Checkout of Silent-Face-Anti-Spoofing.")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    if asked.what == "rates":
        save("liveness_rates", rates(asked.data, asked.seed), sys.argv)
    else:
        save("liveness_speed", speed(asked.data, asked.reference, asked.rounds), sys.argv)


if __name__ == "__main__":
    main()
