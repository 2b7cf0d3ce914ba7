"""Programs: the format, the built-ins, and what is wrong told with its line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mien.errors import InputError, MediaNotFound, UsageError
from mien.learn.synth import builtin
from mien.learn.synth.emotions import LETTERS, MIXES, letter
from mien.learn.synth.program import load_program
from mien.learn.synth.script import parse, unit_names
from mien.learn.synth.take import draw

WHOLE = """
seconds = 3.0
label_noise = 0.1

[habits]
blinks = 0

[[expression]]
label = "smile"
units = {AU12 = "C", AU6 = [0.2, "B"]}
onset = 0.5
apex = 0.9
offset = 1.6
side = "left"

[[expression]]
blend = {happiness = 0.75, surprise = 0.25}

  [expression.scene]
  yaw = 20
  weather = ["rain", ""]
"""


def test_a_program_is_what_its_text_says() -> None:
    program = parse(WHOLE, "p.toml")
    smile, both = program.expressions
    (event,) = smile.events
    assert event.units == {"AU12": (0.6, 0.6), "AU06": (0.2, 0.4)}
    assert (event.onset, event.side) == ((0.5, 0.5), "left")
    assert (event.rise[0], event.hold[0], event.fall[0]) == pytest.approx((0.4, 0.0, 0.7))
    assert [(name, weight) for name, weight, _ in both.parts] == [
        ("happiness", (0.75, 0.75)),
        ("surprise", (0.25, 0.25)),
    ]
    assert both.label == "happiness+surprise"
    assert both.stage is not None and both.stage.yaw == (20.0, 20.0) and both.stage.weather == ("rain", "")
    assert program.labels == ("smile", "happiness", "surprise")
    assert program.habits.blinks == 0 and program.habits.heart == (55.0, 95.0)
    assert program.name == "p"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[[expression]]\nlabel = "a\n', 2, "no TOML"),
        ('seconds = 2\n[[expression]]\nemotion = "happines"\n', 3, "no emotion 'happines'.*Did you mean 'happiness'"),
        ('[[expression]]\nlabel = "x"\nunits = {AU12 = "C", AU99 = "A"}\n', 3, "no action unit 'AU99'.*AU12"),
        ('[[expression]]\nlabel = "x"\nunits = {AU12 = "F"}\n', 3, "'F' is no intensity"),
        ('[[expression]]\nlabel = "x"\nunits = {AU12 = 1.2}\n', 3, "between 0 and 1"),
        ('[[expression]]\nemotion = "fear"\n\n[[expression]]\nemotion = "fear"\nrise = [2, 1]\n', 6, "the lower first"),
        ('[[expression]]\nemotion = "fear"\nonset = 1\napex = 0.5\noffset = 2\n', 4, "before what comes ahead"),
        ('[[expression]]\nemotion = "fear"\nonset = 1\napex = 1.5\n', 4, "onset, apex and offset"),
        ('[[expression]]\nemotion = "fear"\nonset = 9\n', 3, "9 s in a clip of 4 s"),
        ('[[expression]]\nblend = {fear = 0.5, anger = 0.4}\n', 2, "sum to 0.9"),
        ('[[expression]]\nblend = ["fear", "angst"]\n', 2, "no emotion 'angst'"),
        ('[[expression]]\nemotion = "fear"\nside = "top"\n', 3, "no side"),
        ('[habits]\nblink = 3\n[[expression]]\nemotion = "fear"\n', 2, "no 'blink' here"),
        ('[scene]\nweather = ["hail"]\n[[expression]]\nemotion = "fear"\n', 2, "no weather 'hail'"),
        ('[[expression]]\n  [[expression.event]]\n  emotion = "fear"\n  [[expression.event]]\n  emotion = "joy"\n', 5, "'joy'"),
        ('seconds = 0\n[[expression]]\nemotion = "fear"\n', 1, "between 0.01"),
        ('seconds = true\n[[expression]]\nemotion = "fear"\n', 1, "a number"),
        ("seconds = 2\n", 1, r"no \[\[expression\]\]"),
        ('[[expression]]\nunits = {AU12 = 1}\n', 1, "no label"),
        ('[[expression]]\nlabel = "x"\nonset = 1\n', 3, "belongs to no emotion"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(InputError, match=rf"(?s)bad\.toml, line {line}: .*{words}"):
        parse(text, "bad.toml")


@pytest.mark.parametrize("name", builtin.NAMES)
def test_built_in_programs_can_be_drawn(name: str) -> None:
    program = load_program(name)
    assert program.about
    for number, expression in enumerate(program.expressions):
        take = draw(program, expression, {}, (0, number))
        state = take.state(take.apex)
        assert set(state.units) <= set(unit_names())
        assert sum(take.soft.values()) == pytest.approx(1.0)


def test_micro_means_half_a_second_and_weak() -> None:
    program = load_program("micro")
    for number, expression in enumerate(program.expressions):
        for seed in range(30):
            take = draw(program, expression, {}, (seed, number))
            assert [one.kind for one in take.intervals] == ["micro"]
            assert max(max(pair) for pair in take.units(take.apex).values()) <= 0.4 + 1e-9


def test_spotting_has_both_kinds() -> None:
    program = load_program("spotting")
    kinds = {one.kind for seed in range(5) for one in draw(program, program.expressions[0], {}, (seed,)).intervals}
    assert kinds == {"micro", "macro"}


def test_units_that_most_people_show_are_always_drawn() -> None:
    rng = np.random.default_rng(0)
    for mix in MIXES.values():
        assert set(mix.always) <= set(mix.draw(rng))
    shares = np.mean(["AU06" in MIXES["happiness"].draw(rng) for _ in range(2000)])
    assert shares == pytest.approx(0.51, abs=0.04)
    assert {unit for mix in MIXES.values() for unit in (*mix.always, *mix.often)} <= set(unit_names())


def test_contempt_is_on_one_side() -> None:
    program = load_program("basic8")
    contempt = next(one for one in program.expressions if one.label == "contempt")
    sides = {draw(program, contempt, {}, (seed,)).intervals[0].units for seed in range(20)}
    assert sides == {("AU14L",), ("AU14R",)}


def test_letters_and_strengths_are_one_scale() -> None:
    assert {letter(strength): strength for strength in LETTERS.values()} == LETTERS
    assert letter(0.05) == "" and letter(0.11) == "A"


def test_the_digest_follows_what_is_drawn() -> None:
    assert parse(WHOLE, "p.toml").digest == parse(WHOLE + "\n# more", "p.toml").digest
    assert parse(WHOLE, "p.toml").digest != parse(WHOLE.replace("0.75", "0.7").replace("0.25", "0.3"), "p.toml").digest


def test_the_guides_program_can_be_drawn() -> None:
    page = (Path(__file__).parents[3] / "docs" / "guides" / "synthetic-faces.md").read_text(encoding="utf8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    program = parse(text, "guide.toml")
    assert [one.label for one in program.expressions] == ["happiness", "smirk", "many", "fear+surprise"]
    kinds = {one.kind for one in draw(program, program.expressions[1], {}, (0,)).intervals}
    assert kinds == {"micro"}


def test_what_is_no_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no program 'basics'.*basic8"):
        load_program("basics")
    with pytest.raises(MediaNotFound):
        load_program(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'about = "caf\xe9"\n')
    with pytest.raises(InputError, match="line 1: this is no UTF-8"):
        load_program(tmp_path / "latin.toml")
