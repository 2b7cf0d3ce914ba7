"""What a living face does besides expressing: blinks, glances, a head that is never still, a mouth that talks, a pulse.

All of it is a function of time and of what was drawn once from a seed, so a clip may be rendered in any order and at any
frame rate and shows the same.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from mien.learn.synth.timeline import Sides, ramp, rise_and_fall

_HARMONICS = ((1.0, 0.0), (0.45, 1.1), (0.15, 2.4))  # of a pulse wave at the skin: (strength, lag in radians)
_CREST = 1.4188  # greatest value of their sum, by which the wave is divided
_REFRACTORY = 0.5  # s; least time from blink to blink


@dataclass(frozen=True, slots=True)
class Smooth:
    """Noise of standard deviation 1 (over all time): sines of random phase, slower ones stronger."""

    waves: tuple[tuple[float, float, float], ...]  # strength, rad/s, phase

    def at(self, time: float) -> float:
        """Its value at a time in s."""
        return sum(strength * math.sin(speed * time + phase) for strength, speed, phase in self.waves)


def smooth(rng: np.random.Generator, low: float, high: float, count: int = 5) -> Smooth:
    """Noise between two frequencies in Hz."""
    frequencies = np.exp(rng.uniform(np.log(low), np.log(high), count))
    strengths = 1 / np.sqrt(frequencies)
    strengths *= math.sqrt(2.0) / np.linalg.norm(strengths)  # a sine of strength s has variance s² / 2
    rows = zip(strengths, 2 * np.pi * frequencies, rng.uniform(0, 2 * np.pi, count), strict=True)
    return Smooth(tuple((float(one), float(two), float(three)) for one, two, three in rows))


@dataclass(frozen=True, slots=True)
class Blink:
    """One closing of the lids."""

    onset: float  # s
    closed: float
    opening: float
    offset: float
    depth: float  # 1: shut

    def at(self, time: float) -> float:
        """0 open .. 1 closed."""
        return self.depth * rise_and_fall(time, self.onset, self.closed, self.opening, self.offset)


def blinks(rng: np.random.Generator, rate: float, seconds: float) -> tuple[Blink, ...]:
    """Blinks at a rate per minute. Times between them are gamma-distributed of shape 2: neither even nor bunched.

    It begins before the clip does, so the first second blinks as often as the last."""
    if rate <= 0:
        return ()
    mean = max(60.0 / rate - _REFRACTORY, 0.05)
    time, found = -30.0 * max(1.0, mean / 5), []
    while time < seconds:
        time += _REFRACTORY + rng.gamma(2.0, mean / 2)
        close, stay, reopen = rng.uniform(0.07, 0.11), rng.uniform(0.02, 0.06), rng.uniform(0.12, 0.2)
        depth = float(rng.uniform(0.85, 1.0))
        blink = Blink(time, time + close, time + close + stay, time + close + stay + reopen, depth)
        if blink.offset > 0 and blink.onset < seconds:
            found.append(blink)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Glances:
    """Gaze rests on a point and jumps to the next in `jump` s."""

    times: tuple[float, ...]  # s at which a jump begins; the first is before the clip
    points: tuple[tuple[float, float], ...]  # yaw, pitch in radians
    jump: float = 0.05

    def at(self, time: float) -> tuple[float, float]:
        """Yaw, pitch in radians."""
        number = max(0, bisect_right(self.times, time) - 1)
        (yaw, pitch), (yaw0, pitch0) = self.points[number], self.points[max(0, number - 1)]
        share = ramp((time - self.times[number]) / self.jump)
        return yaw0 + share * (yaw - yaw0), pitch0 + share * (pitch - pitch0)


def glances(rng: np.random.Generator, spread: float, seconds: float) -> Glances:
    """Points around straight ahead, `spread` radians of standard deviation (pitch half of it), 0.3 to 1.8 s each."""
    times = [-1.0]
    while times[-1] < seconds:
        times.append(times[-1] + float(rng.uniform(0.3, 1.8)))
    points = np.clip(rng.normal(0, 1, (len(times), 2)), -2, 2) * (spread, spread / 2)
    return Glances(tuple(times), tuple((float(one), float(two)) for one, two in points))


@dataclass(frozen=True, slots=True)
class Talk:
    """A mouth that speaks no words: syllables of 2 to 6 Hz under phrases of 1 to 2.5 s."""

    phrases: tuple[tuple[float, float], ...]  # s
    syllables: Smooth
    rounding: Smooth
    strength: float  # how far the jaw drops, 0..1

    def at(self, time: float) -> dict[str, Sides]:
        """Units of the mouth."""
        loud = max((rise_and_fall(time, a, a + 0.15, b - 0.15, b) for a, b in self.phrases), default=0.0)
        if not loud * self.strength:
            return {}
        open_ = loud * self.strength * min(1.0, max(0.0, 0.5 + 0.35 * self.syllables.at(time)))
        round_ = loud * self.strength * 0.5 * min(1.0, max(0.0, self.rounding.at(time)))
        return {"AU25": (open_, open_), "AU26": (0.8 * open_, 0.8 * open_), "AU18": (round_, round_)}


def talk(rng: np.random.Generator, strength: float, seconds: float) -> Talk:
    """Phrases with pauses of 0.3 to 1 s from before the clip to its end."""
    time, phrases = -float(rng.uniform(0, 3)), []
    while strength > 0 and time < seconds:
        end = time + float(rng.uniform(1.0, 2.5))
        phrases.append((time, end))
        time = end + float(rng.uniform(0.3, 1.0))
    return Talk(tuple(phrases), smooth(rng, 2.0, 6.0), smooth(rng, 0.8, 2.5, 3), strength)


@dataclass(frozen=True, slots=True)
class Pulse:
    """Blood volume in the skin: heart rate, its variability by slow waves (0.1 Hz) and by breathing, and breathing itself."""

    rate: float  # bpm, mean over all time
    slow: tuple[float, float]  # share of the rate, phase
    breath: tuple[float, float, float]  # share of the rate, Hz, phase
    start: float  # phase of the beat at 0 s, radians
    strength: float = 1.0

    def _swings(self) -> tuple[tuple[float, float, float], ...]:
        return (self.slow[0], 0.1, self.slow[1]), self.breath

    def rate_at(self, time: float) -> float:
        """bpm at a moment."""
        return self.rate * (1 + sum(a * math.sin(2 * math.pi * f * time + p) for a, f, p in self._swings()))

    def beats_at(self, time: float) -> float:
        """Beats since 0 s, a real number: the integral of the rate."""
        swing = sum(
            a / (2 * math.pi * f) * (math.cos(p) - math.cos(2 * math.pi * f * time + p)) for a, f, p in self._swings()
        )
        return self.rate / 60 * (time + swing)

    def at(self, time: float) -> float:
        """Blood volume against its mean, within -1..1 (times the strength); peaks are 1, and deeper breaths beat less."""
        phase = 2 * math.pi * self.beats_at(time) + self.start
        wave = sum(strength * math.cos(k * phase - lag) for k, (strength, lag) in enumerate(_HARMONICS, 1)) / _CREST
        _, frequency, angle = self.breath
        return self.strength * wave * (0.95 + 0.05 * math.sin(2 * math.pi * frequency * time + angle))

    def mean_rate(self, seconds: float) -> float:
        """bpm over a clip: beats by time."""
        return 60 * self.beats_at(seconds) / seconds if seconds > 0 else self.rate_at(0.0)


def pulse(rng: np.random.Generator, rate: float, variability: float, breath: float) -> Pulse:
    """A pulse of `rate` bpm whose rate has a standard deviation of `variability` (share), with `breath` breaths a minute."""
    one, two, three = (float(angle) for angle in rng.uniform(0, 2 * np.pi, 3))
    return Pulse(rate, (variability, one), (variability, breath / 60, two), three)
