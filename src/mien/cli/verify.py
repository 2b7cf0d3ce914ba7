"""`mien verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mien import wire
from mien.cli import words
from mien.cli.group import verb
from mien.cli.options import with_engine, with_policy
from mien.cli.output import Output, answers

if TYPE_CHECKING:
    from mien.decide import Policy
    from mien.engine import Engine
    from mien.types import Decision

CODES = {"accept": 0, "reject": 1, "abstain": 2}
SAYING = {"accept": "the same person", "reject": "different people", "abstain": "cannot tell"}


@verb("verify")
@click.argument("one", metavar="PICTURE")
@click.argument("other", metavar="PICTURE")
@with_policy(many=False)
@with_engine(judges=True)
@answers
def command(one: str, other: str, engine: Engine, policy: Policy, out: Output) -> int:
    """Exit code: 0 accept (the same person), 1 reject (different people), 2 abstain (cannot tell), 64 and above errors.

    Each picture must show one person. Without --fmr the decision is made where 1 in 1,000 pairs of different people
    would pass for one."""
    decision = engine.verify(one, other, policy)
    record = wire.encode(decision)
    point = record["threshold"]
    out.answer(
        record,
        [
            ("verdict", decision.verdict),
            ("meaning", _meaning(decision)),
            ("score", decision.score),
            ("threshold", point["threshold"] if point else None),
            ("evidence", words.evidence(point)),
            *(("reason", reason) for reason in decision.reasons),
        ],
    )
    return CODES[decision.verdict]


def _meaning(decision: Decision) -> str:
    """A reject says that people differ only where their scores do: a failed requirement rejects the same person too."""
    point, score = decision.threshold, decision.score
    if decision.verdict == "reject" and point is not None and score is not None and score >= point.threshold:
        return "alike enough, but what is required was not met"
    return SAYING[decision.verdict]
