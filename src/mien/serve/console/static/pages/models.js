// Which models there are, what runs, and what their licences allow.
import { get } from "../api.js";
import { bytes, count, date, figure, rate, score, several, words } from "../format.js";
import { badge, empty, facts, field, filling, h, head, say, select, show, table } from "../parts.js";

const COMMERCIAL = { yes: ["good", "check", "Commercial use allowed"], no: ["bad", "close", "No commercial use"], unclear: ["doubt", "doubt", "Terms unclear"] };

export async function page(place, { signal }) {
  const list = h("div.stack");
  show(place, head("Models", "What runs here, and what else could. Licences are as stated where the weights come from."), list);
  filling(list, () => get("/v1/models", {}, { signal }), draw, "Reading model cards …");
}

function draw(found) {
  if (!found.items.length) return empty("models", "No model", "The installation has no model cards.");
  const tasks = [...new Set(found.items.map((one) => one.task))].sort();
  const list = h("ul.stack", { aria: { label: "Models" } });
  const task = select([["", "All tasks"], ...tasks.map((one) => [one, words(one)])], ""), which = select([["", "Any licence"], ["yes", "Commercial use allowed"], ["no", "No commercial use"], ["unclear", "Terms unclear"]], "");
  const fill = () => { const some = found.items.filter((one) => (!task.value || one.task === task.value) && (!which.value || one.commercial === which.value)); show(list, some.map((one) => h("li.card.slim.stack.tight", card(one)))); say(several(some.length, "model")); };
  for (const one of [task, which]) one.addEventListener("change", fill);
  show(list, found.items.map((one) => h("li.card.slim.stack.tight", card(one))));
  return h("div.stack", h("div.fields.narrow", field("Task", task), field("Licence", which)), list);
}

function card(one) {
  const [kind, picture, text] = COMMERCIAL[one.commercial] ?? ["calm", "info", words(one.commercial)];
  const { licence } = one;
  return [h("div.row.between", h("h2", one.name), h("div.row.tight", one.in_use && badge("lead", "Running here", "play"), badge(kind, text, picture))), h("p", h("span.soft", words(one.task), ": "), one.summary),
    h("details", h("summary.small", h("span", "Licence and measurements", h("span.unseen", ` of ${one.name}`))), h("div.stack.tight.small", facts(["Weights", licence.weights], ["Code", licence.code], ["Training data", licence.training_data], ["Stated at", linked(licence.url)], ["Read on", licence.read_on && date(licence.read_on)], !one.accepted && ["Use", "Refused until its terms are accepted by name"], ["Trained on", one.training], ["Paper", linked(one.paper)], ["Size", one.bytes > 0 && bytes(one.bytes)]), one.limits.length > 0 && h("ul.reasons", one.limits.map((each) => h("li", each))), measured(one.results), points(one.operating_points)))];
}

function measured(results) {
  if (!results.length) return null;
  return table("Measured", [{ title: "Measure", head: true, cell: (one) => words(one.metric) }, { title: "On", cell: (one) => one.data }, { title: "Value", end: true, cell: (one) => figure(one.value, 4) }, { title: "95 % interval", still: true, cell: (one) => (one.low === null ? "" : `${figure(one.low, 4)} to ${figure(one.high, 4)}`) }, { title: "n", end: true, cell: (one) => (one.n === null ? "" : count(one.n)) }, { title: "By", cell: (one) => one.source }], results);
}

function points(found) {
  if (!found.length) return null;
  return table("Operating points", [{ title: "Threshold", head: true, cell: (one) => score(one.threshold) }, { title: "Strangers who pass", cell: (one) => rate(one.fmr ?? one.fpir) }, { title: "95 % interval", cell: (one) => (one.high ? `${rate(one.high)} to ${rate(one.low)}` : "") }, { title: "Comparisons", end: true, cell: (one) => count(one.comparisons) }, { title: "Measured on", cell: (one) => one.data }], found);
}

function linked(url) {
  return typeof url === "string" && /^https:\/\//.test(url) ? h("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, url) : url;
}
