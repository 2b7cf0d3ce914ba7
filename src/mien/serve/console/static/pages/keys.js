// Who may use the service.
import { at, get, post, remove } from "../api.js";
import { date, when } from "../format.js";
import { badge, button, confirmed, dialog, empty, field, filling, h, head, name, note, select, show, table, toast, working } from "../parts.js";
import { state } from "../state.js";

const ROLES = [["reader", "Reader: asks and looks"], ["operator", "Operator: enrols, forgets, reviews, runs jobs"], ["admin", "Administrator: galleries, keys, log, audits"]];

const STATES = { "in force": () => badge("good", "In force", "check"), revoked: () => badge("bad", "Revoked", "close"), expired: () => badge("doubt", "Expired", "warn") };

export async function page(place) {
  const list = h("div");
  const again = () => filling(list, () => get("/v1/keys", { limit: 200 }), (found) => listed(found.items, again), "Reading keys …");
  show(place, head("Keys", "One for each program and person. Only a digest of a key is kept: it is shown once."), list, making(again));
  again();
}

function listed(items, again) {
  if (!items.length) return empty("keys", "No key", "Make one below.");
  return table("Keys", [
    { title: "Name", head: true, cell: (one) => [name(one.name), one.id === state.who.key ? h("span.soft", " (this session)") : ""] },
    { title: "Role", cell: (one) => ROLES.find(([role]) => role === one.role)?.[1].split(":")[0] ?? one.role },
    { title: "Expires", still: true, cell: (one) => (one.expires ? date(one.expires) : "never") },
    { title: "Made", still: true, cell: (one) => when(one.made) },
    { title: "Last used", still: true, cell: (one) => (one.used ? date(one.used) : "never") },
    { title: "State", cell: (one) => STATES[one.state]?.() ?? one.state },
    { title: h("span.unseen", "Actions"), end: true, cell: (one) => (one.state === "in force" && h("div.row.tight", button(h("span", "Replace", h("span.unseen", ` ${one.name}`)), () => replaced(one, again), { how: "tiny" }), button(h("span", "Revoke", h("span.unseen", ` ${one.name}`)), () => revoked(one, again), { how: "bad tiny" }))) },
  ], items);
}

async function revoked(one, again) {
  const text = [h("p", "Whoever uses it is refused from now on, and its sessions end."), one.id === state.who.key && h("p.strong", "It is the key of this session: you will be signed out.")];
  if (await confirmed(h("span", "Revoke ", name(one.name), "?"), text, "Revoke it", () => remove(at`/v1/keys/${one.id}`))) { toast("The key was revoked."); again(); }
}

async function replaced(one, again) {
  const made = await confirmed(h("span", "Replace ", name(one.name), "?"), [h("p", "A new key is made with the same name and role. The old one works for another day, so that programs can be changed.")], "Replace it", () => post(at`/v1/keys/${one.id}/rotate`, { hours: 24 }));
  if (!made) return;
  await dialog("The new key", (close) => secret(made, close));
  again();
}

function making(again) {
  const called = h("input.input", { required: true, maxlength: "100", autocomplete: "off", placeholder: "such as: door of building 2" }), role = select(ROLES, "reader"), ends = h("input.input", { type: "date" }), place = h("div");
  const act = working(async (event) => {
    event.preventDefault();
    const made = await post("/v1/keys", { name: called.value.trim(), role: role.value, ...(ends.value ? { expires: ends.value } : {}) });
    called.value = "";
    await dialog("The new key", (close) => secret(made, close));
    again();
  }, place);
  return h("section.card", h("form.stack", { on: { submit: act } }, h("h2", "Make a key"), h("div.fields", field("Name", called, "Who or what will use it."), field("Role", role), field("Expires", ends, "Empty: when it is revoked.")), place, h("div", button("Make it", null, { how: "lead", type: "submit" }))));
}

function secret(made, close) {
  const text = made.key;
  const copy = button("Copy", async () => { try { await navigator.clipboard.writeText(text); toast("Copied."); } catch { toast("The browser does not allow copying here: select the key and copy it by hand."); } });
  return [note("doubt", h("p", "It is shown this once. Put it where secrets are kept.")), h("p.secret", { tabindex: "0" }, text), h("div.actions", copy, button("Done", () => close(true), { how: "lead" }))];
}
