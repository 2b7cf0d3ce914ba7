"""A table of a TOML file, read strictly: every key is asked for by its kind, and one that nobody asked for is an error.

Each error names the file and the key, so that whoever wrote the file knows what to mend.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from mien.errors import ModelError

_NAME = re.compile(r"[a-z0-9_]+")
_WEB = re.compile(r"https?://[^/?#\s\[\]]+([/?#].*)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
T = TypeVar("T")


def opened(path: Path) -> Table:
    """The top table of a card. Raises ModelError when the file cannot be read or is no TOML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The card {path} cannot be read: {error}.", "Give the path of a card in TOML.") from error
    try:
        return Table(tomllib.loads(text), path, "")
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"The card {path} is no TOML: {error}.", "Mend that line.") from error


_NEEDED: Any = object()


class Table:
    """A table of a card that knows where it stands and which of its keys were asked for."""

    def __init__(self, values: Mapping[str, Any], card: Path, where: str) -> None:
        self._values, self._card, self._where = values, card, where
        self._asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def bad(self, key: str, problem: str) -> ModelError:
        told = f"In the card {self._card} the key {self._where + key!r} {problem}."
        return ModelError(told, "Mend the card; docs/guides/models.md has an example.")

    def get(self, key: str, kind: type[T], default: Any = _NEEDED) -> T:
        self._asked.add(key)
        if key not in self._values:
            if default is _NEEDED:
                raise self.bad(key, "is missing")
            return cast(T, default)
        value = self._values[key]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.bad(key, f"is {value!r}, but a {kind.__name__} is wanted")
        if kind is int and cast(int, value) < 0:
            raise self.bad(key, f"is {value!r}, but cannot be negative")
        return value

    def word(self, key: str) -> str:
        value = self.get(key, str)
        if not _NAME.fullmatch(value):
            raise self.bad(key, f"is {value!r}, but may hold only a-z, 0-9 and _")
        return value

    def digest(self, key: str) -> str:
        value = self.get(key, str)
        if not _DIGEST.fullmatch(value):
            raise self.bad(key, f"is {value!r}, which is no SHA-256 (64 digits 0-9 a-f)")
        return value

    def web(self, key: str) -> str:
        value = self.get(key, str)
        if not _WEB.fullmatch(value):
            raise self.bad(key, f"is {value!r}, which is no http or https address")
        return value

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.get(key, str)
        if value not in allowed:
            raise self.bad(key, f"is {value!r}, but must be one of {', '.join(allowed)}")
        return value

    def numbers(self, key: str, count: int) -> tuple[float, ...]:
        """`count` numbers; a single one stands for all."""
        value = self.get(key, object)
        given: list[Any] = value if isinstance(value, list) else [value] * count
        if len(given) != count or any(isinstance(one, bool) or not isinstance(one, (int, float)) for one in given):
            raise self.bad(key, f"is {value!r}, but {count} numbers are wanted")
        return tuple(float(one) for one in given)

    def strings(self, key: str) -> list[str]:
        value = self.get(key, list, [])
        if any(not isinstance(one, str) for one in value):
            raise self.bad(key, "must be a list of strings")
        return value

    def texts(self, keys: tuple[str, ...]) -> dict[str, str]:
        made = {key: self.get(key, str) for key in keys if key in self}
        self.done()
        return made

    def table(self, key: str) -> Table:
        return Table(self.get(key, dict), self._card, f"{self._where}{key}.")

    def tables(self, key: str) -> list[Table]:
        value = self.get(key, list, [])
        if any(not isinstance(one, dict) for one in value):
            raise self.bad(key, "must be a list of tables")
        return [Table(one, self._card, f"{self._where}{key}[{i}].") for i, one in enumerate(value)]

    def record(self, kind: type[T]) -> T:
        """A dataclass of strings, floats and ints whose fields are the keys of the table."""
        values: dict[str, Any] = {}
        for spec in fields(cast(Any, kind)):
            wanted = str if "str" in str(spec.type) else int if str(spec.type).startswith("int") else float
            if spec.name in self:
                values[spec.name] = self.get(spec.name, wanted)
            elif spec.default is MISSING:
                raise self.bad(spec.name, "is missing")
        self.done()
        return kind(**values)

    def done(self) -> None:
        """Raises ModelError when the table holds a key that nobody asked for."""
        unknown = sorted(set(self._values) - self._asked)
        if unknown:
            raise self.bad(unknown[0], "is unknown")
