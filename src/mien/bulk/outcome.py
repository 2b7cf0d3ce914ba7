"""What a bulk run has done so far, and in the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcome:
    """Counts of one run. `photos` is all that were come across: samples + waiting + before + failed."""

    samples: int = 0  # pictures of which a template was made and is in the gallery
    waiting: int = 0  # pictures of which a template was made that is not in the gallery yet; 0 in the end
    added: int = 0  # templates among them that the gallery did not have
    before: int = 0  # pictures that an earlier run, or an earlier row, had finished
    failed: int = 0  # pictures, rows and folders that cannot be used, those of earlier runs included
    passed: int = 0  # files that are no pictures and were never meant as such
    poor: int = 0  # samples of a quality at which somebody is hard to know: a better picture is wanted
    looked: int = 0  # pictures that this run itself looked at
    workers: int = 1
    begun: float = field(default_factory=time.monotonic)
    seconds: float = 0.0  # of the whole run, loading of models included; set at the end

    @property
    def photos(self) -> int:
        """Pictures come to an end, one way or the other."""
        return self.samples + self.waiting + self.before + self.failed

    @property
    def known(self) -> int:
        """Samples whose template the gallery had, byte for byte."""
        return self.samples - self.added

    @property
    def rate(self) -> float:
        """Pictures looked at per second of this run."""
        seconds = self.seconds or time.monotonic() - self.begun
        return self.looked / seconds if seconds > 0 else 0.0
