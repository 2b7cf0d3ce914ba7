"""What may be a subject's name, and what may be noted about a subject."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from mien.errors import BadSubject, InputError

LONGEST_NAME = 256  # characters after normalisation
LARGEST_METADATA = 64 * 1024  # bytes of JSON

# They reorder what a terminal or a page shows, so that one name can pose as another.
_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def subject_name(text: str) -> str:
    """The one spelling of a subject's name: Unicode NFC (composed and decomposed é are one), no outer spaces.

    Spaces, slashes, emoji and every script are fine; upper and lower case differ. Raises BadSubject.
    """
    if not isinstance(text, str):
        raise BadSubject(f"A subject's name is text, not {type(text).__name__}.", "Give the name as a string.")
    # A megabyte is not worth normalising: NFC shortens a text at most by the combining marks it absorbs.
    if len(text) > 8 * LONGEST_NAME:
        raise _too_long(text)
    name = unicodedata.normalize("NFC", text.strip())
    if not name:
        raise BadSubject("A subject's name is empty.", "Give at least one visible character.")
    if len(name) > LONGEST_NAME:
        raise _too_long(name)
    for character in name:
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _BIDI_OVERRIDES:
            raise BadSubject(
                f"The subject's name {name[:40]!r} holds the control character U+{ord(character):04X}.",
                "Take it out of the name.",
            )
    if all(unicodedata.category(character) in ("Cf", "Zs") for character in name):
        raise BadSubject("A subject's name has nothing that can be seen.", "Give at least one visible character.")
    return name


def _too_long(name: str) -> BadSubject:
    return BadSubject(
        f"The subject's name {name[:20]!r}… has {len(name)} characters; {LONGEST_NAME} is the most.",
        "Shorten it, and keep the long form in the metadata.",
    )


def metadata_text(metadata: Mapping[str, Any]) -> str:
    """Metadata as JSON text with sorted keys. Raises InputError for what is no JSON object or too large."""
    if not isinstance(metadata, Mapping) or not all(isinstance(key, str) for key in metadata):
        raise InputError("Metadata is not a mapping with text keys.", "Give a JSON object such as {'badge': 17}.")
    try:
        text = json.dumps(dict(metadata), allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"Metadata cannot be written as JSON: {error}.",
            "Use text, finite numbers, true, false, null, lists and objects.",
        ) from error
    if len(text) > LARGEST_METADATA:
        raise InputError(
            f"Metadata takes {len(text)} bytes as JSON; {LARGEST_METADATA} is the most.",
            "Keep large things elsewhere and note where they are.",
        )
    return text
