// Answers that somebody should look at: faces nobody could tell for sure, and people who may be enrolled twice.
import { address, at, get, pages, post } from "../api.js";
import { figure, score, several, when } from "../format.js";
import { reasons } from "../seen.js";
import { badge, button, confirmed, dialog, empty, field, going, growing, h, head, icon, name, note, show, toast, verdict, working } from "../parts.js";
import { may, state } from "../state.js";
import { noGallery } from "./people.js";

export async function page(place, { parts, go, signal }) {
  const gallery = parts[0] ?? state.gallery;
  if (!gallery) { show(place, head("Review"), noGallery(go)); return; }
  const list = h("ul.stack", { aria: { label: "To review" } });
  const policy = await get(at`/v1/galleries/${gallery}/policy`, {}, { signal });
  const none = () => empty("review", "Nothing waits for you", policy.review ? "Faces that nobody could tell for sure come here, and people who seem to be enrolled twice." : "This gallery's policy does not put doubtful answers here. You can turn that on under Thresholds.", !policy.review && may("operator") && going("Thresholds", go("thresholds", gallery), { picture: "thresholds" }));
  const read = pages(at`/v1/galleries/${gallery}/review`, { limit: 20 });
  const inside = h("div"), about = h("div");
  const next = async () => { const page = await read(); if (page?.duplicates) show(about, doubles(page)); return page; };
  show(place, head("Review", h("span", "What you decide here makes ", name(gallery), " better. A picture that waits is kept until then, no longer.")), about, inside);
  const settled = (item) => { const near = item.nextElementSibling ?? item.previousElementSibling; item.remove(); if (near) near.querySelector("button, a")?.focus(); else show(inside, none()); };
  show(inside, growing(list, next, (one) => entry(one, { gallery, go, settled }), none));
}

function entry(one, here) {
  const item = h("li.card.slim");
  show(item, one.kind === "duplicate" ? double(one, item, here) : doubt(one, item, here));
  return item;
}

/** What can be said of the pairs as a whole. */
function doubles({ items, duplicates }) {
  const many = items.filter((one) => one.kind === "duplicate").length;
  if (duplicates.why_none) return note("calm", h("p", `Doubles were not looked for. ${duplicates.why_none}`));
  return many && duplicates.expected !== null ? note("calm", h("p", `Of ${several(many, "possible double")} chance alone may have brought ${figure(duplicates.expected, 2)}.`)) : null;
}

function doubt(one, item, here) {
  const seen = one.image ? h("img.portrait.mid", { src: address(at`/v1/galleries/${here.gallery}/review/${one.id}/image`), alt: "The face that was seen", loading: "lazy" }) : h("span.portrait.mid", { role: "img", aria: { label: "The picture is not kept" } }, icon("person"));
  const best = one.candidates[0], place = h("div");
  const act = (action, more = {}, done = "") => working(async () => { await settle(here, one, { action, ...more }); toast(done); here.settled(item); }, place);
  const actions = may("operator") && h("div.row.tight",
    best && button(h("span", "It is ", name(best.subject)), act("confirm", { subject: best.subject }, `It is ${best.subject}.`), { how: "lead tiny", picture: "check" }),
    best && button(h("span", "Not ", name(best.subject)), working(() => parted(one, best.subject, item, here), place), { how: "tiny", picture: "close" }),
    button("Enrol as …", () => enrolAs(one, item, here), { how: "tiny", picture: "add" }), button("Dismiss", act("dismiss", {}, "Dismissed."), { how: "plain tiny" }));
  return h("div.case", seen, h("div.stack.tight", h("div.row.between", h("h2", best ? ["Is this ", name(best.subject), "?"] : "Who is this?"), verdict(one.verdict)), reasons(one.reasons, one.candidates.map((each) => each.subject)), candidates(one, here), place, actions, h("p.small.soft", when(one.made))));
}

function candidates(one, { gallery, go }) {
  if (!one.candidates.length) return null;
  return h("ol.candidates.narrow", { aria: { label: "Most alike" } }, one.candidates.slice(0, 3).map((each) => h("li", h("a.row.tight", { href: go("person", gallery, each.subject) }, name(each.subject)), h("span.number", score(each.score)))));
}

/** Not that one: the next candidate is asked about, if there is one. */
async function parted(one, subject, item, here) {
  const answer = await settle(here, one, { action: "not_this_person", subject });
  toast(`It is not ${subject}.`);
  if (!answer.open) { here.settled(item); return; }
  show(item, doubt({ ...one, candidates: one.candidates.filter((each) => each.subject !== subject) }, item, here));
  item.querySelector("button")?.focus();
}

async function enrolAs(one, item, here) {
  const who = h("input.input", { required: true, maxlength: "256", autocomplete: "off", dir: "auto", autofocus: true, list: "candidates" });
  const known = h("datalist", { id: "candidates" }, one.candidates.map((each) => h("option", { value: each.subject })));
  const done = await dialog("Enrol as", (close) => {
    const place = h("div");
    const act = working(async (event) => { event.preventDefault(); await settle(here, one, { action: "enrol_as", subject: who.value.trim() }); close(who.value.trim()); }, place);
    return h("form.stack", { on: { submit: act } }, field("Who it is", who, "Somebody enrolled gets one more sample; a new name makes a new person."), known, place, h("div.actions", button("Cancel", () => close()), button("Enrol", null, { how: "lead", type: "submit" })));
  });
  if (!done) return;
  toast(`Enrolled as ${done}.`);
  here.settled(item);
}

const settle = ({ gallery }, one, body) => post(at`/v1/galleries/${gallery}/review/${one.id}`, body);

function double(one, item, here) {
  const { gallery, go } = here, place = h("div");
  const dismiss = working(async () => { await settle(here, one, { action: "not_this_person" }); toast("They stay two people."); here.settled(item); }, place);
  const face = (subject, sample) => h("a.stack.tight", { href: go("person", gallery, subject) }, picture(address(at`/v1/galleries/${gallery}/subjects/${subject}/samples/${sample}/image`)), name(subject));
  return h("div.case", h("div.faces", face(one.one, one.one_sample), face(one.other, one.other_sample)), h("div.stack.tight", h("div.row.between", h("h2", "One person, enrolled twice?"), badge("doubt", "Possible double", "merge")), h("p.small", "Their most alike pictures have a similarity of ", h("strong.number", score(one.score)), "."), place,
    may("operator") && h("div.row.tight", button("Merge …", () => merge(one, item, here), { how: "lead tiny", picture: "merge" }), button("They are two people", dismiss, { how: "tiny" }))));
}

/** A picture, or a sign where none is kept. */
function picture(src) {
  const image = h("img.portrait.mid", { src, alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(h("span.portrait.mid", icon("person"))), { once: true });
  return image;
}

async function merge(one, item, here) {
  const choice = (into, from, checked) => { const box = h("input", { type: "radio", name: "into", value: into, checked }); return [box, h("label.check", box, h("span", "Keep the name ", name(into), "; ", name(from), " becomes part of it"))]; };
  const [first, firstLabel] = choice(one.one, one.other, true), [, secondLabel] = choice(one.other, one.one, false);
  const text = h("fieldset.stack.tight", h("legend.unseen", "Which name stays"), firstLabel, secondLabel);
  const done = await confirmed("Merge two people?", [text, h("p.small.soft", "All samples go to the one name. You can move samples apart again on the person's page.")], "Merge them", async () => {
    const into = first.checked ? one.one : one.other;
    await settle(here, one, { action: "confirm", subject: into });
    return into;
  });
  if (!done) return;
  toast(`Merged into ${done}.`);
  here.settled(item);
}

