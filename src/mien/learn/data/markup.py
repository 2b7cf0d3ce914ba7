"""XML that comes with data sets: elements and attributes, and nothing that a document may declare beside them."""

from __future__ import annotations

import os
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from mien.errors import InputError
from mien.media.door import content_of, shown

LARGEST = 16_000_000  # bytes
DEEPEST = 64  # elements within elements


class _Refused(Exception):
    """The document declares what a description of a recording does not need."""


def read_xml(path: str | os.PathLike[str]) -> Element:
    """The root element. Raises MediaNotFound, UnreadableMedia; InputError for damaged XML and for one that declares
    entities (which may grow without end, or read other files)."""
    data = content_of(path, LARGEST)
    builder, depth = TreeBuilder(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise _Refused("it is nested too deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: Any) -> Any:
        raise _Refused("it declares entities")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, _Refused, AssertionError, LookupError, ValueError) as error:
        raise InputError(f"{shown(path)} is no XML to read: {error}.", "Copy or download it again.") from error
