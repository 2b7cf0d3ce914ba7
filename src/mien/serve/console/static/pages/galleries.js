// Which galleries there are.
import { at, post, remove } from "../api.js";
import { freshPicker } from "../app.js";
import { count, several } from "../format.js";
import { badge, button, confirmed, empty, field, h, head, name, show, table, toast, working } from "../parts.js";
import { choose, may, readGalleries, state } from "../state.js";

export async function page(place, { go }) {
  const again = async () => { await readGalleries(); freshPicker(); draw(); };
  function draw() {
    show(place, head("Galleries", "Each holds people on its own: a search looks in one."), state.galleries.length ? listed(again, go) : empty("galleries", "There is no gallery yet", may("admin") ? "Make the first one below." : "Ask an administrator to make one."), may("admin") && making(again));
  }
  await again();
}

function listed(again, go) {
  const number = (value) => (Number.isFinite(value) ? count(value) : "–");
  return table("Galleries", [
    { title: "Name", head: true, cell: (one) => h("a", { href: go("people", one.name), on: { click: () => { choose(one.name); freshPicker(); } } }, name(one.name)) },
    { title: "People", end: true, cell: (one) => number(one.people) },
    { title: "Templates", end: true, cell: (one) => number(one.templates) },
    { title: "Model", cell: (one) => (one.problem ? h("span", badge("bad", "Cannot be opened", "bad"), " ", one.problem.detail) : one.usable === false ? badge("doubt", "Another model's", "warn") : one.space ? name(one.embedder ?? one.space) : "none yet") },
    ...(may("admin") ? [{ title: h("span.unseen", "Actions"), end: true, cell: (one) => (one.operators ? h("span.soft", "the operator's") : button(h("span", "Drop", h("span.unseen", ` ${one.name}`)), () => dropped(one, again), { how: "bad tiny" })) }] : []),
  ], state.galleries);
}

async function dropped(one, again) {
  const text = [h("p", Number.isFinite(one.people) ? `${several(one.people, "person", "people")} are erased with it, for good.` : "Everybody in it is erased, for good.")];
  if (!(await confirmed(h("span", "Drop ", name(one.name), "?"), text, h("span", "Drop ", name(one.name)), () => remove(at`/v1/galleries/${one.name}`)))) return;
  toast(`${one.name} was dropped.`);
  await again();
}

function making(again) {
  const called = h("input.input", { required: true, maxlength: "255", pattern: "[A-Za-z0-9_][A-Za-z0-9_.\\-]*", autocomplete: "off", spellcheck: "false" });
  const place = h("div");
  const act = working(async (event) => {
    event.preventDefault();
    const made = called.value.trim();
    await post("/v1/galleries", { name: made });
    choose(made);
    toast(`${made} was made.`);
    await again();
  }, place);
  return h("section.card.narrow", h("form.stack", { on: { submit: act } }, h("h2", "Make a gallery"), field("Name", called, "Letters, digits, “-”, “_” and “.”."), place, h("div", button("Make it", null, { how: "lead", type: "submit" }))));
}
