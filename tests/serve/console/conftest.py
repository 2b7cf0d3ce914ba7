"""A service with its console on a real port, and a real browser; one of each for all tests of this folder.

They end with the folder's last test, not with the session: while Playwright is at work its event loop counts as running in
this thread, and no other test could use asyncio."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)
MARKUP = "<img src=x onerror=alert(1)>"
PERSIAN = "علی رضایی"
SLASHED = 'Jo "JJ" O\'Neil / Sales'
LONG = "Wolfeschlegelsteinhausen" * 6

_held: dict[str, Any] = {}  # what was started
_closing = ExitStack()


def _once(name: str, start: Callable[[], AbstractContextManager[Any]]) -> Any:
    if name not in _held:
        _held[name] = _closing.enter_context(start())
    return _held[name]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """End what was started when the next test is of another folder."""
    try:
        return (yield)
    finally:
        if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
            _held.clear()
            _closing.close()


@dataclass(frozen=True)
class Site:
    """A running service."""

    url: str
    key: str  # an admin's
    service: Any
    stubs: ModuleType


@pytest.fixture(scope="session")
def colours() -> ModuleType:
    """`tests/serve/stubs.py`."""
    if "serve_stubs" not in sys.modules:
        place = Path(__file__).parents[1] / "stubs.py"
        spec = importlib.util.spec_from_file_location("serve_stubs", place)
        assert spec is not None and spec.loader is not None
        sys.modules["serve_stubs"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["serve_stubs"])
    return sys.modules["serve_stubs"]


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, colours: ModuleType) -> Site:
    """A service of colours with a few people in `staff`, on a port of its own."""
    found: Site = _once("site", lambda: _served(tmp_path_factory.mktemp("console") / "service", colours))
    return found


@contextmanager
def _served(data: Path, colours: ModuleType) -> Iterator[Site]:
    import uvicorn

    from mien.serve.app import build
    from mien.serve.settings import Settings

    app = build(Settings(data=data, rate=1000.0, burst=10_000), colours.engine())
    service = app.state.service
    config = uvicorn.Config(app, port=0, log_config=None, ws="websockets-sansio", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(500):
        if server.started:
            break
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    staff = service.galleries.create("default", "staff")
    service.galleries.create("default", "visitors")
    people = (
        ("Ana Lima", colours.RED, 2),
        ("Ben Okafor", colours.GREEN, 2),
        (MARKUP, (40, 200, 200), 1),
        (PERSIAN, (200, 40, 200), 1),
        (SLASHED, (220, 220, 60), 1),
        (LONG, (60, 220, 120), 1),
    )
    for name, colour, many in people:
        pictures = [colours.picture(colour, noise=number) for number in range(many)]
        service.engine.enrol(staff, name, pictures, metadata={"site": "north"}, keep_images=True)
    yield Site(f"http://127.0.0.1:{port}", service.keys.make("Front desk", "admin", "default"), service, colours)
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def browser() -> Any:
    """Chromium, without a screen."""
    return _once("browser", _browsing)


@contextmanager
def _browsing() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser at {CHROMIUM}")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as tool:
        found = tool.chromium.launch(executable_path=str(CHROMIUM), args=list(SWITCHES))
        yield found
        found.close()


USUAL: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}, "locale": "en-GB"}


@pytest.fixture
def desk(browser: Any, site: Site) -> Any:
    """A page that is signed in and stays: going somewhere else in it loads nothing anew, which is quick."""
    return _once("desk", lambda: _at_desk(browser, site))


@contextmanager
def _at_desk(browser: Any, site: Site) -> Iterator[Any]:
    context = _context(browser, site, site.key)
    page = context.new_page()
    page.goto(f"{site.url}/console/#/more")
    page.wait_for_selector("main h1")
    yield page
    context.close()


@pytest.fixture
def opened(browser: Any, site: Site, desk: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page of the console, signed in unless `key` is empty; in a window of its own where a key or options are given.

    After the test the page must have logged no error, thrown none, and asked no other host; `page.expected` takes texts
    of errors that the test is about."""
    closing: list[Any] = []
    faults: list[str] = []
    listeners = {
        "console": lambda told: faults.append(told.text) if told.type in ("error", "warning") else None,
        "pageerror": lambda error: faults.append(str(error)),
        "request": lambda one: None if _own(one.url, site.url) else faults.append(f"asked {one.url}"),
    }

    def open_(place: str = "#/people", key: str | None = None, **options: Any) -> Any:
        page = desk
        if key is not None or options:
            context = _context(browser, site, site.key if key is None else key, **options)
            closing.append(context)
            page = context.new_page()
        page.set_default_timeout(8000)
        for event, act in listeners.items():
            page.on(event, act)
        page.expected = []
        if page is desk:
            closing.append(desk)
            page.evaluate("() => { for (const one of document.querySelectorAll('dialog, .toast')) one.remove(); }")
            page.evaluate("place => { location.hash = place; }", "#/more")
            page.get_by_role("heading", name="More", exact=True).wait_for()
        page.goto(f"{site.url}/console/{place}")
        page.wait_for_selector("h1" if key == "" else "main h1:not(:text-is('More'))")
        return page

    yield open_
    expected = [text for one in closing for page in getattr(one, "pages", [one]) for text in page.expected]
    for one in closing:
        if one is not desk:
            one.close()
    for event, act in listeners.items():
        if desk in closing:
            desk.remove_listener(event, act)
    assert not [each for each in faults if not any(known in each for known in expected)]


def _context(browser: Any, site: Site, key: str, **options: Any) -> Any:
    context = browser.new_context(**(USUAL | options))
    if key:
        answer = context.request.post(f"{site.url}/v1/session", data={"key": key})
        assert answer.ok, answer.text()
    return context


def _own(url: str, base: str) -> bool:
    return url.startswith((base, base.replace("http", "ws", 1), "blob:", "data:"))


@pytest.fixture
def file(colours: ModuleType) -> Callable[..., dict[str, Any]]:
    """A picture as Playwright hands it to a file input."""

    def make(*people: tuple[int, int, int], name: str = "face.png", noise: int = 0) -> dict[str, Any]:
        return {"name": name, "mimeType": "image/png", "buffer": colours.picture(*people, noise=noise)}

    return make
