"""Tables as people export them."""

from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from mien.errors import InputError, MediaNotFound, UnreadableMedia
from mien.learn.data.sheets import bare, sheets_of, table, text_of

WANTED = {"subject": (), "onset": ("OnsetFrame", "Onset Frame"), "emotion": ("Estimated Emotion",)}


def book(path: Path, rows: list[list[object]], sheet: str = "Sheet1") -> Path:
    made = Workbook()
    made.active.title = sheet
    for row in rows:
        made.active.append(row)
    made.save(path)
    return path


def test_titles_below_notes_and_whole_numbers(tmp_path: Path) -> None:
    rows = [
        ["SAMM"],
        ["notes", "more"],
        [],
        ["Subject ", "Onset Frame", "Estimated Emotion"],
        [6, 5562.0, "Anger"],
        [None],
        ["007", 1.5, " x "],
    ]
    read = table(book(tmp_path / "t.xlsx", rows), WANTED, ("subject", "onset"))
    assert read.rows == (
        ("row 5", {"subject": "6", "onset": "5562", "emotion": "Anger"}),
        ("row 7", {"subject": "007", "onset": "1.5", "emotion": "x"}),
    )
    assert not read.odd


@pytest.mark.parametrize(
    ("encoding", "odd"), [("utf-8", False), ("utf-8-sig", False), ("utf-16", False), ("cp1252", True)]
)
def test_encodings(tmp_path: Path, encoding: str, odd: bool) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("Subject,OnsetFrame\r\nZoë’s,1\r\n".encode(encoding))
    read = table(path, WANTED, ("subject",))
    assert read.rows == (("row 2", {"subject": "Zoë’s", "onset": "1", "emotion": ""}),) and read.odd == odd


def test_bytes_of_no_encoding_are_read_and_told(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes(b"a\x81\x8d\xff\n")
    text, odd = text_of(path)
    assert odd and text.startswith("a") and text.endswith("ÿ\n")


def test_other_delimiters_quotes_and_short_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('subject;onset;emotion\n"a;b";2\n;;\n')
    assert table(path, WANTED, ("subject",)).rows == (("row 2", {"subject": "a;b", "onset": "2", "emotion": ""}),)


def test_absent_titles_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("person,start\n1,2\n")
    with pytest.raises(InputError, match=r"t\.csv has no row with the titles subject; it begins with person, start"):
        table(path, WANTED, ("subject",))


def test_sheets_by_name(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", [[1, "anger1_1"]], "CASFEcode_final")
    assert sheets_of(path) == ("CASFEcode_final",)
    assert bare(path, "CASFEcode_final") == (("row 1", ["1", "anger1_1"]),)
    with pytest.raises(InputError, match="no sheet naming rule1; it has CASFEcode_final"):
        bare(path, "naming rule1")


def test_damaged_and_foreign_workbooks(tmp_path: Path) -> None:
    good = book(tmp_path / "good.xlsx", [["Subject"], [1]]).read_bytes()
    cut = tmp_path / "cut.xlsx"
    cut.write_bytes(good[: len(good) // 2])
    old = tmp_path / "old.xls"
    old.write_bytes(b"\xd0\xcf\x11\xe0" + bytes(100))
    other = tmp_path / "other.xlsx"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("hello.txt", "no workbook")
    for path, words in ((cut, "no workbook"), (old, "old format xls"), (other, "no workbook")):
        with pytest.raises(InputError, match=words):
            table(path, WANTED, ("subject",))
    with pytest.raises(MediaNotFound):
        table(tmp_path / "none.csv", WANTED, ("subject",))
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(UnreadableMedia, match="empty"):
        table(tmp_path / "empty.csv", WANTED, ("subject",))


def test_every_damage_of_a_workbook_is_one_sentence(tmp_path: Path) -> None:
    """Each byte of the sheet's XML spoilt in turn: read, or refused as an InputError; never another error."""
    source = zipfile.ZipFile(io.BytesIO(book(tmp_path / "good.xlsx", [["Subject", 5.0], [1, "x"]]).read_bytes()))
    sheet = source.read("xl/worksheets/sheet1.xml")
    for place in range(0, len(sheet), 23):
        path = tmp_path / "bad.xlsx"
        with zipfile.ZipFile(path, "w") as archive:
            for name in source.namelist():
                content = (
                    sheet[:place] + b"<" + sheet[place + 1 :] if name.endswith("sheet1.xml") else source.read(name)
                )
                archive.writestr(name, content)
        with contextlib.suppress(InputError):
            table(path, WANTED, ("subject",))
