// One person: pictures, notes, care, and erasure.
import { address, at, change, get, post, remove, send } from "../api.js";
import { CARE, careFields, notesFields } from "../care.js";
import { count, date, several, when } from "../format.js";
import { intake, summary } from "../pictures.js";
import { badge, button, confirmed, dialog, empty, facts, field, filling, h, icon, iconButton, name, note, save, say, show, toast, working } from "../parts.js";
import { may } from "../state.js";
import { portrait } from "./people.js";

export async function page(place, { parts: [gallery, subject], signal, go }) {
  const path = at`/v1/galleries/${gallery}/subjects/${subject}`;
  const one = await get(path, {}, { signal });
  const again = () => page(place, { parts: [gallery, subject], signal, go });
  document.title = `${subject} · mien`;
  const title = h("header.row", portrait(gallery, one, "mid"), h("div.stack.tight.grow", h("div.row.tight", h("h1", { tabindex: "-1" }, name(subject)), may("operator") && button("Rename …", () => renamed({ gallery, subject, path, go }), { how: "plain tiny" }), may("operator") && button("Same as …", () => joined({ gallery, subject, go }), { how: "plain tiny" })), h("p.soft", `${several(one.samples, "sample")}, ${several(one.images, "picture")} kept`, one.enrolled ? `, enrolled ${when(one.enrolled)}` : ""), lapse(one.metadata)));
  const samples = h("section.card.stack");
  show(place, h("p.crumb", h("a", { href: go("people", gallery) }, "People")), title,
    h("div.two", h("div.stack.wide", samples, may("operator") && adding(path, again, signal)), h("div.stack.wide", noted(path, one, again), may("operator") && danger(gallery, one, path, go))));
  filling(samples, () => get(`${path}/samples`, { limit: 200 }, { signal }), (found) => samplesOf({ gallery, subject, path, again, go }, found), "Reading samples …");
}

async function renamed(here) {
  const to = await dialog(h("span", "Rename ", name(here.subject)), (close) => {
    const who = h("input.input", { required: true, maxlength: "256", autocomplete: "off", dir: "auto", value: here.subject, autofocus: true }), place = h("div");
    const act = working(async (event) => { event.preventDefault(); close((await change(here.path, { subject: who.value.trim() })).subject); }, place);
    return h("form.stack", { on: { submit: act } }, field("New name", who), place, h("div.actions", button("Cancel", () => close()), button("Rename", null, { how: "lead", type: "submit" })));
  });
  if (!to || to === here.subject) return;
  toast(`Now called ${to}.`);
  location.hash = here.go("person", here.gallery, to);
}

/** Two names for one person: the samples go to the other name. */
async function joined(here) {
  const into = await dialog(h("span", "Who is ", name(here.subject), " as well?"), (close) => {
    const who = h("input.input", { required: true, maxlength: "256", autocomplete: "off", dir: "auto", autofocus: true }), place = h("div");
    const act = working(async (event) => { event.preventDefault(); close((await post(at`/v1/galleries/${here.gallery}/merge`, { into: who.value.trim(), from: here.subject })).subject); }, place);
    return h("form.stack", { on: { submit: act } }, h("p", "All samples and notes go to the other name, and this one is gone."), field("The name that stays", who, "Somebody enrolled in this gallery."), place, h("div.actions", button("Cancel", () => close()), button("Merge", null, { how: "lead", type: "submit" })));
  });
  if (!into) return;
  toast(`Merged into ${into}.`);
  location.hash = here.go("person", here.gallery, into);
}

function lapse(metadata = {}) {
  if (!metadata.expires) return null;
  const left = Math.ceil((new Date(`${String(metadata.expires).slice(0, 10)}T00:00:00Z`) - Date.now()) / 86_400_000);
  const text = left < 0 ? "Expired: will be erased soon" : left < 31 ? `Erased in ${several(left + 1, "day")}` : `Expires ${date(metadata.expires)}`;
  return h("p", badge(left < 31 ? "doubt" : "calm", text, left < 31 ? "warn" : "info"));
}

function samplesOf(here, found) {
  const items = found.items ?? [];
  if (!items.length) return [h("h2", "Samples"), empty("photo", "No samples", "Add a picture so that this person can be recognised.")];
  const chosen = new Set();
  const split = button("Move to somebody else …", () => moved(here, [...chosen], items.length), { how: "tiny", picture: "merge", disabled: true });
  const pick = (id, on) => { on ? chosen.add(id) : chosen.delete(id); split.disabled = chosen.size === 0; };
  const list = h("ul.samples", items.map((one, place) => h("li", sample(here, one, place, items.length > 1 && pick))));
  return [h("div.row.between", h("h2", "Samples"), may("operator") && items.length > 1 && split), list, found.next && h("p.small.soft", `The first ${count(items.length)} are shown.`)];
}

