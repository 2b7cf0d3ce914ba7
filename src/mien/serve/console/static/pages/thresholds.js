// How sure an answer must be: what each threshold costs, on evidence, and what that means at this gallery's size.
import { at, get, post, replace } from "../api.js";
import { curve } from "../curve.js";
import { count, figure, percent, rate, score, several } from "../format.js";
import { later } from "../dom.js";
import { button, empty, facts, failure, field, figures, h, head, loading, name, note, say, show, toast, told, working } from "../parts.js";
import { may, recall, remember, state } from "../state.js";
import { noGallery } from "./people.js";

export async function page(place, { parts, go, signal }) {
  const gallery = parts[0] ?? state.gallery;
  if (!gallery) { show(place, head("Thresholds"), noGallery(go)); return; }
  const inside = h("div", loading("Reading the evidence …"));
  show(place, head("Thresholds", h("span", "A stricter threshold lets fewer strangers pass and turns more enrolled people away. For ", name(gallery), ".")), inside);
  try {
    const found = await get(at`/v1/galleries/${gallery}/thresholds`, {}, { signal });
    const points = found.points.filter((one) => one.fmr !== null && one.fmr !== undefined);
    show(inside, points.length ? bench(gallery, found, points, go) : none(gallery, go));
  } catch (error) {
    if (error.name === "AbortError") return;
    show(inside, failure(told(error)), h("div", error.status === 422 && none(gallery, go)));
  }
}

function none(gallery, go) {
  return empty("thresholds", "There is no evidence yet", "Thresholds are measured, not guessed. Calibrate on the people enrolled here: at least two pictures each of a few dozen people.", may("operator") && calibrating(gallery, go));
}

function calibrating(gallery, go) {
  return button("Calibrate on this gallery", working(async () => { const job = await post("/v1/jobs", { kind: "calibrate", gallery, keep: true }); location.hash = go("job", job.id); }), { picture: "play" });
}

/** Share of strangers' searches that name somebody among so many templates (independent comparisons: usually too high). */
export const falseAlarms = (fmr, templates) => -Math.expm1(templates * Math.log1p(-Math.min(fmr, 1 - 1e-12)));

function bench(gallery, found, all, go) {
  const points = [...all].sort((a, b) => a.threshold - b.threshold);
  const size = found.templates ?? found.size ?? 0;
  const searches = h("input.input.number", { type: "number", min: "0", step: "1", inputmode: "numeric", value: recall("mien-searches") || "1000" });
  const readout = h("div"), outcome = h("div");
  let place = startOf(points, found);
  const spoken = later(() => say(readout.textContent), 700);
  const tell = () => { show(readout, numbers(points[place], size, Number(searches.value) || 0)); };
  const picture = curve(points, place, (to) => { place = to; tell(); spoken(); });
  searches.addEventListener("input", () => { remember("mien-searches", searches.value); tell(); });
  tell();
  const keep = working(async () => {
    await replace(at`/v1/galleries/${gallery}/policy`, { ...rest(found.policy), ...asPolicy(points[place]) });
    toast("Kept as this gallery's policy.");
  }, outcome);
  return h("div.two",
    h("div.stack.wide", h("section.card.stack", h("h2", "Trade-off"), picture.part, h("p.small.soft", "Drag the handle, or focus it and use the arrow keys. The shaded band is the 95 % interval.")), evidenceOf(found, points)),
    h("div.stack.wide",
      h("section.card.stack", h("h2", "At this point"), readout),
      h("section.card.stack", h("h2", "Every day"), field("Searches of strangers a day", searches, size ? `Each is compared with ${several(size, "template")}.` : "Nobody is enrolled yet."), outcome,
        may("operator") && h("div.row", button("Keep as this gallery's policy", keep, { how: "lead" }), calibrating(gallery, go)))));
}

function rest(policy) {
  return Object.fromEntries(Object.entries(policy ?? {}).filter(([key, value]) => key === "margin" && value));
}

const asPolicy = (one) => ({ fmr: one.fmr });

function startOf(points, found) {
  const wanted = found.policy?.fmr, here = found.point?.threshold ?? found.threshold;
  const far = (one) => (wanted ? Math.abs(Math.log(one.fmr || 1e-12) - Math.log(wanted)) : Math.abs(one.threshold - (here ?? points[Math.floor(points.length / 2)].threshold)));
  return points.reduce((best, one, place) => (far(one) < far(points[best]) ? place : best), 0);
}

function numbers(one, size, searches) {
  const passing = size ? falseAlarms(one.fmr, size) : null;
  const worst = size && one.fmr_high ? falseAlarms(one.fmr_high, size) : null;
  const range = (low, high, how) => (low === null || low === undefined || high === null || high === undefined ? null : `95 %: ${how(low)} to ${how(high)}`);
  return figures(
    ["Threshold", score(one.threshold)],
    ["Strangers who pass a comparison", rate(one.fmr), range(one.fmr_low, one.fmr_high, rate)],
    ["Enrolled people missed", one.fnmr === null || one.fnmr === undefined ? "not measured" : percent(one.fnmr), range(one.fnmr_low, one.fnmr_high, percent)],
    passing !== null && ["Strangers named in a search", rate(passing), "at this gallery's size"],
    passing !== null && ["False alarms a day", figure(searches * passing, 2), worst === null ? `of ${count(searches)} searches` : `of ${count(searches)} searches; up to ${figure(searches * worst, 2)}`]);
}

function evidenceOf(found, points) {
  const one = points[0];
  return h("section.card.stack", h("h2", "Evidence"), facts(["Measured on", found.data ?? one.data], ["Comparisons of strangers", num(found.comparisons ?? one.comparisons)], ["People behind them", num(found.subjects ?? one.subjects)], ["Templates here", num(found.templates)], ["People here", num(found.people)]), (found.warnings ?? [found.warning]).filter(Boolean).map((text) => note("doubt", h("p", text))));
}

const num = (value) => (Number.isFinite(value) ? count(value) : null);
