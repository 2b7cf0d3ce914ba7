// Who did what, when; whether the log is whole; and receipts of erasures.
import { get, pages } from "../api.js";
import { count, several, when, words } from "../format.js";
import { badge, button, empty, failure, growing, h, head, loading, name, note, put, save, say, show, table, tabs, told } from "../parts.js";
import { may } from "../state.js";

export async function page(place, { parts, go }) {
  const which = parts[0] ?? (may("admin") ? "entries" : "receipts");
  const bar = tabs("Log", go("log", which), ...(may("admin") ? [[go("log", "entries"), "log", "Entries"]] : []), [go("log", "receipts"), "check", "Receipts"]);
  const inside = h("div.stack");
  show(place, head("Log", "Each entry is chained to the one before: none can be changed or taken out unseen."), bar, inside);
  if (which === "receipts") receipts(inside); else entries(inside);
}

async function entries(place) {
  const names = new Map();
  try { for (const one of (await get("/v1/keys")).items) names.set(one.id, one.name); } catch { /* then keys stand by their numbers */ }
  const outcome = h("div", { "aria-live": "polite" });
  const verify = button("Verify the chain", async () => {
    show(outcome, loading("Reading the whole log …"));
    try {
      const found = await get("/v1/log/verify");
      show(outcome, verified(found));
    } catch (error) { show(outcome, failure(told(error))); }
  }, { picture: "check" });
  show(place, h("div.row", verify), outcome, rows("/v1/log", "Entries of the log", [
    { title: "No.", end: true, cell: (one) => count(one.number) },
    { title: "When", still: true, cell: (one) => when(one.at) },
    { title: "What", head: true, still: true, cell: (one) => words(one.action) },
    { title: "Key", cell: (one) => (one.key ? name(names.get(one.key) ?? one.key) : "the service") },
    { title: "About", wide: true, cell: (one) => about(one.facts ?? {}) },
  ], () => empty("log", "Nothing has been logged yet", "Every change and every question will stand here.")));
}

function verified(found) {
  say(found.whole ? "The log is whole." : "The log was tampered with.");
  if (!found.whole) return note("bad", h("p.strong", "The log is not what was written."), h("p", found.fault), h("p", "Keep a copy of the file, and find out who could write to it."));
  return note("good", h("p.strong", "The log is whole."), h("p", `${several(found.entries, "entry", "entries")} checked, each against the one before, the last against the seal.`), h("p.small", "Keep this elsewhere to prove it later: ", h("code", found.head)));
}

function about(facts) {
  const pairs = Object.entries(facts).filter(([, value]) => value !== null && value !== "");
  return h("span", pairs.map(([key, value], place) => [place ? ", " : "", h("span.soft", `${key} `), typeof value === "number" ? count(value) : name(String(value))]));
}

function receipts(place) {
  show(place, rows("/v1/receipts", "Receipts of erasures", [
    { title: "When", still: true, cell: (one) => when(one.when) },
    { title: "Receipt", head: true, cell: (one) => h("code", one.id) },
    { title: "Gallery", cell: (one) => name(one.gallery) },
    { title: "Samples", end: true, cell: (one) => count(one.samples) },
    { title: "Pictures", end: true, cell: (one) => count(one.images) },
    { title: "Why", cell: (one) => badge("calm", one.why === "expired" ? "Expired" : words(one.why)) },
    { title: h("span.unseen", "File"), cell: (one) => button(h("span", "Save", h("span.unseen", ` receipt ${one.id}`)), () => save(`receipt ${one.id}.json`, JSON.stringify(one, null, 2)), { how: "tiny" }) },
  ], () => empty("check", "Nobody was forgotten yet", "Each erasure leaves a receipt that names nobody: how much went, when, and a digest.")));
}

/** A table that grows by pages. */
export function rows(path, caption, columns, none) {
  const made = table(caption, columns, []);
  const body = made.querySelector("tbody");
  const row = (one) => table(caption, columns, [one]).querySelector("tbody tr");
  const part = growing(body, pages(path, { limit: 50 }), row, none);
  // growing() puts its list first: here the list is the body of a table, which keeps its frame
  if (part.firstChild === body) { part.prepend(made); put(made.querySelector("table"), body); }
  return part;
}

