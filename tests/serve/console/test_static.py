"""What the console's files are, how they are served, and what they never do. No browser is needed for these."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from mien.serve.console import STATIC, media_type, read, site

SCRIPTS = sorted(STATIC.rglob("*.js"))
# What makes markup or code of text, and what leaves the policy of no inline styles.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\b|new Function"
    r"|setAttribute\(\"style\"|setAttribute\(\"on"
)


def test_the_page_may_load_nothing_from_elsewhere_and_runs_no_script_of_its_own(http: TestClient) -> None:
    answer = http.get("/console/")
    policy = dict(one.split(" ", 1) for one in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text)
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_files_are_kept_for_good_under_a_digest_of_all_of_them(http: TestClient) -> None:
    page = http.get("/console/")
    assert page.headers["cache-control"] == "no-cache"
    for name in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        answer = http.get(f"/console/{name}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].split(";")[0] == media_type(name)
    old = http.get("/console/0123456789abcdef/app.js")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")


def test_what_did_not_change_is_not_sent_again(http: TestClient) -> None:
    tag = http.get("/console/").headers["etag"]
    again = http.get("/console/", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_a_changed_file_changes_the_addresses_of_all(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("{version}")
    (tmp_path / "a.js").write_text("1")
    before = read(tmp_path)
    (tmp_path / "a.js").write_text("2")
    after = read(tmp_path)
    assert before.version != after.version
    assert after.index == after.version.encode()


@pytest.mark.parametrize("name", ["nothing.js", "../routes.py", "%2e%2e/%2e%2e/app.py", "index.html", ""])
def test_other_files_are_not_there(http: TestClient, name: str) -> None:
    assert http.get(f"/console/{site().version}/{name}").status_code == 404


def test_the_way_in(http: TestClient) -> None:
    answer = http.get("/console", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, "console/")
    assert http.get("/").url.path == "/console/"
    assert http.head("/console/").status_code == 200


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_text_never_becomes_markup(path: Path) -> None:
    assert not FORBIDDEN.findall(path.read_text(encoding="utf8"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_load_only_files_that_are_there(path: Path) -> None:
    text = path.read_text(encoding="utf8")
    for target in re.findall(r'(?:from|import) "([^"]+)"', text):
        assert (path.parent / target).resolve().is_file(), target
    assert len(text.splitlines()) < 400


def test_what_is_imported_by_name_is_exported() -> None:
    for path in SCRIPTS:
        for names, target in re.findall(r'^import \{([^}]+)\} from "([^"]+)"', path.read_text(encoding="utf8"), re.M):
            other = (path.parent / target).resolve().read_text(encoding="utf8")
            text = path.read_text(encoding="utf8")
            for one in (each.strip() for each in names.split(",")):
                own, _, called = one.partition(" as ")
                made = rf"export (?:async )?(?:function|const|class) {own}\b|export \{{[^}}]*\b{own}\b"
                assert re.search(made, other), f"{path.name}: {one}"
                assert len(re.findall(rf"\b{re.escape(called or own)}\b", text)) > 1, f"{path.name}: {one} is not used"


def test_styles_load_nothing() -> None:
    for path in STATIC.glob("*.css"):
        assert not re.findall(r"url\(|@import|https?:", path.read_text(encoding="utf8")), path.name


def test_every_kind_of_file_is_part_of_the_package() -> None:
    assert {path.suffix for path in STATIC.rglob("*") if path.is_file()} == {".html", ".css", ".js", ".svg"}
