"""Every text of the console can be read: contrast of the palette by WCAG 2.2, in light and in dark."""

from __future__ import annotations

import re

import pytest

from mien.serve.console import STATIC

_COLOUR = re.compile(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)")
TOKENS = {name: pair for name, *pair in _COLOUR.findall((STATIC / "tokens.css").read_text(encoding="utf8"))}
TEXT = [
    *((ink, ground) for ink in ("ink", "soft", "lead", "lead-deep", "bad") for ground in ("paper", "card")),
    *((ink, "sunk") for ink in ("ink", "soft")),
    ("on-lead", "lead"), ("on-lead", "lead-deep"), ("lead-deep", "lead-tint"), ("paper", "ink"),
    *((kind, f"{kind}-tint") for kind in ("good", "doubt", "bad", "calm")),
    *(("ink", f"{kind}-tint") for kind in ("good", "doubt", "bad", "calm", "lead")),
    *(("soft", f"{kind}-tint") for kind in ("bad", "doubt", "calm", "good")),
]  # fmt: skip
SHAPES = [("edge", "card"), ("edge", "paper"), ("lead", "card"), ("lead", "paper"), ("good", "card"), ("doubt", "card")]


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_is_right() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT, ids=lambda name: str(name))
def test_text_stands_out(ink: str, ground: str, scheme: int) -> None:
    assert contrast(TOKENS[ink][scheme], TOKENS[ground][scheme]) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("line", "ground"), SHAPES, ids=lambda name: str(name))
def test_controls_and_marks_stand_out(line: str, ground: str, scheme: int) -> None:
    assert contrast(TOKENS[line][scheme], TOKENS[ground][scheme]) >= 3
