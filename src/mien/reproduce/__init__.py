"""A published claim to a verdict: what is claimed, what is run, what counts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.reproduce.claim import Context, Reproduction

__all__ = ["CLAIMS", "run"]

# Name -> the system in one line. Each has a module of that name here, with `run(context) -> Reproduction`.
CLAIMS: Mapping[str, str] = {
    "cmnet": "A network on the whole face and its halves beats the same network without halves (expressions).",
    "emotion_cnn": "A network on merged data with augmentation and weighted sampling reaches 82 %; rare classes gain.",
    "fairness_fr": "Equal accuracy can hide very different error rates of groups (face recognition).",
    "fairness_fer": "Bias in the data of expression models: stereotypical bias propagates more strongly than representational.",
    "fer_tta": "Expression models adapt to shifted video by moving the few weights that Fisher information selects.",
    "longitudinal": "Comparison scores over 2.5 years: days differ by more than the trend over the whole period.",
    "midas": "Mixing pairs of clips with soft labels helps most where labels are ambiguous (expressions).",
    "pfip": "Preselection and packing find a face among 1,000 encrypted templates within 300 ms, hit rate 100 %.",
    "rdfer": "Agreement over clips of one video tells hard samples from wrongly labelled ones (expressions).",
    "spoof_backbones": "Against spoofs a compact network converges faster and generalises no worse than large ones.",
    "trust_faa": "One trustworthiness report for tools that analyse facial affect.",
}


def run(name: str, context: Context) -> Reproduction:
    """Run the claim of that name. Raises UsageError for a name there is not."""
    if name not in CLAIMS:
        near = difflib.get_close_matches(name, CLAIMS, n=1)
        remedy = f"Did you mean {near[0]}?" if near else f"Choose among {', '.join(sorted(CLAIMS))}."
        raise UsageError(f"There is no claim called {name!r}.", remedy)
    reproduction: Reproduction = import_module(f"mien.reproduce.{name}").run(context)
    return reproduction
