"""People in a real browser: enrol by drop, see what became of each picture, rename, split, forget with a receipt."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

MARKUP = "<img src=x onerror=alert(1)>"
PERSIAN = "علی رضایی"
SLASHED = 'Jo "JJ" O\'Neil / Sales'


def drop(page: Any, files: list[dict[str, Any]]) -> None:
    """Drop files onto the page's place for them, as a mouse would."""
    given = [(one["name"], base64.b64encode(one["buffer"]).decode()) for one in files]
    page.evaluate(
        """files => { const held = new DataTransfer(), place = document.querySelector(".drop");
        const bytes = text => Uint8Array.from(atob(text), one => one.charCodeAt(0));
        for (const [name, text] of files) held.items.add(new File([bytes(text)], name, {type: "image/png"}));
        for (const kind of ["dragenter", "dragover", "drop"])
          place.dispatchEvent(new DragEvent(kind, {dataTransfer: held, bubbles: true, cancelable: true})); }""",
        given,
    )


def test_enrol_by_drop_with_partial_success_and_words(
    opened: Callable[..., Any], file: Callable[..., Any], site: Any
) -> None:
    page = opened("#/enrol/visitors")
    page.expected += ["422"]
    orange = (230, 120, 20)
    drop(
        page,
        [file(orange, name="good.png"), file((0, 0, 0), name="nobody.png"), {"name": "broken.png", "buffer": b"x"}],
    )
    page.get_by_text("Good", exact=True).wait_for()
    page.get_by_text("No face was found: come closer, and into the light.").wait_for()
    page.get_by_text("Not usable").nth(1).wait_for()
    page.get_by_label("Name or number").fill("Zoë Ångström")
    page.get_by_label("Consent").fill("written form")
    page.get_by_label("Expires").fill("2099-01-31")
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_text("1 picture added, 2 pictures not added.").first.wait_for()
    assert page.get_by_text("Not added", exact=True).count() == 2
    person = site.service.galleries.open("default", "visitors").person("Zoë Ångström")
    assert (person.samples, person.images) == (1, 1)
    assert person.metadata == {"consent": "written form", "expires": "2099-01-31"}
    page.get_by_role("link", name="See this person").click()
    page.get_by_text("Expires 31 Jan 2099").wait_for()


def test_search_as_you_type_and_names_that_look_like_something_else(opened: Callable[..., Any]) -> None:
    page = opened("#/people/staff")
    page.locator(".people li").nth(4).wait_for()
    assert page.locator(".people bdi", has_text=MARKUP).count() == 1
    assert page.locator(".people img[src=x]").count() == 0
    page.get_by_label("Search names").fill("رضا")
    page.wait_for_function("() => document.querySelectorAll('.people li').length === 1")
    page.get_by_role("link", name=PERSIAN).click()
    page.get_by_role("heading", name=PERSIAN).wait_for()
    page.go_back()
    page.get_by_role("link", name=SLASHED).click()
    page.get_by_role("heading", name=SLASHED).wait_for()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.samples img')].every(one => one.complete && one.naturalWidth > 0)"
    )


def test_long_lists_come_page_by_page(opened: Callable[..., Any], site: Any) -> None:
    crowd = site.service.galleries.create("default", "crowd")
    for number in range(60):
        site.service.engine.enrol(crowd, f"Person {number:02d}", [site.stubs.picture((200, 3 * number, 40))])
    page = opened("#/people/crowd")
    page.locator(".people li").nth(47).wait_for()
    page.get_by_role("button", name="Show more").click()
    page.locator(".people li").nth(59).wait_for()
    assert "Person 48" in page.evaluate("document.activeElement.textContent")
    assert page.get_by_role("button", name="Show more").count() == 0


def test_notes_are_kept_and_taken_out(opened: Callable[..., Any], site: Any, colours: Any) -> None:
    visitors = site.service.galleries.open("default", "visitors")
    site.service.engine.enrol(visitors, "Nora", [colours.picture((90, 10, 200))], metadata={"floor": 3, "old": "x"})
    page = opened("#/person/visitors/Nora")
    page.get_by_role("button", name="Take out old").click()
    page.get_by_label("Purpose").fill("door of building 2")
    page.get_by_role("button", name="Add a note").click()
    page.get_by_label("What").last.fill("badge")
    page.get_by_label("Value of the note").fill("17")
    page.get_by_role("button", name="Save notes").click()
    page.get_by_role("button", name="Take out badge").wait_for()
    assert visitors.person("Nora").metadata == {"floor": 3, "purpose": "door of building 2", "badge": 17}


