"""An engine whose people are colours: a picture is a row of 64-px tiles, and each tile that is not black is a face."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import uvicorn
from fastapi import FastAPI
from PIL import Image

from mien import Clip, Engine, Face, Frame, OperatingPoint, Reading, Template, read_image
from mien.protocols import Needs

TILE = 64
RED, GREEN, BLUE, GREY = (220, 40, 40), (40, 220, 40), (40, 40, 220), (128, 128, 128)
SHADE = np.linspace(-25, 25, 64).astype(np.int16)[:, None, None]  # so that a tile has light and dark to be followed by
POINTS = np.array([[22, 26], [42, 26], [32, 38], [24, 48], [40, 48]], np.float32)


def picture(*people: tuple[int, int, int], noise: int = 0, form: str = "PNG") -> bytes:
    """An encoded picture that shows these people, left to right; black is nobody. `noise` tells two pictures apart."""
    pixels = np.zeros((TILE, TILE * max(1, len(people)), 3), np.int16)
    for place, colour in enumerate(people):
        pixels[:, place * TILE : (place + 1) * TILE] = colour
    if noise:
        pixels += np.random.default_rng(noise).integers(-6, 7, pixels.shape, np.int16) * (
            pixels.sum(2, keepdims=True) > 0
        )
        pixels[:, :, noise % 3] += (noise % 7) * (pixels.sum(2) > 0)
    file = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(file, form)
    return file.getvalue()


def frames(scenes: Sequence[Sequence[tuple[int, int, int]]], each: int, fps: float) -> Iterator[Frame]:
    """`each` frames of each scene, a scene being colours from left to right."""
    number = 0
    for scene in scenes:
        tiles = read_image(picture(*scene)).pixels.astype(np.int16)
        tiles += SHADE * (tiles.sum(2, keepdims=True) > 0)
        shown = np.clip(np.vstack([tiles, np.zeros_like(tiles)]), 0, 255).astype(np.uint8)
        for _ in range(each):
            yield Frame(shown, "film", number, number / fps)
            number += 1


class Colours:
    """Detector, embedder and quality judge at once."""

    name, space, kind, needs = "colours", "colours", "quality", Needs()

    def detect(self, frames: Sequence[Frame]) -> list[list[Face]]:
        return [self._faces(frame) for frame in frames]

    def _faces(self, frame: Frame) -> list[Face]:
        found = []
        for left in range(0, frame.width - TILE + 1, TILE):
            if frame.pixels[:TILE, left : left + TILE].mean() > 20:
                box = np.array([left, 0, left + TILE, TILE], np.float32)
                found.append(Face(frame, box, POINTS + np.array([left, 0], np.float32), 0.99))
        return found

    def embed(self, faces: Sequence[Face]) -> list[Template]:
        return [self._template(face) for face in faces]

    def _template(self, face: Face) -> Template:
        left, top, right, bottom = face.box.astype(int)
        mean = face.frame.pixels[top:bottom, left:right].reshape(-1, 3).mean(0) - 64
        vector = np.zeros(16, np.float32)
        vector[:3] = mean / np.linalg.norm(mean)
        return Template(vector / np.float32(np.linalg.norm(vector)), self.space)

    def judge(self, clip: Clip) -> list[Reading]:
        return [Reading("quality", {"overall": 0.9}, self.name)]


def engine() -> Engine:
    """An engine of colours; its evidence is made up."""
    made, one = Engine(threads=2), Colours()
    evidence = tuple(
        OperatingPoint(threshold, fmr, fmr / 2, fmr * 2, 1_000_000, 1_000, "colours", "colours")
        for threshold, fmr in ((0.90, 1e-2), (0.95, 1e-3), (0.97, 1e-4), (0.98, 1e-5))
    )
    made.__dict__.update(detector=one, embedder=one, judges=(one,), points=evidence)
    return made


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """The address of `app` on a real socket, in a thread of this process."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    ends = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < ends and thread.is_alive(), "the server does not start"
        time.sleep(0.01)
    try:
        yield "http://{}:{}".format(*server.servers[0].sockets[0].getsockname()[:2])
    finally:
        server.should_exit = True
        thread.join(20)
