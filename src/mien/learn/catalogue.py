"""All recipes by name. Light: a recipe's module, and torch with it, is imported when it is asked for."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields, replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.learn.recipe import Recipe

# Name -> (class, what it is in one line). The module has the recipe's name.
RECIPES: dict[str, tuple[str, str]] = {
    "emotion_cnn": ("EmotionCnn", "Merged data sets, augmentation off and on line, weighted sampling (Kirbiz 2025)."),
    "cmnet": ("Cmnet", "Whole face and its halves, salient refinement, half-face alignment (CMNet, TIP 2026)."),
    "fairness_fer": ("FairnessFer", "An expression network trained on data that were biased on purpose."),
    "midas": ("Midas", "Pairs of clips mixed, with soft labels (MIDAS 2025)."),
    "rdfer": ("Rdfer", "Hard clips told from wrongly labelled ones by agreement (RDFER 2025)."),
    "spoof_backbones": ("SpoofBackbones", "MobileNetV2, ResNet-50 or ViT against simulated presentation attacks."),
    "expression_fer": ("ExpressionFer", "The expression judge that mien ships: small residual network on FER2013."),
}

NEEDED = ("torch", "lightning", "onnx", "onnxscript", "tomlkit", "tensorboardX")  # of mien[learn]


def recipe(name: str, changes: Mapping[str, str] | None = None) -> Recipe:
    """A recipe with some of its fields changed, as `--set field=value` writes them.

    Raises UsageError for an unknown name or field, a value that is none, or absent packages."""
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=2)
        raise UsageError(
            f"There is no recipe '{name}'.",
            f"Did you mean {' or '.join(near)}?" if near else "`mien learn` lists them.",
        )
    need_extra()
    made = getattr(import_module(f"mien.learn.recipes.{name}"), RECIPES[name][0])()
    return changed(made, changes or {})


def changed(made: Recipe, changes: Mapping[str, str]) -> Recipe:
    """The recipe with fields set from words. Raises UsageError."""
    held = {one.name: getattr(made, one.name) for one in fields(made)}
    values: dict[str, Any] = {}
    for key, word in changes.items():
        if key not in held:
            raise UsageError(f"The recipe {made.name} has no '{key}'.", f"It has {', '.join(sorted(held))}.")
        values[key] = _value(made.name, key, held[key], word)
    return replace(made, **values)


def _value(recipe: str, key: str, held: Any, word: str) -> Any:
    """A word as the kind of value that the field has."""
    try:
        if isinstance(held, bool):
            return {"true": True, "yes": True, "false": False, "no": False}[word.lower()]
        if isinstance(held, (int, float)):
            value = type(held)(word)
            if value != value or (key in ("epochs", "batch") and value < 1):
                raise ValueError(word)
            return value
        if isinstance(held, tuple):
            parts = word.split(",")
            if held and len(parts) != len(held):
                raise ValueError(word)
            return tuple(type(old)(part) for old, part in zip(held, parts, strict=True)) if held else tuple(parts)
    except (ValueError, KeyError) as error:
        raise UsageError(f"'{word}' is no value for {key} of {recipe}, which is now {held}.") from error
    return word


def absent() -> list[str]:
    """Packages of the extra `learn` that are not installed."""
    return [name for name in NEEDED if find_spec(name) is None]


def need_extra() -> None:
    """Say at once which packages are missing. Raises UsageError."""
    if missing := absent():
        raise UsageError(f"This needs {', '.join(missing)}, not installed here.", 'Run: pip install "mien[learn]".')