def test_forget_names_the_person_and_shows_the_receipt(opened: Callable[..., Any], site: Any, colours: Any) -> None:
    visitors = site.service.galleries.open("default", "visitors")
    site.service.engine.enrol(visitors, "Gone <b>Soon</b>", [colours.picture((10, 90, 120))], keep_images=True)
    page = opened("#/people/visitors")
    page.get_by_role("link", name="Gone <b>Soon</b>").click()
    page.get_by_role("button", name="Forget Gone <b>Soon</b> …").click()
    dialog = page.get_by_role("dialog", name="Forget Gone <b>Soon</b>?")
    dialog.get_by_role("button", name="Cancel").click()
    assert "Gone <b>Soon</b>" in visitors
    page.get_by_role("button", name="Forget Gone <b>Soon</b> …").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget Gone <b>Soon</b>").click()
    receipt = page.get_by_role("dialog", name="Forgotten")
    receipt.get_by_text("Digest", exact=True).wait_for()
    assert "Gone <b>Soon</b>" not in visitors
    number = receipt.locator("code").first.inner_text()
    assert site.service.receipts.listed("default")[0]["id"] == number
    receipt.get_by_role("button", name="Done").click()
    page.get_by_role("heading", name="People").wait_for()
    page.get_by_role("link", name="Log").click()
    page.get_by_role("link", name="Receipts").click()
    page.get_by_text(number, exact=True).wait_for()


def test_samples_go_to_somebody_else(opened: Callable[..., Any], site: Any, colours: Any) -> None:
    visitors = site.service.galleries.open("default", "visitors")
    pictures = [colours.picture((10, 200, 90)), colours.picture((200, 90, 10))]
    site.service.engine.enrol(visitors, "Two in one", pictures, keep_images=True)
    page = opened("#/person/visitors/Two%20in%20one")
    page.get_by_label("Choose sample 2").check()
    page.get_by_role("button", name="Move to somebody else …").click()
    page.get_by_label("Who they show").fill("The other")
    page.get_by_role("button", name="Move", exact=True).click()
    page.get_by_text("1 sample moved.").first.wait_for()
    assert (visitors.person("Two in one").samples, visitors.person("The other").samples) == (1, 1)


def test_rename(opened: Callable[..., Any], site: Any, colours: Any) -> None:
    visitors = site.service.galleries.open("default", "visitors")
    site.service.engine.enrol(visitors, "Mistyped", [colours.picture((77, 10, 77))])
    page = opened("#/person/visitors/Mistyped")
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("Well typed")
    page.get_by_role("button", name="Rename", exact=True).last.click()
    page.get_by_role("heading", name="Well typed").wait_for()
    assert "Mistyped" not in visitors


def test_a_picture_from_the_camera(opened: Callable[..., Any]) -> None:
    page = opened("#/enrol/visitors")
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the picture").click()
    page.get_by_text("camera", exact=False).first.wait_for()
    page.locator(".picked li .badge").first.wait_for()


def test_a_gallery_is_made_and_dropped(opened: Callable[..., Any], site: Any) -> None:
    page = opened("#/galleries")
    page.get_by_label("Name").fill("cellar")
    page.get_by_role("button", name="Make it").click()
    page.get_by_role("button", name="Drop cellar").click()
    page.get_by_role("dialog").get_by_role("button", name="Drop cellar").click()
    page.wait_for_function("() => !document.querySelector('main').textContent.includes('cellar')")
    assert "cellar" not in site.service.galleries.names("default")


def test_a_name_that_an_address_cannot_hold_reaches_nobody(opened: Callable[..., Any]) -> None:
    page = opened("#/people/staff")
    for name in (".", "..", ""):
        told = page.evaluate(
            """name => import(document.querySelector("script[type=module]").src.replace("app.js", "api.js")).then(({at}) => {
            try { return at`/v1/galleries/${"staff"}/subjects/${name}`; } catch (error) { return error.status; } })""",
            name,
        )
        assert told == 400


def test_two_names_of_one_person_are_joined_by_hand(opened: Callable[..., Any], site: Any, colours: Any) -> None:
    visitors = site.service.galleries.open("default", "visitors")
    for name, noise in (("J. Doe", 1), ("Jane Doe", 2)):
        site.service.engine.enrol(visitors, name, [colours.picture((120, 60, 10), noise=noise)])
    page = opened("#/person/visitors/J.%20Doe")
    page.get_by_role("button", name="Same as …").click()
    page.get_by_label("The name that stays").fill("Nobody here")
    page.expected.append("404")
    page.get_by_role("button", name="Merge").click()
    page.get_by_role("dialog").get_by_role("alert").wait_for()
    page.get_by_label("The name that stays").fill("Jane Doe")
    page.get_by_role("button", name="Merge").click()
    page.get_by_role("heading", name="Jane Doe").wait_for()
    assert visitors.person("Jane Doe").samples == 2
    assert "J. Doe" not in visitors
