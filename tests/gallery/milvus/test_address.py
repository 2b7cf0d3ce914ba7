"""Addresses, and that what is secret in them is never shown."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import GalleryBusy, MienError, UsageError
from mien.gallery.milvus import open_milvus
from mien.gallery.milvus.address import TOKEN, read_address

pytest.importorskip("pymilvus", reason="pymilvus is absent (pip install mien[milvus])")


def test_the_parts_of_an_address() -> None:
    short = read_address("milvus://db.example.org/people")
    assert (short.uri, short.database, short.collection, short.token) == (
        "http://db.example.org:19530",
        "",
        "people",
        "",
    )
    long = read_address("milvus+tls://db.example.org:443/site_a/people?timeout=5&consistency=strong&replicas=2")
    assert (long.uri, long.database, long.collection) == ("https://db.example.org:443", "site_a", "people")
    assert (long.timeout, long.consistency, long.replicas, long.shards) == (5, "Strong", 2, 1)
    assert read_address("milvus://[::1]:7/people").uri == "http://[::1]:7"


def test_a_secret_comes_from_the_environment_or_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, "root:one")
    monkeypatch.setenv("OTHER", "root:two")
    assert read_address("milvus://localhost/people").token == "root:one"
    assert read_address("milvus://localhost/people?token_env=OTHER").token == "root:two"
    assert read_address("milvus://ana:p%40ss@localhost/people").token == "ana:p@ss"
    with pytest.raises(UsageError, match="NOBODY"):
        read_address("milvus://localhost/people?token_env=NOBODY")


def test_a_secret_does_not_travel_in_the_open() -> None:
    with pytest.raises(UsageError, match="unencrypted"):
        read_address("milvus://ana:geheim@db.example.org/people")
    assert read_address("milvus+tls://ana:geheim@db.example.org/people").token == "ana:geheim"


@pytest.mark.parametrize(
    "address",
    [
        "milvus://",
        "milvus://host",
        "milvus://host/",
        "milvus:///people",
        "milvus://host/a/b/c",
        "milvus://host/people#part",
        "milvus://host:port/people",
        "milvus://host:99999/people",
        "milvus://host/1people",
        "milvus://host/pe ople",
        "milvus://host/people?tokens=x",
        "milvus://host/people?timeout=nan",
        "milvus://host/people?timeout=0",
        "milvus://host/people?consistency=perhaps",
        "milvus+tls://host/people?ca=/nowhere.pem",
    ],
)
def test_bad_addresses_are_refused_in_words(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_address(address)
    assert caught.value.remedy


@given(
    secret=st.text("abcXYZ019:@/?#%&= ", min_size=1, max_size=12).map(lambda text: f"q7{text}7q"),
    rest=st.sampled_from(["localhost/people", "localhost:x/people", "localhost", "/people?x=1", "localhost/p?y=2"]),
)
def test_no_text_made_of_an_address_holds_its_secret(secret: str, rest: str) -> None:
    try:
        address = read_address(f"milvus://ana:{secret}@{rest}")
    except MienError as error:
        assert secret not in str(error)
    else:
        assert secret not in repr(address) and secret not in address.shown and "ana" not in address.shown


def test_nobody_there_is_said_at_once_and_without_the_secret() -> None:
    began = time.monotonic()
    with pytest.raises(GalleryBusy) as caught:
        open_milvus("milvus://ana:geheim@127.0.0.1:1/people")
    assert time.monotonic() - began < 20
    assert "geheim" not in str(caught.value) and "127.0.0.1:1/people" in caught.value.message


def test_the_client_is_loaded_only_when_it_is_needed() -> None:
    code = "import sys, mien.gallery, mien.gallery.milvus; sys.exit('pymilvus' in sys.modules or 'grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
