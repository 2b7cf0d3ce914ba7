"""What tests put in place of models: a vector out of a file's bytes. A module of its own, so that other processes find it.

Run as a program it is a whole bulk run, for tests that kill it: python bulk_stub.py GALLERY SOURCE [OPTION=VALUE]...
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.bulk.makers import Failure, Job, Mark, Results
from mien.errors import NoFace
from mien.types import Sample, Template


@dataclass(frozen=True)
class Stub:
    """A plan whose makers read a file and make a vector of it.

    Contents with a meaning: none (no face), die (kill -9), die once (leaves a file beside), hang, crash (an error nobody
    foresaw). noise: another vector each time, as where another batch size or processor gives other bits."""

    delay: float = 0.0  # s a picture
    noise: bool = False
    space: str = "stub"

    def load(self) -> Stub:
        return self

    def make(self, jobs: Sequence[Job], mark: Mark) -> Results:
        results: Results = []
        for number, source in jobs:
            mark(number)
            failure = Failure(source)
            with failure:
                results.append((number, self.sample(source)))
            if failure.error is not None:
                results.append((number, failure.error))
        return results

    def sample(self, source: str) -> Sample:
        time.sleep(self.delay)
        content = Path(source).read_bytes()
        once = Path(f"{source}.once")
        if content == b"none":
            raise NoFace(f"No face was found in {source}.", "Give another.")
        if content == b"crash":
            raise ZeroDivisionError("nobody foresaw this")
        if content == b"hang":
            time.sleep(600)
        if content == b"die" or (content == b"die once" and not once.exists()):
            if content == b"die once":
                once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        seed = hashlib.sha256(content).digest()[:8]
        vector = np.random.default_rng(int.from_bytes(seed, "big")).normal(size=16)
        if self.noise:
            vector += np.random.default_rng().normal(scale=1e-6, size=16)
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        return Sample(Template(unit, self.space, 0.9), None, source)


def begun(outcome: object, told: list[bool] = []) -> None:  # noqa: B006 - once per process
    """Tells whoever is to kill this run that it is at work."""
    if not told:
        told.append(True)
        print("begun", flush=True)  # noqa: T201


def main(words: Sequence[str]) -> None:
    """One run; prints its counts."""
    import mien.bulk.writer
    from mien.bulk import Options, enrol
    from mien.gallery import open_gallery

    gallery, source, *more = words
    given = dict(word.split("=") for word in more)
    mien.bulk.writer.BATCH = int(given.get("batch", 256))
    options = Options(workers=int(given.get("workers", 1)), small=int(given.get("small", 64)))
    plan = Stub(float(given.get("delay", 0)), noise=given.get("noise") == "yes")
    with open_gallery(gallery) as people:
        outcome = enrol(people, source, plan=plan, options=options, progress=begun)
    print(outcome.samples, outcome.added, outcome.before, outcome.failed)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
