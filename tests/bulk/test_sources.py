"""What folders, lists and buckets hold: in order, streamed, with everything that is wrong named."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.bulk import open_source
from mien.bulk.folders import Folder
from mien.bulk.items import Item, Problem
from mien.bulk.lists import ListFile
from mien.bulk.stores import fetch
from mien.errors import MediaNotFound, MienError, UnreadableMedia, UsageError
from mien.media import folder_per_person

Write = Callable[[Mapping[str, bytes | str]], Path]
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def taken(source: Any) -> list[tuple[str, str]]:
    return [(entry.subject, Path(entry.source).name) for entry in source.entries() if isinstance(entry, Item)]


def problems(source: Any) -> dict[str, str]:
    return {Path(entry.source).name: str(entry.error) for entry in source.entries() if isinstance(entry, Problem)}


# --- folders ----------------------------------------------------------------------------------------------------------


def test_a_folder_gives_what_folder_per_person_gives(photos: Write) -> None:
    names = [
        "ben/2.png",
        "ana/b/1.png",
        "ana/a.png",
        "ana/.hidden.png",
        "ana/notes.txt",
        "çelik/ü ñ.png",
        "x.jpg/1.png",
        "z",
    ]
    folder = photos(dict.fromkeys(names, PNG) | {"ana/notes.txt": "words"})
    (folder / "nobody").mkdir()
    source = Folder(str(folder))
    expected = [(name, path.name) for name, paths in folder_per_person(folder).items() for path in paths]
    assert taken(source) == expected
    assert source.passed == 3, "notes.txt, nobody, z"


def test_a_file_is_known_by_what_is_in_it_unless_its_name_says_it(photos: Write) -> None:
    source = Folder(str(photos({"ana/1": PNG, "ana/2.dat": b"no", "ana/3.jpg": b"", "ana/4.mp4": b"no"})))
    assert [name for _, name in taken(source)] == ["1", "3.jpg", "4.mp4"]
    assert source.passed == 1


def test_links_pipes_and_folders_that_cannot_be_read(photos: Write) -> None:
    folder = photos({"ana/1.png": PNG, "ana/deep/2.png": PNG, "ben/1.png": PNG, "lone.jpg": PNG})
    (folder / "ana" / "deep" / "round").symlink_to(folder / "ana")
    (folder / "ana" / "gone.jpg").symlink_to(folder / "nothing.jpg")
    (folder / "ana" / "ben").symlink_to(folder / "ben")
    os.mkfifo(folder / "ana" / "pipe.jpg")
    source = Folder(str(folder))
    assert taken(source) == [("ana", "1.png"), ("ana", "1.png"), ("ana", "2.png"), ("ben", "1.png")]
    assert set(problems(source)) == {"gone.jpg", "pipe.jpg", "lone.jpg"}


def test_a_folder_that_cannot_be_read_is_listed(photos: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos({"ana/1.png": PNG, "ben/1.png": PNG})
    real = os.scandir

    def scandir(path: str) -> Any:
        if path.endswith("ben"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("os.scandir", scandir)
    source = Folder(str(folder))
    assert taken(source) == [("ana", "1.png")]
    assert "cannot be read: Permission denied" in problems(source)["ben"]


def test_a_million_files_are_not_held(photos: Write) -> None:
    folder = photos({f"p{number:03d}/1.png": PNG for number in range(50)})
    walk = Folder(str(folder)).entries()
    next(walk)
    for number in range(10, 50):
        (folder / f"p{number:03d}" / "1.png").unlink()
    assert sum(isinstance(entry, Item) for entry in walk) == 9, "later folders were not read ahead"


@pytest.mark.parametrize(("name", "error"), [("", MediaNotFound), ("none", MediaNotFound), ("a.txt", UnreadableMedia)])
def test_no_folder(tmp_path: Path, name: str, error: type[MienError]) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(error):
        Folder(str(tmp_path / name) if name else "")


# --- lists ------------------------------------------------------------------------------------------------------------


def listed(tmp_path: Path, name: str, content: bytes | str, **options: Any) -> ListFile:
    for picture in ("a.jpg", "b c.jpg", "ü.jpg"):
        (tmp_path / picture).write_bytes(PNG)
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return ListFile(str(tmp_path / name), **options)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.csv", "subject,path,badge\n# a remark\n\nana,a.jpg,17\n  # another\nben,b c.jpg,\n"),
        ("l.csv", "\ufeffSubject,Path,badge\r\nana,a.jpg,17\r\nben,\"b c.jpg\",\"\"\r\n"),
        ("l.csv", "badge,path,subject\n17,a.jpg,ana\n,b c.jpg,ben"),
        ("l.tsv", "subject\tfile\tbadge\nana\ta.jpg\t17\nben\tb c.jpg\n"),
        ("l.txt", "subject\tfile\tbadge\nana\ta.jpg\t17\nben\tb c.jpg\n"),
        ("l.jsonl", '{"subject": "ana", "path": "a.jpg", "badge": "17"}\n# x\n{"subject": "ben", "path": "b c.jpg"}'),
        ("l", '{"subject": "ana", "path": "a.jpg", "metadata": {"badge": "17"}}\n{"subject": "ben", "path": "b c.jpg"}\n'),
    ],
)  # fmt: skip
def test_lists_of_every_kind(tmp_path: Path, name: str, content: str) -> None:
    entries = list(listed(tmp_path, name, content).entries())
    assert [(e.subject, Path(e.source).name, e.metadata) for e in entries if isinstance(e, Item)] == [
        ("ana", "a.jpg", {"badge": "17"}),
        ("ben", "b c.jpg", None),
    ]
    assert len(entries) == 2
    assert all(isinstance(entry, Item) and entry.stamp for entry in entries)


def test_two_columns_need_no_header(tmp_path: Path) -> None:
    assert taken(listed(tmp_path, "l.csv", "ana,a.jpg\nben,ü.jpg\n")) == [("ana", "a.jpg"), ("ben", "ü.jpg")]


def test_what_is_wrong_with_rows_is_told_by_line(tmp_path: Path) -> None:
    content = (
        b"subject,path\nana,a.jpg\n,a.jpg\nben\nzoe,a.jpg,more,cells\nx,none.jpg\n\xff\xfe,a.jpg\ncy,a.jpg\ndi,\0\n"
    )
    source = listed(tmp_path, "l.csv", content)
    assert taken(source) == [("ana", "a.jpg"), ("cy", "a.jpg")]
    assert set(problems(source)) == {"l.csv:3", "l.csv:4", "l.csv:5", "none.jpg", "l.csv:7", "l.csv:9"}


def test_json_rows_that_are_none(tmp_path: Path) -> None:
    source = listed(
        tmp_path, "l.jsonl", '[1]\n{"subject": 5, "path": "a.jpg"}\nno\n{"subject": "ana", "path": "a.jpg"}\n'
    )
    assert taken(source) == [("ana", "a.jpg")]
    assert set(problems(source)) == {"l.jsonl:1", "l.jsonl:2", "l.jsonl:3"}


@pytest.mark.parametrize("content", ["a,b,c\n1,2,3\n", "subject,path,path\nx,y,z\n", "ana;a.jpg\n", b"\xff\xfes\0"])
def test_a_list_that_does_not_say_who_and_where(tmp_path: Path, content: bytes | str) -> None:
    with pytest.raises(UsageError):
        list(listed(tmp_path, "l.csv", content).entries())


def test_a_row_over_several_lines_and_a_line_without_end(tmp_path: Path) -> None:
    content = (
        'subject,path,note\nana,a.jpg,"one\n# two, and still hers\nthree"\nben,a.jpg,'
        + "x" * (3 << 20)
        + "\ncy,a.jpg,\n"
    )
    source = listed(tmp_path, "l.csv", content)
    entries = [entry for entry in source.entries() if isinstance(entry, Item)]
    assert [entry.subject for entry in entries] == ["ana", "cy"]
    assert entries[0].metadata == {"note": "one\n# two, and still hers\nthree"}
    assert "longer than 1 MiB" in problems(source)["l.csv:5"]


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8).filter(str.strip),
            st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1, max_size=8),
        )
    )
)
def test_what_csv_writes_is_read_back(rows: list[tuple[str, str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([("subject", "url"), *((s, f"s3://b/{p}") for s, p in rows)])
    from mien.bulk.lists import _csv_rows, _Lines

    lines = _Lines(io.BytesIO(buffer.getvalue().encode()), "l")
    read = [(row[1]["subject"], row[1]["url"]) for row in _csv_rows(lines, ",") if not isinstance(row, Problem)]
    assert read == [(s, f"s3://b/{p}") for s, p in rows]


def test_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jpg").write_bytes(PNG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"subject,path\nana,a.jpg\n")))
    assert taken(open_source("-")) == [("ana", "a.jpg")]


@pytest.mark.parametrize("address", ["http://169.254.169.254/latest/", "https://example.org/a.jpg", "s3://other/a.jpg"])
def test_addresses_in_a_list_are_fetched_only_when_allowed(tmp_path: Path, address: str) -> None:
    rows = json.dumps({"subject": "ana", "url": address}) + "\n"
    assert "--allow-remote" in problems(listed(tmp_path, "l.jsonl", rows))[Path(address).name]
    (entry,) = listed(tmp_path, "l.jsonl", rows, allow_remote=True).entries()
    assert isinstance(entry, Item)
    assert entry.source == address


@pytest.mark.parametrize("address", ["ftp://x/a.jpg", "file:///etc/passwd", "simplecache::s3://b/a.jpg", "zip://a::/b"])
def test_other_addresses_are_never_fetched(tmp_path: Path, address: str) -> None:
    source = listed(tmp_path, "l.csv", f"subject,path\nana,{address}\n", allow_remote=True)
    assert len(problems(source)) == 1
    assert not taken(source)


# --- object storage ---------------------------------------------------------------------------------------------------

PEOPLE = {"ana/1.jpg": b"1", "ana/deep/2.png": b"22", "ben/1.jpg": b"333", "lone.jpg": b"4", "ben/notes.txt": b"5"}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a bucket with PEOPLE in it, on a server of its own."""
    server = pytest.importorskip("moto.server", reason="moto is absent")
    pytest.importorskip("s3fs", reason="s3fs is absent")
    import boto3

    from mien.bulk.stores import _file_system

    thread = server.ThreadedMotoServer(port=0, verbose=False)
    thread.start()
    host, port = thread.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="photos")
    for name, content in PEOPLE.items():
        client.put_object(Bucket="photos", Key=f"people/{name}", Body=content)
    client.put_object(Bucket="photos", Key="peoples/other/1.jpg", Body=b"no")
    _file_system.cache_clear()
    yield "s3://photos/people"
    _file_system.cache_clear()
    client.close()
    thread.stop()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_bucket_page_by_page(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.bulk.stores._PAGE", 2)
    source = open_source(f"{bucket}/")
    assert taken(source) == [("ana", "1.jpg"), ("ana", "2.png"), ("ben", "1.jpg")]
    assert set(problems(source)) == {"lone.jpg"}
    assert source.passed == 1
    entries = [entry for entry in source.entries() if isinstance(entry, Item)]
    assert [fetch(entry.source) for entry in entries] == [b"1", b"22", b"333"]
    assert len({entry.stamp for entry in entries}) == 3
    assert all(entry.stamp.split()[1] for entry in entries), "an ETag each"
    with pytest.raises(MediaNotFound):
        fetch("s3://photos/people/ana/none.jpg")
    with pytest.raises(MediaNotFound):
        list(open_source("s3://photos/nothing").entries())
    with pytest.raises(MienError):
        list(open_source("s3://nobucket/x").entries())


def test_any_file_system_of_fsspec() -> None:
    fsspec = pytest.importorskip("fsspec", reason="fsspec is absent")
    memory = fsspec.filesystem("memory")
    for name, content in PEOPLE.items():
        memory.pipe(f"/photos/people/{name}", content)
    source = open_source("memory://photos/people")
    assert taken(source) == [("ana", "1.jpg"), ("ana", "2.png"), ("ben", "1.jpg")]
    assert [fetch(entry.source) for entry in source.entries() if isinstance(entry, Item)] == [b"1", b"22", b"333"]
    memory.rm("/photos", recursive=True)
