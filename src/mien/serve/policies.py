"""Fields of a request to a policy and a filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.decide import Policy
from mien.errors import UsageError
from mien.where import Where, parse

RATES = {
    "fmr": {"type": "number", "description": "False-match rate per comparison."},
    "fpir": {"type": "number", "description": "Share of strangers that may be taken for somebody enrolled."},
    "threshold": {"type": "number", "description": "A cosine to decide at, without evidence."},
    "margin": {"type": "number", "description": "Least lead over the runner-up; less abstains."},
}
FILTER = {"where": {"type": "string", "description": "Only those of whom it is true, such as site = 'north'."}}


def policy(fields: Mapping[str, Any], otherwise: Policy | None = None) -> Policy:
    """What `fields` ask for; `otherwise` when they name none of RATES. Raises UsageError."""
    given: dict[str, Any] = {name: number(fields[name], name) for name in RATES if fields.get(name) not in (None, "")}
    return Policy(**given) if given else otherwise or Policy()


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
    except ValueError:
        raise UsageError(f"{name} is no number: {str(value)[:40]!r}.", "Send one such as 0.001.") from None
