// Who was seen in a video, and when: a picture of lanes, one per person, and the same as a table.
import { h, id, s } from "./dom.js";
import { clock, count, score, several, when } from "./format.js";
import { empty, name, table, verdict } from "./parts.js";
import { address, at } from "./api.js";
import { reasons } from "./seen.js";

const KIND = { accept: "good", abstain: "doubt", reject: "calm" };
const LEFT = 150, RIGHT = 20, LANE = 34, TOP = 26, WIDE = 900;

/** Lanes of entries: those recognised by name, then those nobody could tell, then strangers. */
function lanes(entries) {
  const found = new Map();
  for (const one of entries) {
    const key = one.verdict === "accept" ? `a ${one.subject}` : one.verdict === "abstain" ? "b" : "c";
    if (!found.has(key)) found.set(key, { title: one.verdict === "accept" ? one.subject : one.verdict === "abstain" ? "Cannot tell" : "Not enrolled", person: one.verdict === "accept", entries: [] });
    found.get(key).entries.push(one);
  }
  return [...found.entries()].sort(([a], [b]) => (a[0] === b[0] ? a.localeCompare(b) : a < b ? -1 : 1)).map(([, lane]) => lane);
}

function steps(length) {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200].find((one) => length / one <= 8) ?? 14400;
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, place) => place * step);
}

/** The timeline of a job: `seconds` is how long the video is, as far as it was read. */
export function timeline(entries, seconds, { gallery, job, go }) {
  const timed = entries.filter((one) => one.span);
  if (!timed.length) return empty("video", "Nobody was seen", "No face was found in what was read so far.");
  const end = Math.max(1, seconds ?? 0, ...timed.map((one) => one.span[1]));
  const rows = lanes(timed), high = TOP + rows.length * LANE + 4;
  const x = (time) => LEFT + (WIDE - LEFT - RIGHT) * Math.min(1, time / end);
  const label = `${several(rows.length, "lane")} over ${clock(end)}: ${rows.map((one) => `${one.title} ${several(one.entries.length, "time")}`).join(", ")}`;
  const picture = s("svg.timeline", { viewBox: `0 0 ${WIDE} ${high}`, role: "img", "aria-label": label },
    steps(end).map((time) => s("g.tick", s("line", { x1: x(time), x2: x(time), y1: TOP - 6, y2: high }), s("text", { x: x(time), y: 12, "text-anchor": "middle" }, clock(time)))),
    rows.map((lane, place) => lanePicture(lane, TOP + place * LANE, x)));
  return h("div.stack", h("div.scroll", { tabindex: "0", role: "region", aria: { label: "Timeline" } }, picture), listed(timed, { gallery, job, go }));
}

function lanePicture(lane, top, x) {
  const clip = id("lane");
  return s("g", s("clipPath", { id: clip }, s("rect", { x: 0, y: top, width: LEFT - 12, height: LANE })),
    s("text", { x: 2, y: top + LANE / 2 + 4, "clip-path": `url(#${clip})` }, `\u2068${lane.title}\u2069`),
    s("rect.lane", { x: x(0), y: top + 8, width: WIDE - RIGHT - LEFT, height: LANE - 16, rx: 3 }),
    lane.entries.map((one) => s("rect", { class: KIND[one.verdict], x: x(one.span[0]), y: top + 5, width: Math.max(4, x(one.span[1]) - x(one.span[0])), height: LANE - 10, rx: 3 }, s("title", `${lane.title}, ${clock(one.span[0], 1)} to ${clock(one.span[1], 1)}`))));
}

function listed(entries, { gallery, job, go }) {
  const crop = (one) => (one.image ? h("img.portrait.small", { src: address(at`/v1/jobs/${job}/timeline/${one.id}/image`), alt: "", loading: "lazy" }) : null);
  return table(`${count(entries.length)} seen`, [
    { title: h("span.unseen", "Face"), cell: crop },
    { title: "Who", head: true, cell: (one) => (one.verdict === "accept" ? h("a", { href: go("person", gallery, one.subject) }, name(one.subject)) : one.verdict === "abstain" ? "Cannot tell" : "Not enrolled") },
    { title: "When", still: true, cell: (one) => (one.seen ? when(one.seen) : `${clock(one.span[0], 1)} – ${clock(one.span[1], 1)}`) },
    { title: "Verdict", cell: (one) => verdict(one.verdict) },
    { title: "Similarity", end: true, cell: (one) => score(one.score) },
    { title: "Why", wide: true, cell: (one) => reasons(one.reasons ?? [], (one.matches ?? []).map((each) => each.subject)) },
  ], entries);
}
