"""Review, thresholds, jobs, log and keys in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import Any

import httpx2
import numpy as np
import pytest

from mien.decide import Policy, expected_fpir
from mien.types import Sample, Template


@pytest.fixture
def doubtful(site: Any, colours: Any) -> Iterator[Any]:
    """A gallery of twins whose policy puts doubtful answers into the queue, with one face waiting there."""
    held = site.service.galleries.create("default", "doubtful")
    for name, colour in (("Ida", (200, 60, 60)), ("Eva", (200, 75, 60)), ("Otto", (60, 60, 200))):
        site.service.engine.enrol(held, name, [colours.picture(colour)], keep_images=True)

    with httpx2.Client(base_url=site.url, headers={"authorization": f"Bearer {site.key}"}) as http:
        assert http.put("/v1/galleries/doubtful/policy", json={"review": True, "margin": 0.01}).is_success
        seen = colours.picture((200, 68, 60))
        assert http.post("/v1/galleries/doubtful/identify", files={"image": seen}).is_success
        yield held
        http.delete("/v1/galleries/doubtful")


def test_the_review_queue_is_settled(opened: Callable[..., Any], doubtful: Any) -> None:
    page = opened("#/review/doubtful")
    page.get_by_role("heading", name="Is this").wait_for()
    first = page.get_by_role("heading", name="Is this").inner_text().removeprefix("Is this ").removesuffix("?")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.case img')].every(one => one.complete && one.naturalWidth > 0)"
    )
    page.get_by_role("button", name=f"Not {first}").click()
    page.wait_for_function(
        "first => !document.querySelector('main').textContent.includes(`Is this ${first}?`)", arg=first
    )
    page.get_by_role("button", name="Enrol as …").click()
    page.get_by_label("Who it is").fill("Third")
    page.get_by_role("dialog").get_by_role("button", name="Enrol").click()
    page.get_by_text("Enrolled as Third.").first.wait_for()
    assert doubtful.person("Third").samples == 1
    assert page.get_by_role("button", name="Enrol as …").count() == 0


def test_two_who_are_one_are_merged(opened: Callable[..., Any], doubtful: Any) -> None:
    page = opened("#/review/doubtful")
    page.get_by_role("button", name="Merge …").first.click()
    page.get_by_role("radio").nth(1).check()
    page.get_by_role("button", name="Merge them").click()
    page.get_by_text("Merged into").first.wait_for()
    assert sorted(one.subject for one in doubtful.people()) in (["Eva", "Otto"], ["Ida", "Otto"])


def test_the_operating_point_is_moved_by_keys_and_by_hand_and_kept(opened: Callable[..., Any], site: Any) -> None:
    page = opened("#/thresholds/staff")
    handle = page.get_by_role("slider", name="Operating point")
    before = int(handle.get_attribute("aria-valuenow"))
    handle.focus()
    page.keyboard.press("ArrowRight")
    assert int(handle.get_attribute("aria-valuenow")) == before + 1
    page.keyboard.press("Home")
    assert handle.get_attribute("aria-valuenow") == "0"
    loose = handle.get_attribute("aria-valuetext")
    page.keyboard.press("End")
    assert handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    assert handle.get_attribute("aria-valuetext") != loose
    box = page.locator("svg.curve").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()
    assert handle.get_attribute("aria-valuenow") != handle.get_attribute("aria-valuemax")
    page.get_by_role("button", name="Keep this point").click()
    page.get_by_text("Kept as this gallery's policy.").first.wait_for()
    kept = site.service.policies.of("default", "staff").policy
    assert kept.fmr is not None or kept.threshold is not None


def test_false_alarms_go_with_the_searches_a_day(opened: Callable[..., Any], site: Any) -> None:
    page = opened("#/thresholds/staff")
    shown = page.locator(".figure", has_text="False alarms a day").locator("dd").first
    page.get_by_label("Searches a day").fill("1000")
    one = float(shown.inner_text().replace(",", ""))
    page.get_by_label("Searches a day").fill("100000")
    assert float(shown.inner_text().replace(",", "")) == pytest.approx(100 * one, rel=0.05)
    fmr = 1 / float(
        page.locator(".figure", has_text="pass a comparison")
        .locator("dd")
        .first.inner_text()
        .removeprefix("1 in ")
        .replace(",", "")
    )
    templates = site.service.galleries.open("default", "staff").templates
    assert one == pytest.approx(1000 * (1 - (1 - fmr) ** templates), rel=0.06)


def test_points_between_those_of_the_card_are_those_that_the_service_would_take(
    opened: Callable[..., Any], site: Any
) -> None:
    page = opened()
    points = site.service.engine.points
    answer = httpx2.get(
        f"{site.url}/v1/galleries/visitors/thresholds", headers={"authorization": f"Bearer {site.key}"}
    ).json()
    shown = page.evaluate(
        """found => import(document.querySelector("script[type=module]").src.replace("app.js", "points.js"))
        .then(({sources}) => sources(found).find(one => one.id === "card").points)""",
        answer | {"det": [], "own": []},
    )
    assert len(shown) == 19
    for one in shown:
        assert one["threshold"] == pytest.approx(Policy(fmr=one["fmr"]).point(points).threshold, abs=1e-4)


def test_rates_and_deviates_are_right(opened: Callable[..., Any]) -> None:
    page = opened()
    rates = [1e-7, 1e-4, 0.02, 0.024, 0.3, 0.5, 0.9, 0.99]
    module = 'import(document.querySelector("script[type=module]").src.replace("app.js", "{}"))'
    deviates = page.evaluate(f"rates => {module.format('curve.js')}.then(({{deviate}}) => rates.map(deviate))", rates)
    assert deviates == pytest.approx([NormalDist().inv_cdf(one) for one in rates], abs=1e-7)
    alarms = page.evaluate(
        f"rates => {module.format('pages/thresholds.js')}.then(({{named}}) => rates.map(one => named(one, 500)))", rates
    )
    assert alarms == pytest.approx([expected_fpir(one, 500) for one in rates], rel=1e-9)
    words = page.evaluate(f"() => {module.format('format.js')}.then(({{rate}}) => [0, 1e-4, 0.0123, 0.5].map(rate))")
    assert words == ["none seen", "1 in 10,000", "1 in 81", "50 %"]


@pytest.mark.slow
def test_a_calibration_runs_as_a_job_and_its_report_is_shown(opened: Callable[..., Any], site: Any) -> None:
    rng = np.random.default_rng(3)
    crowd = site.service.galleries.create("default", "measured")
    for number in range(80):
        shots = rng.normal(size=16) + 0.2 * rng.normal(size=(3, 16))
        vectors = (shots / np.linalg.norm(shots, axis=1, keepdims=True)).astype(np.float32)
        crowd.enrol(f"Person {number}", [Sample(Template(one, "colours", 0.9)) for one in vectors])
    page = opened("#/thresholds/measured")
    page.get_by_role("button", name="Calibrate on this gallery").click()
    page.get_by_role("heading", name="Calibration of measured").wait_for()
    page.locator(".badge", has_text="Done").wait_for(timeout=60_000)
    page.locator("iframe.report").scroll_into_view_if_needed()
    page.frame_locator("iframe.report").get_by_role("heading", name="Calibrate report").wait_for()
    assert crowd.points


def test_the_log_is_shown_and_verified(opened: Callable[..., Any]) -> None:
    page = opened("#/log/entries")
    page.get_by_role("row").nth(1).wait_for()
    page.get_by_role("button", name="Verify the chain").click()
    page.get_by_text("The log is whole.", exact=True).first.wait_for()


def test_a_key_is_made_shown_once_and_revoked(opened: Callable[..., Any], site: Any) -> None:
    page = opened("#/keys")
    page.get_by_label("Name").fill("Back door <i>")
    page.get_by_label("Role").select_option("operator")
    page.get_by_role("button", name="Make it").click()
    text = page.locator(".secret").inner_text()
    assert site.service.keys.caller(text).role == "operator"
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Replace Back door <i>").click()
    page.get_by_role("button", name="Replace it").click()
    second = page.locator(".secret").inner_text()
    assert second != text
    page.get_by_role("button", name="Done").click()
    page.get_by_role("button", name="Revoke Back door <i>").last.click()
    page.get_by_role("button", name="Revoke it").click()
    page.get_by_role("row", name="Back door").get_by_text("Revoked").wait_for()
    assert text not in page.content()


JOB: dict[str, Any] = {
    "id": "1" * 16,
    "kind": "video",
    "state": "running",
    "live": False,
    "progress": 0.42,
    "eta": 75.0,
}
JOB |= {
    "asked": {"gallery": "staff", "name": "hall.mp4"},
    "made": "2026-01-01T00:00:00Z",
    "started": "2026-01-01T00:00:01Z",
}
JOB |= {"ended": None, "attempts": 1, "result": None, "problem": None}


def test_a_running_job_shows_how_far_it_is_and_can_be_cancelled(opened: Callable[..., Any]) -> None:
    page = opened()
    state = dict(JOB)
    page.route("**/v1/jobs?*", lambda one: one.fulfill(json={"items": [state], "next": None}))

    def ended(one: Any) -> None:
        assert one.request.method == "DELETE"
        assert one.request.headers["x-csrf-token"]
        state.update(state="cancelled", ended="2026-01-01T00:01:00Z")
        one.fulfill(json=state)

    page.route(f"**/v1/jobs/{'1' * 16}", ended)
    page.evaluate("() => { location.hash = '#/jobs'; }")
    bar = page.get_by_role("progressbar", name="Progress")
    bar.wait_for()
    assert float(bar.get_attribute("value")) == 0.42
    page.get_by_text("42 %, about 1:15 left").wait_for()
    page.get_by_role("button", name="Cancel …").click()
    page.get_by_role("button", name="Cancel the job").click()
    page.locator(".badge", has_text="Cancelled").wait_for()
    assert page.get_by_role("button", name="Cancel …").count() == 0
    page.unroute_all()


def test_an_audit_is_started_on_one_of_the_operators_data_sets(opened: Callable[..., Any]) -> None:
    page = opened()
    audits = [{"name": "verification", "about": "Are two the same?", "job": True, "command": "mien audit verification"}]
    audits += [
        {"name": "inversion", "about": "Faces out of templates.", "job": False, "command": "mien audit inversion"}
    ]
    listed = {"items": audits, "datasets": ["faces", "staff <2026>"], "missing": [], "next": None}
    page.route("**/v1/audits", lambda one: one.fulfill(json=listed))
    page.route(
        f"**/v1/jobs/{'1' * 16}",
        lambda one: one.fulfill(json=JOB | {"kind": "audit", "asked": {"audit": "verification"}}),
    )
    page.route("**/v1/jobs", lambda one: one.fulfill(json=JOB) if one.request.method == "POST" else one.continue_())
    page.evaluate("() => { location.hash = '#/audits'; }")
    page.get_by_label("Data set").select_option("staff <2026>")
    page.get_by_text("Are two the same?").wait_for()
    with page.expect_request(lambda one: one.method == "POST") as asked:
        page.get_by_role("button", name="Start", exact=True).click()
    assert asked.value.post_data_json == {"kind": "audit", "audit": "verification", "data": "staff <2026>"}
    page.get_by_role("heading", name="Verification").wait_for()
    page.unroute_all()


def test_a_report_is_shown_in_a_frame_that_can_do_nothing(opened: Callable[..., Any], site: Any) -> None:
    page = opened()
    page.expected += ["Blocked script execution", "sandboxed"]
    job = {"id": "0" * 16, "kind": "audit", "state": "done", "live": False, "progress": 1, "eta": None, "attempts": 1}
    job |= {
        "asked": {"audit": "verification", "data": "faces"},
        "made": "2026-01-01T00:00:00Z",
        "started": None,
        "ended": None,
    }
    page.route(
        "**/v1/jobs/0000000000000000",
        lambda one: one.fulfill(json=job | {"result": {"headline": "Fine."}, "problem": None}),
    )
    html = "<!doctype html><title>r</title><h1>Report</h1><script>parent.document.title = 'owned'</script>"
    page.route("**/v1/jobs/0000000000000000/report", lambda one: one.fulfill(body=html, content_type="text/html"))
    page.evaluate("() => { location.hash = '#/job/0000000000000000'; }")
    frame = page.locator("iframe.report")
    frame.wait_for()
    assert frame.get_attribute("sandbox") == ""
    page.frame_locator("iframe.report").get_by_role("heading", name="Report").wait_for()
    assert page.title() != "owned"
    page.unroute_all()
