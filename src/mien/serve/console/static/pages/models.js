// Which models there are, what runs, and what their licences allow.
import { get } from "../api.js";
import { words } from "../format.js";
import { badge, empty, facts, filling, h, head, show } from "../parts.js";

const COMMERCIAL = { yes: ["good", "check", "Commercial use allowed"], no: ["bad", "close", "No commercial use"], unclear: ["doubt", "doubt", "Terms unclear"] };

export async function page(place, { signal }) {
  const list = h("div.stack");
  show(place, head("Models", "What runs here, and what else could. Licences are as stated where the weights come from."), list);
  filling(list, () => get("/v1/models", {}, { signal }), draw, "Reading model cards …");
}

const loaded = (one) => one.loaded ?? one.in_use ?? one.used ?? false;

function draw(found) {
  const items = [...(found.items ?? [])].sort((a, b) => Number(loaded(b)) - Number(loaded(a)));
  if (!items.length) return empty("models", "No model", "The installation has no model cards.");
  return h("ul.stack", { aria: { label: "Models" } }, items.map((one) => h("li.card.stack.tight", card(one))));
}

function card(one) {
  const licence = one.licence ?? {};
  const allowed = typeof licence === "object" ? licence.commercial ?? licence.verdict : one.commercial;
  const [kind, picture, text] = COMMERCIAL[allowed ?? one.commercial] ?? ["calm", "info", words(allowed ?? "unknown")];
  const weights = typeof licence === "string" ? licence : licence.weights ?? licence.name;
  return [h("div.row.between", h("h2", one.name), h("div.row.tight", loaded(one) && badge("lead", "Running here", "play"), badge(kind, text, picture))), h("p", one.summary ?? ""),
    facts(["Task", words(one.task)], ["Weights", weights], typeof licence === "object" && ["Code", licence.code], ["Stated at", linked(licence.url ?? licence.source)], ["Trained on", one.training], ["Space", one.space && h("code", String(one.space).slice(0, 16))])];
}

function linked(url) {
  return typeof url === "string" && /^https:\/\//.test(url) ? h("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, url) : url;
}
