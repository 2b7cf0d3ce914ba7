// Decisions as people read them: boxes on a picture, and for each face the verdict, its reasons and its evidence.
import { h, s } from "./dom.js";
import { count, percent, rate, score } from "./format.js";
import { name, verdict } from "./parts.js";

// On pictures of any brightness: light lines on dark ones, each verdict with a pattern of its own.
const STROKES = { accept: ["#5fe08a", []], reject: ["#dfe7ee", [10, 7]], abstain: ["#ffc95c", [3, 6]], looking: ["#dfe7ee", [2, 4]] };
const TEXT = { accept: "", reject: "not enrolled", abstain: "cannot tell", looking: "looking" };

const LEAST = 900; // px: a small picture is drawn larger, so that what is written on it is sharp

/** What to call a decision in a picture: a name, or what is said instead. */
export const called = (one) => (one.verdict === "accept" ? one.subject : TEXT[one.verdict]);

/** Draw a picture and boxes on a canvas, sharp at the width it has. `picture`: anything drawImage takes; size: [w, h] of it. */
export function drawn(canvas, picture, size, decisions, { chosen = -1, most = 1600 } = {}) {
  const scale = Math.min(most / Math.max(...size), Math.max(1, LEAST / Math.max(...size)));
  canvas.width = Math.max(1, Math.round(size[0] * scale));
  canvas.height = Math.max(1, Math.round(size[1] * scale));
  const pen = canvas.getContext("2d");
  if (picture) pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const shown = Math.min(560, innerWidth - 40, 0.72 * innerHeight * canvas.width / canvas.height); // px on the screen, about
  const unit = canvas.width / shown; // so that names are as large as the text around, on a phone too
  const taken = [];
  decisions.forEach((one, place) => { if (one.faces?.[0]) box(pen, one, one.faces[0].box.map((value) => value * scale), { unit, place, chosen: place === chosen, edges: [canvas.width, canvas.height], taken }); });
  const label = decisions.map((one, place) => `${place + 1}: ${called(one)}`).join(", ");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", decisions.length ? `Picture with boxes. ${label}` : "Picture in which no face was found");
}

function box(pen, one, [left, top, right, bottom], { unit, place, chosen, edges, taken }) {
  const [colour, dashes] = STROKES[one.verdict] ?? STROKES.reject;
  const round = Math.min(8 * unit, (right - left) / 6);
  pen.lineJoin = "round";
  for (const [style, width, pattern] of [["rgba(0,0,0,.65)", (chosen ? 6 : 4.5) * unit, []], [colour, (chosen ? 4 : 2.5) * unit, dashes.map((each) => each * unit)]]) {
    pen.beginPath();
    pen.roundRect(left, top, right - left, bottom - top, round);
    pen.strokeStyle = style;
    pen.lineWidth = width;
    pen.setLineDash(pattern);
    pen.stroke();
  }
  pen.setLineDash([]);
  const size = 14 * unit;
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.direction = "ltr";
  const most = Math.max(edges[0] * 0.5, 120 * unit);
  const text = `${place + 1} \u2068${shortened(pen, called(one) ?? "", most)}\u2069`;
  const wide = pen.measureText(text).width + 12 * unit, high = size * 1.55;
  const x = Math.min(Math.max(0, left), Math.max(0, edges[0] - wide));
  const y = free([top - high - 3 * unit, bottom + 3 * unit, top + 3 * unit, bottom - high - 3 * unit], x, [wide, high], { edges, taken });
  pen.fillStyle = "rgba(12,16,15,.86)";
  pen.beginPath();
  pen.roundRect(x, y, wide, high, 4 * unit);
  pen.fill();
  pen.fillStyle = colour;
  pen.textBaseline = "middle";
  pen.fillText(text, x + 6 * unit, y + high / 2);
}

/** The first of the places that is inside the picture and not upon another label; else the first that is inside. */
function free(places, x, [wide, high], { edges, taken }) {
  const inside = places.filter((y) => y >= 0 && y + high <= edges[1]);
  const clear = inside.find((y) => !taken.some((one) => x < one.x + one.wide && one.x < x + wide && y < one.y + one.high && one.y < y + high));
  const y = clear ?? inside[0] ?? Math.max(0, Math.min(places[0], edges[1] - high));
  taken.push({ x, y, wide, high });
  return y;
}

function shortened(pen, text, most) {
  if (pen.measureText(text).width <= most) return text;
  const letters = [...text];
  while (letters.length > 1 && pen.measureText(`${letters.join("")}…`).width > most) letters.pop();
  return `${letters.join("")}…`;
}

