"""The first key, and keys that replicas share."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.errors import UsageError
from mien.serve.first import first_key
from mien.serve.keys import Keys
from mien.serve.records import Records
from mien.serve.settings import Settings

SECRET = "one master secret for all replicas"


def replica(path: Path, **given: object) -> Settings:
    return Settings(data=path, secret=SECRET, **given)  # type: ignore[arg-type]


def keys(settings: Settings) -> Keys:
    return Keys(Records(settings.records), settings.master())


def test_the_first_key_is_made_once(tmp_path: Path) -> None:
    one = replica(tmp_path)
    made = first_key(one)
    assert made is not None
    assert keys(one).caller(made).role == "admin"
    assert first_key(one) is None


def test_a_key_of_one_replica_opens_the_others(tmp_path: Path) -> None:
    one, shared = replica(tmp_path / "one"), tmp_path / "keys"
    text = keys(one).make("ops 1", "operator", "north")
    shared.write_text(f"# shared\n\n{text.split('_')[1]} operator north ops 1\n")
    two = replica(tmp_path / "two", keys_file=shared)
    assert first_key(two) is None  # there is a key
    found = keys(two).caller(text)
    assert (found.name, found.role, found.tenant) == ("ops 1", "operator", "north")
    keys(two).revoke(found.key)
    first_key(two)  # a restart does not bring it back
    with pytest.raises(Exception, match="revoked"):
        keys(two).caller(text)


@pytest.mark.parametrize("line", ["abc", "xyz admin default", "6ab7a6123169 king default", "6ab7a6123169 admin ../.."])
def test_a_line_that_is_no_key_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "keys").write_text(f"# first\n{line}\n")
    with pytest.raises(UsageError, match="Line 2"):
        first_key(replica(tmp_path, keys_file=tmp_path / "keys"))
    with pytest.raises(UsageError, match="cannot be read"):
        first_key(replica(tmp_path, keys_file=tmp_path / "none"))
