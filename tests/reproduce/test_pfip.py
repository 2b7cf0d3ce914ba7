"""Encrypted search: what is timed is right, the sums are right, and what cannot be tested says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.audit.document import encode
from mien.reproduce import pfip, pfip_people, pfip_timing
from mien.reproduce import pfip_rivals as rivals
from mien.reproduce.claim import Context, Reproduction
from mien.reproduce.pfip import Plan

TINY = Plan(64, 0, 2, (3, 0), 20, 4, 0, (20,), 40)


def test_simulated_probes_have_the_cosines_they_should() -> None:
    people = pfip_people.simulated(500, 2000, (0.6, 0.05), 0)
    cosines = np.sum(people.gallery[people.mate] * people.probes, axis=1)
    assert abs(cosines.mean() - 0.6) < 0.01
    assert abs(cosines.std() - 0.05) < 0.01
    others = people.gallery[:250] @ people.gallery[250:].T
    assert 90 < 1 / others.std() ** 2 < 190  # independent directions


def test_ratios_are_of_medians_and_keep_rounds_together() -> None:
    slow = np.array([10.0, 12.0, 11.0, 30.0, 10.5])
    found = pfip_timing.ratio(2 * slow, slow)
    assert (found.value, found.low, found.high, found.n) == (2, 2, 2, 5)
    assert pfip_timing.median(slow).value == 11


def test_works_take_turns_and_steps_keep_their_order() -> None:
    order: list[str] = []
    works = {name: lambda name=name: order.append(name) for name in ("a: 1", "a: 2", "b")}
    times = pfip_timing.in_turns(works, rounds=9, warm=1)  # type: ignore[arg-type]
    turns = {tuple(order[start : start + 3]) for start in range(0, 30, 3)}
    assert turns == {("a: 1", "a: 2", "b"), ("b", "a: 1", "a: 2")}
    assert [len(one) for one in times.values()] == [9, 9, 9]


@pytest.mark.skipif(not rivals.available(), reason=rivals.MISSING)
def test_rivals_give_the_scores_they_should() -> None:
    people = pfip_people.simulated(80, 1, (0.9, 0.01), 3)
    from mien.gallery.sealed.preselection import components

    built = rivals.Rebuild(people.gallery, components(people.others, 64))
    built.encrypt(people.probes[0])
    built.coarse()
    built.choose()
    built.fine()
    assert built.decide() == people.mate[0]
    fine = [built.seal.decrypt(one)[0] for one in built.state["fine"]]
    assert np.allclose(fine, people.gallery[built.state["chosen"]] @ people.probes[0], atol=1e-4)
    scores = rivals.Naive(people.gallery[:2]).search(people.probes[0])
    assert np.allclose(scores, people.gallery[:2] @ people.probes[0], atol=1e-4)


@pytest.fixture(scope="module")
def tiny() -> Reproduction:
    return pfip.run(Context(), TINY)


def named(done: Reproduction, words: str) -> pfip.Check:
    (found,) = [check for check in done.checks if words in check.words]
    return found


def test_what_does_not_depend_on_the_machine_holds(tiny: Reproduction) -> None:
    for words in ("within 1e-4", "exact profile", "comes first sealed", "8 KiB", "named the right person"):
        assert named(tiny, words).holds, words


def test_what_is_not_at_hand_is_not_tested(tiny: Reproduction) -> None:
    assert "lfw_grey.zip is not at hand" in named(tiny, "on photos").words
    assert named(tiny, "on photos").holds is None


def test_a_report_is_written(tiny: Reproduction) -> None:
    encode(tiny.report)
    assert "times" not in tiny.report.headline or tiny.report.headline
    assert set(tiny.report.tables) == {"Times, ms of CPU", "Bytes", "Preselection"}
    assert {"plain", "rebuild", "naive"} >= {name.split(": ")[1] for name in tiny.baseline}


def test_without_tenseal_the_rivals_are_untested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "available", lambda: False)
    done = pfip.run(Context(), TINY)
    untested = [check for check in done.checks if rivals.MISSING in check.words]
    assert len(untested) == 3
    assert {check.holds for check in untested} == {None}
    encode(done.report)


@pytest.mark.slow
def test_on_photos(data: Path) -> None:
    done = pfip.run(Context(data=data), TINY)
    assert named(done, "shortlist of 10").words.endswith("lfw_grey, 20 people")
    assert done.made["data"] == ["simulated templates", "lfw_grey.zip"]