/** The evidence behind a threshold, in words. */
export function evidence(point) {
  if (!point) return "No threshold was applied.";
  const where = point.score === "relative" ? "a lead over the runners-up of" : "a similarity of";
  const at = `Answers need ${where} ${score(point.threshold)}. `;
  const rest = (what) => `${what}${point.low !== null && point.high !== null && point.high ? ` (95 % interval: ${rate(point.high)} to ${rate(point.low)})` : ""}`;
  const data = point.data ? ` on ${point.data}` : "";
  if (point.fpir !== null && point.fpir !== undefined) return `${at}${rest(`Of strangers who are searched for, ${rate(point.fpir)} may be taken for somebody enrolled`)}: measured with ${count(point.comparisons)} searches in a gallery of ${count(point.subjects)} people${data}.`;
  if (point.fmr !== null && point.fmr !== undefined) return `${at}${rest(`Of comparisons of two different people, ${rate(point.fmr)} passes it`)}: measured on ${count(point.comparisons)} comparisons${point.subjects ? ` of ${count(point.subjects)} people` : ""}${data}.`;
  return `${at}Somebody chose it by hand: no evidence stands behind it.`;
}

/** A bar up to 1 with the score on it and the threshold as a mark, at three quarters of the bar or further left. */
export function scale(one) {
  if (one.score === null || one.score === undefined) return null;
  const limit = one.threshold?.threshold;
  const from = Math.max(0, 1 - 4 * (1 - (limit ?? 0)));
  const at = (value) => `${(100 * Math.min(1, Math.max(0.02, (value - from) / (1 - from)))).toFixed(1)}%`;
  const kind = { accept: "good", abstain: "doubt" }[one.verdict] ?? "";
  const label = `Similarity ${score(one.score)}${limit === undefined ? "" : `, threshold ${score(limit)}`}`;
  return s("svg.scale", { role: "img", "aria-label": label, height: 42 },
    s("rect.rail", { x: 0, y: 4, width: "100%", height: 10, rx: 5 }), s("rect.fill", { class: kind, x: 0, y: 4, width: at(one.score), height: 10, rx: 5 }),
    limit !== undefined && s("line.mark", { x1: at(limit), x2: at(limit), y1: 0, y2: 18 }),
    s("text", { x: 0, y: 34 }, `similarity ${score(one.score)}`), limit !== undefined && s("text", { x: "100%", y: 34, "text-anchor": "end" }, `threshold ${score(limit)}`));
}

/** Reasons, in which names that are known are set apart. */
export function reasons(texts, names) {
  return h("ul.reasons", texts.map((text) => h("li", named(text, [...names].sort((a, b) => b.length - a.length)))));
}

function named(text, [first, ...others]) {
  if (first === undefined) return [text];
  return text.split(first).flatMap((part, place) => [...(place ? [name(first)] : []), ...named(part, others)]);
}

/** One face: who, why, and how sure. */
export function face(one, place, gallery, go) {
  const title = one.verdict === "accept" ? h("a", { href: go("person", gallery, one.subject) }, name(one.subject)) : one.verdict === "abstain" ? "Cannot tell who this is" : one.verdict === "looking" ? "Looking …" : "Nobody who is enrolled";
  const rivals = (one.matches ?? []).slice(0, 5);
  const quality = (one.readings ?? []).find((each) => each.kind === "quality")?.scores?.overall;
  return [
    h("div.row.between", h("h3", h("span.soft.number", `${place + 1}. `), title), verdict(one.verdict)),
    scale(one),
    one.reasons?.length > 0 && reasons(one.reasons, rivals.map((each) => each.subject)),
    one.threshold && h("details", h("summary.small", "Evidence and candidates"), h("div.stack.tight.small",
      h("p", evidence(one.threshold)), quality !== undefined && h("p", `Quality of this face: ${percent(quality)}.`),
      rivals.length > 0 && h("ol.candidates", { aria: { label: "Most alike" } }, rivals.map((each) => h("li", h("a", { href: go("person", gallery, each.subject) }, name(each.subject)), h("span.number", score(each.score))))))),
  ].filter(Boolean);
}

/** A sentence for a screen reader. */
export function told(decisions) {
  if (!decisions.length) return "No face was found.";
  return decisions.map((one, place) => `Face ${place + 1}: ${called(one)}.`).join(" ");
}