function sample(here, one, place, pick) {
  const kept = one.image_kept ?? one.image;
  const label = `Sample ${place + 1}`;
  const picture = kept ? h("img.portrait", { src: address(`${here.path}/samples/${one.id}/image`), alt: label, loading: "lazy" }) : h("span.portrait", { aria: { label: `${label}, no picture kept` }, role: "img" }, icon("person"));
  const quality = one.template?.quality ?? one.quality;
  return [h("div.pick", picture, may("operator") && pick && h("input", { type: "checkbox", aria: { label: `Choose ${label.toLowerCase()}` }, on: { change: (event) => pick(one.id, event.target.checked) } })),
    h("div.row.between", h("span.small.soft", quality === null || quality === undefined ? label : `Quality ${Math.round(100 * quality)} %`), may("operator") && pick && iconButton(`Erase ${label.toLowerCase()}`, "remove", () => erased(here, one, label)))];
}

async function erased(here, one, label) {
  const done = await confirmed(`Erase ${label.toLowerCase()}?`, h("p", "It is taken out of ", name(here.subject), " for good."), "Erase it", () => remove(`${here.path}/samples/${one.id}`));
  if (!done) return;
  toast(`${label} was erased.`);
  here.again();
}

async function moved(here, samples, all) {
  const to = await dialog(`Move ${several(samples.length, "sample")}`, (close) => {
    const who = h("input.input", { required: true, maxlength: "256", autocomplete: "off", dir: "auto", autofocus: true });
    const place = h("div");
    const act = working(async (event) => { event.preventDefault(); await post(at`/v1/galleries/${here.gallery}/split`, { subject: here.subject, samples, to: who.value.trim() }); close(who.value.trim()); }, place);
    return h("form.stack", { on: { submit: act } }, h("p", "They were enrolled as ", name(here.subject), " and show somebody else."), field("Who they show", who, "A name that is new here, or that of somebody enrolled."), place, h("div.actions", button("Cancel", () => close()), button("Move", null, { how: "lead", type: "submit" })));
  });
  if (!to) return;
  toast(`${several(samples.length, "sample")} moved.`);
  if (samples.length < all) here.again(); else location.hash = here.go("person", here.gallery, to);
}

function adding(path, again, signal) {
  const done = h("div");
  const add = button("Add", null, { how: "lead", type: "submit", disabled: true });
  const pictures = intake((many) => { add.disabled = many === 0; }, signal);
  const act = working(async (event) => {
    event.preventDefault();
    const answer = await send(`${path}/samples`, { image: pictures.files() });
    const left = pictures.outcome(answer);
    say(summary(answer));
    if (left) show(done, note(answer.added ? "doubt" : "bad", h("p.strong", summary(answer)), h("p", "What was not added is still in the list, with the reason."), answer.added > 0 && h("div", button("Show this person anew", again, { how: "tiny" }))));
    else { toast(summary(answer)); again(); }
  }, done);
  return h("section.card.stack", h("h2", "Add pictures"), h("form.stack", { on: { submit: act } }, pictures.part, done, h("div", add)));
}

function noted(path, one, again) {
  const metadata = one.metadata ?? {};
  const rest = Object.fromEntries(Object.entries(metadata).filter(([key]) => !CARE.includes(key)));
  if (!may("operator")) return h("section.card.stack", h("h2", "Notes"), facts(...Object.entries(metadata).map(([key, value]) => [key, h("bdi", typeof value === "string" ? value : JSON.stringify(value))])));
  const care = careFields(metadata), notes = notesFields(rest), place = h("div");
  const act = working(async (event) => {
    event.preventDefault();
    const given = { ...notes.given(), ...care.given() };
    const gone = Object.keys(metadata).filter((key) => !(key in given));
    await change(path, { metadata: { ...given, ...Object.fromEntries(gone.map((key) => [key, null])) } });
    toast("Notes saved.");
    again();
  }, place);
  return h("section.card", h("form.stack", { on: { submit: act } }, h("h2", "Consent and notes"), care.part, h("h3", "Other notes"), notes.part, place, h("div", button("Save notes", null, { type: "submit" }))));
}

function danger(gallery, one, path, go) {
  const act = async () => {
    const receipt = await confirmed(h("span", "Forget ", name(one.subject), "?"), [
      h("p", `${several(one.samples, "sample")}, ${several(one.images, "kept picture")} and all notes are erased from `, name(gallery), " for good."), h("p", "Nobody can bring them back. You get a receipt."),
    ], h("span", "Forget ", name(one.subject)), () => remove(path));
    if (!receipt) return;
    await dialog("Forgotten", (close) => receiptOf(receipt, one, close));
    location.hash = go("people", gallery);
  };
  return h("section.card.stack", h("h2", "Forget"), h("p.small.soft", "Erases templates, pictures and notes, in the gallery and its copies."), h("div", button(h("span", "Forget ", name(one.subject), " …"), act, { how: "bad", picture: "remove" })));
}

function receiptOf(receipt, one, close) {
  return [h("p", name(one.subject), " was erased."), facts(["Receipt", h("code", receipt.id)], ["Samples", count(receipt.samples)], ["Pictures", count(receipt.images)], ["When", when(receipt.when)], ["Digest", h("code", receipt.digest)]),
    h("p.small.soft", "The digest is over the templates that went; it proves which without keeping them."),
    h("div.actions", button("Save the receipt", () => save(`receipt ${receipt.id}.json`, JSON.stringify(receipt, null, 2))), button("Done", () => close(true), { how: "lead", autofocus: true }))];
}

