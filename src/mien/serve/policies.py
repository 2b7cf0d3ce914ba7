"""How sure an answer must be: the policy that an operator set for a gallery, and what a request asks for instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mien.decide import Policy
from mien.errors import UsageError
from mien.serve.records import Records
from mien.where import Where, parse

_TABLES = """
CREATE TABLE IF NOT EXISTS policy (
    tenant TEXT NOT NULL, gallery TEXT NOT NULL, rules TEXT NOT NULL, PRIMARY KEY (tenant, gallery)
) STRICT;
"""
_TARGETS = ("fmr", "fpir", "threshold")
_USUAL = Policy()

RATES = {
    "fmr": {"type": "number", "description": "False-match rate per comparison."},
    "fpir": {"type": "number", "description": "Share of strangers that may be taken for somebody enrolled."},
    "threshold": {"type": "number", "description": "A cosine to decide at, without evidence."},
    "margin": {"type": "number", "description": "Least lead over the runner-up; less abstains."},
}
FILTER = {"where": {"type": "string", "description": "Only those of whom it is true, such as site = 'north'."}}


class Requirement(BaseModel):
    """What a judge must have read."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=60, description="What is read, such as liveness.")
    label: str = Field(max_length=60)
    least: float = Field(ge=0, le=1, allow_inf_nan=False)


class Rules(BaseModel):
    """A gallery's policy on the wire. One target, or none for the default: 1 stranger in 100 named."""

    model_config = ConfigDict(extra="forbid")

    fmr: float | None = Field(default=None, gt=0, lt=1, description=RATES["fmr"]["description"])
    fpir: float | None = Field(default=None, gt=0, lt=1, description=RATES["fpir"]["description"])
    threshold: float | None = Field(default=None, ge=-1, le=1, description=RATES["threshold"]["description"])
    margin: float = Field(default=0.0, ge=0, le=2, description=RATES["margin"]["description"])
    require: list[Requirement] = Field(default=[], max_length=10)
    quality: float = Field(default=_USUAL.quality, ge=0, le=1, description="Below it nobody is told to be a stranger.")
    floor: float = Field(default=_USUAL.floor, ge=0, le=1, description="Below it there is no answer.")
    review: bool = Field(default=False, description="Put doubtful identifications into the review queue.")
    close: float = Field(
        default=0.03, ge=0, le=2, description="How near to the threshold, or to the runner-up, is doubtful."
    )

    def policy(self) -> Policy:
        """The policy. Raises UsageError for several targets."""
        given = self.model_dump(exclude={"require", "review", "close"})
        return Policy(**given, require=tuple((one.kind, one.label, one.least) for one in self.require))


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for a gallery until somebody says otherwise."""

    rules: Rules = field(default_factory=lambda: Rules())
    policy: Policy = field(default_factory=Policy)
    set: bool = False  # by an operator


class Policies:
    """The policies of galleries, in the records."""

    def __init__(self, records: Records) -> None:
        self._records = records
        records.keep(_TABLES)

    def of(self, tenant: str, gallery: str) -> Standing:
        """What holds for a gallery."""
        with self._records.look() as db:
            row = db.execute("SELECT rules FROM policy WHERE tenant = ? AND gallery = ?", (tenant, gallery)).fetchone()
        if row is None:
            return Standing()
        rules = Rules.model_validate_json(row["rules"])
        return Standing(rules, rules.policy(), True)

    def keep(self, tenant: str, gallery: str, rules: Rules) -> None:
        """Let `rules` hold from now on."""
        with self._records.change() as db:
            db.execute("INSERT OR REPLACE INTO policy VALUES (?, ?, ?)", (tenant, gallery, rules.model_dump_json()))

    def drop(self, tenant: str, gallery: str) -> None:
        """Go back to the defaults."""
        with self._records.change() as db:
            db.execute("DELETE FROM policy WHERE tenant = ? AND gallery = ?", (tenant, gallery))


def asked(fields: Mapping[str, Any]) -> dict[str, float]:
    """Those of RATES that a request names. Raises UsageError."""
    found = {name: number(fields[name], name) for name in RATES if fields.get(name) not in (None, "")}
    replace(_USUAL, **found)  # type: ignore[arg-type]  # refuses what makes no sense
    return found


def policy(fields: Mapping[str, Any], otherwise: Policy | None = None) -> Policy:
    """What `fields` ask for; in all else `otherwise`. A target that is named takes the other's place. Raises UsageError."""
    given: dict[str, Any] = asked(fields)
    if any(name in given for name in _TARGETS):
        given = dict.fromkeys(_TARGETS) | given
    return replace(otherwise or Policy(), **given)


def where(fields: Mapping[str, Any]) -> Where | None:
    """The filter in `fields`. Raises UsageError."""
    text = fields.get("where")
    if text in (None, ""):
        return None
    if not isinstance(text, str):
        raise UsageError("'where' is no text.", "Write a filter such as site = 'north'.")
    return parse(text)


def number(value: Any, name: str) -> float:
    """A field that is a number, also as text (multipart has no other). Raises UsageError."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise UsageError(f"{name} is no number.", "Send one such as 0.001.")
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise UsageError(f"{name} is no number: {str(value)[:40]!r}.", "Send one such as 0.001.") from None
