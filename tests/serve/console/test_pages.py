"""Each page in a real browser: no error, no other host, names on all controls, contrast, a phone's width."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mien.serve.console import STATIC

LOOK = Path(__file__).with_name("look.js").read_text(encoding="utf8")
LONG = "Wolfeschlegelsteinhausen" * 6  # no place to break
PAGES = {
    "people/staff": "People",
    "person/staff/Ana%20Lima": "Ana Lima",
    "enrol/staff": "Enrol somebody",
    "identify/staff/photo": "Identify",
    "identify/staff/video": "Identify",
    "identify/staff/live": "Identify",
    "review/staff": "Review",
    "jobs": "Jobs",
    "thresholds/staff": "Thresholds",
    "audits": "Audits",
    "galleries": "Galleries",
    "models": "Models",
    "log": "Log",
    "log/receipts": "Log",
    "keys": "Keys",
    "more": "More",
}
WAYS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
}


def go(page: Any, place: str, title: str) -> None:
    """Go to a page by its hash and wait until it has stopped loading."""
    page.evaluate("place => { location.hash = `#/${place}`; }", place)
    page.wait_for_function(
        "title => document.querySelector('main h1')?.textContent === title && !document.querySelector('.loading, .spin')",
        arg=title,
    )


@pytest.mark.parametrize("way", WAYS)
def test_all_pages_stand_a_look(opened: Callable[..., Any], way: str) -> None:
    page = opened(**WAYS[way])
    faults = []
    for place, title in (PAGES | {f"person/staff/{LONG}": LONG}).items():
        go(page, place, title)
        assert page.title().endswith("· mien")
        faults += [f"{place}: {one}" for one in page.evaluate(LOOK)]
    assert not faults


def test_every_room_is_in_the_list_above() -> None:
    assert {one.split("/")[0] for one in PAGES} | {"signin", "job"} == {
        one.stem for one in (STATIC / "pages").glob("*.js")
    }


def test_sign_in_and_out(opened: Callable[..., Any], site: Any) -> None:
    page = opened(key="")
    page.expected.append("401")
    assert page.evaluate(LOOK) == []
    page.get_by_label("API key").fill("mien_of_nobody")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").get_by_text("The key is unknown.").wait_for()
    page.get_by_label("API key").fill(f"  {site.key}\n")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="People").wait_for()
    assert site.key not in page.evaluate(
        "JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie"
    )
    page.reload()
    page.get_by_role("heading", name="People").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    page.reload()
    page.get_by_role("heading", name="Sign in").wait_for()


def test_a_session_that_ended_asks_to_sign_in_again(opened: Callable[..., Any], site: Any) -> None:
    page = opened(key=site.key)
    page.expected.append("401")
    page.context.clear_cookies()
    page.get_by_role("link", name="Jobs").click()
    page.get_by_text("Your session has ended.").wait_for()


def test_a_reader_is_shown_only_what_readers_may(opened: Callable[..., Any], site: Any) -> None:
    page = opened(key=site.service.keys.make("Looks", "reader", "default"))
    rooms = page.get_by_role("navigation", name="Rooms").get_by_role("link").all_inner_texts()
    assert "Identify" in rooms
    assert not {"Keys", "Log", "Audits"} & set(rooms)
    assert page.get_by_role("link", name="Enrol somebody").count() == 0
    go(page, "person/staff/Ana%20Lima", "Ana Lima")
    assert page.get_by_role("button", name="Forget").count() == 0


def test_dark_by_the_system_and_by_hand(opened: Callable[..., Any]) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page = opened(color_scheme="dark")
    dark = page.evaluate(ground)
    toggle = page.get_by_role("button", name="Dark")
    assert toggle.get_attribute("aria-pressed") == "true"
    toggle.click()
    assert page.evaluate(ground) != dark
    page.reload()
    page.get_by_role("heading", name="People").wait_for()
    assert page.evaluate(ground) != dark
    assert page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "false"


def test_by_keyboard_alone(opened: Callable[..., Any], site: Any) -> None:
    page = opened(key=site.key)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("link", name="Jobs").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Jobs", exact=True).wait_for()
    page.wait_for_function("() => document.activeElement.tagName === 'H1'")
    assert page.get_by_role("link", name="Jobs").get_attribute("aria-current") == "page"


def test_what_has_focus_is_seen(opened: Callable[..., Any], site: Any) -> None:
    page = opened(key=site.key)
    for _ in range(12):
        page.keyboard.press("Tab")
        width, style = page.evaluate(
            "() => [getComputedStyle(document.activeElement)].map(one => [parseFloat(one.outlineWidth), one.outlineStyle])[0]"
        )
        assert width >= 2
        assert style != "none"


def test_motion_stops_where_it_is_not_wanted(opened: Callable[..., Any]) -> None:
    page = opened(reduced_motion="reduce")
    shown = "getComputedStyle(document.querySelector('.rooms a')).transitionDuration"
    assert page.evaluate(shown) in ("0s", "0s, 0s")


def test_the_page_tells_when_the_service_is_gone(opened: Callable[..., Any]) -> None:
    page = opened()
    page.expected.append("ERR_")
    page.route("**/v1/jobs*", lambda route: route.abort())
    page.get_by_role("link", name="Jobs").click()
    page.get_by_text("The service does not answer.").wait_for()
    page.unroute("**/v1/jobs*")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("alert").wait_for(state="detached")


def test_a_file_dropped_beside_its_place_does_not_replace_the_page(opened: Callable[..., Any]) -> None:
    page = opened()
    stopped = page.evaluate(
        """() => { const files = new DataTransfer(); files.items.add(new File(["x"], "x.png"));
        const event = new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true});
        const pictures = document.querySelector("script[type=module]").src.replace("app.js", "pictures.js");
        return import(pictures).then(() => !document.body.dispatchEvent(event)); }"""
    )
    assert stopped


def test_it_works_below_the_prefix_of_a_proxy(opened: Callable[..., Any], site: Any) -> None:
    page = opened(key=site.key)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url.removeprefix(site.url)))
    page.route("**/faces/**", lambda one: one.fulfill(response=one.fetch(url=one.request.url.replace("/faces/", "/"))))
    page.goto(f"{site.url}/faces/console/#/person/staff/Ana%20Lima")
    page.get_by_role("heading", name="Ana Lima").wait_for()
    page.wait_for_function("() => document.querySelector('.samples img')?.naturalWidth > 0")
    assert asked
    assert not [one for one in asked if not one.startswith("/faces/")]


def test_the_look_finds_faults(opened: Callable[..., Any]) -> None:
    page = opened()
    page.evaluate(
        """() => { const main = document.querySelector("main");
        const add = (tag, text) => { const one = document.createElement(tag); one.append(text); main.append(one); return one; };
        add("button", ""); add("h4", "Deep"); add("input", "");
        const pale = add("p", "Pale");
        pale.style.color = "#ccc"; pale.style.width = "3000px"; pale.id = "main"; }"""
    )
    found = " ".join(page.evaluate(LOOK))
    for one in (
        "no name: <button",
        "no name: <input",
        "heading 4 after 1",
        "contrast 1.",
        "id twice: main",
        "wider than",
    ):
        assert one in found
