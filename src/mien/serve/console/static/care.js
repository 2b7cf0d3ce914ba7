// What a person's record says of consent, purpose and expiry, and what else was noted.
import { field, h, button, iconButton } from "./parts.js";

export const CARE = ["consent", "purpose", "expires"];

/** Fields for the three; given() holds those that are filled in. */
export function careFields(known = {}) {
  const consent = h("input.input", { value: known.consent ?? "", autocomplete: "off", placeholder: "such as: written form of 3 May" });
  const purpose = h("input.input", { value: known.purpose ?? "", autocomplete: "off", placeholder: "such as: door of building 2" });
  const expires = h("input.input", { type: "date", value: String(known.expires ?? "").slice(0, 10) });
  const part = h("div.stack", field("Consent", consent, "How and when this person agreed."), field("Purpose", purpose, "What they are recognised for."), field("Expires", expires, "Erased after this day, with a receipt."));
  const given = () => Object.fromEntries([["consent", consent], ["purpose", purpose], ["expires", expires]].map(([key, box]) => [key, box.value.trim()]).filter(([, value]) => value));
  return { part, given };
}

/** Rows of key and value; given() reads numbers and true/false as what they are, the rest as text. */
export function notesFields(known = {}) {
  const list = h("ul.stack.tight", { aria: { label: "Notes" } });
  function row(key = "", value = "") {
    const what = h("input.input", { value: key, aria: { label: "What" }, placeholder: "department" });
    const how = h("input.input", { value: typeof value === "string" ? value : JSON.stringify(value), aria: { label: `Value of ${key || "the note"}` }, placeholder: "research", dir: "auto" });
    const item = h("li.pair", what, how, iconButton(`Take out ${key || "this note"}`, "close", () => { item.remove(); }));
    item.read = () => [what.value.trim(), parsed(how.value)];
    list.append(item);
    return what;
  }
  for (const [key, value] of Object.entries(known)) row(key, value);
  const part = h("div.stack.tight", list, h("div", button("Add a note", () => row().focus(), { how: "tiny", picture: "add" })));
  return { part, given: () => Object.fromEntries([...list.children].map((one) => one.read()).filter(([key]) => key)) };
}

function parsed(text) {
  const bare = text.trim();
  if (/^(true|false|null|-?\d+(\.\d+)?|[[{].*[\]}])$/s.test(bare)) {
    try { return JSON.parse(bare); } catch { return text; }
  }
  return text;
}
