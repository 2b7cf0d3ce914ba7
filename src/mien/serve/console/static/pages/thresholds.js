// How sure an answer must be: what each threshold costs, on evidence, and what that means at this gallery's size.
import { at, get, post, replace } from "../api.js";
import { curve } from "../curve.js";
import { later } from "../dom.js";
import { count, figure, percent, rate, score, several } from "../format.js";
import { button, check, empty, facts, field, figures, h, head, loading, failure, name, note, say, select, show, toast, told, working } from "../parts.js";
import { sources } from "../points.js";
import { evidence } from "../seen.js";
import { may, recall, remember, state } from "../state.js";
import { noGallery } from "./people.js";

export async function page(place, { parts, go, signal }) {
  const gallery = parts[0] ?? state.gallery;
  if (!gallery) { show(place, head("Thresholds"), noGallery(go)); return; }
  const inside = h("div.stack", loading("Reading the evidence …"));
  show(place, head("Thresholds", h("span", "A stricter threshold lets fewer strangers pass and turns more enrolled people away. For ", name(gallery), ".")), inside);
  try {
    const [found, policy, about] = await Promise.all(["/thresholds", "/policy", ""].map((rest) => get(at`/v1/galleries/${gallery}` + rest, {}, { signal })));
    const known = sources(found);
    show(inside, about.growth_warning && note("doubt", h("p", about.growth_warning)), about.why_none && note("bad", h("p", about.why_none)), known.length ? bench({ gallery, found, policy, known, go }) : none(gallery, found, go));
  } catch (error) {
    if (error.name !== "AbortError") show(inside, failure(told(error)));
  }
}

function none(gallery, found, go) {
  return h("div.stack", (found.notes ?? []).map((text) => note("calm", h("p", text))), empty("thresholds", "There is no evidence yet", "Thresholds are measured, not guessed. Enrol a few dozen people with two pictures each, then calibrate.", may("operator") && calibrating(gallery, go)));
}

function calibrating(gallery, go) {
  return button("Calibrate on this gallery", working(async () => { const job = await post("/v1/jobs", { kind: "calibrate", gallery, keep: true }); location.hash = go("job", job.id); }), { picture: "play" });
}

/** Share of strangers' searches that name somebody among so many templates (as if comparisons were independent: rather too high). */
export const named = (fmr, templates) => -Math.expm1(templates * Math.log1p(-Math.min(fmr, 1 - 1e-12)));

function bench({ gallery, found, policy, known, go }) {
  const size = found.gallery.templates;
  const searches = h("input.input.number", { type: "number", min: "0", step: "1", inputmode: "numeric", value: recall("mien-searches") || "1000" });
  const readout = h("div"), drawing = h("div"), outcome = h("div"), saving = h("p.small.soft");
  let source = known[0], place = 0;
  const point = () => source.points[place];
  const spoken = later(() => say(`Threshold ${score(point().threshold)}. ${[...readout.querySelectorAll(".figure")].map((one) => one.textContent).join(". ")}`), 900);
  const tell = () => { show(readout, numbers(point(), size, Number(searches.value) || 0)); saving.textContent = source.keeps(point()).text; };
  const draw = () => {
    place = nearest(source.points, found.now?.point.score === "cosine" ? found.now.point.threshold : null);
    show(drawing, curve(source.points, place, (to) => { place = to; tell(); spoken(); }).part);
    tell();
  };
  const which = select(known.map((one) => [one.id, one.title]), source.id, { on: { change: () => { source = known.find((one) => one.id === which.value); draw(); } } });
  searches.addEventListener("input", () => { remember("mien-searches", searches.value); tell(); });
  draw();
  const rules = rulesFields(policy);
  const keep = working(async () => {
    await replace(at`/v1/galleries/${gallery}/policy`, { ...rules.given(), fmr: null, fpir: null, threshold: null, ...source.keeps(point()).rules });
    toast("Kept as this gallery's policy.");
  }, outcome);
  return h("div.bench",
    h("section.card.stack", h("h2", "Trade-off"), known.length > 1 && field("Measured on", which), drawing, h("p.small.soft", "Drag the handle, or focus it and use the arrow keys. The shaded band is the 95 % interval.")),
    h("div.stack.wide",
      h("section.card.stack", h("h2", "At this point"), readout, field("Searches a day", searches, size ? `Each is compared with ${several(size, "template")}.` : "Nobody is enrolled yet."), h("details", h("summary.small", "How false alarms are counted"), h("p.small", found.assumption))),
      h("section.card.stack", h("h2", "Policy of this gallery"), h("p.small", standing(policy)), may("operator") && [rules.part, saving, outcome, h("div.row.tight", button("Keep this point", keep, { how: "lead" }), calibrating(gallery, go))])),
    evidenceOf(found));
}

function nearest(points, threshold) {
  if (threshold === null) return Math.floor(points.length / 2);
  return points.reduce((best, one, place) => (Math.abs(one.threshold - threshold) < Math.abs(points[best].threshold - threshold) ? place : best), 0);
}

/** What holds now, in words. */
function standing(policy) {
  const aim = policy.fmr ? `${rate(policy.fmr)} comparisons of two people may pass` : policy.fpir ? `${rate(policy.fpir)} strangers may be named` : policy.threshold !== null ? `a threshold of ${score(policy.threshold)}, chosen by hand` : "1 stranger in 100 may be named";
  return `${policy.set ? "Now" : "Nobody has set one; the default is"}: ${aim}${policy.margin ? `, with a lead of ${score(policy.margin)} over the runner-up` : ""}.`;
}

function rulesFields(policy) {
  const margin = h("input.input.number", { type: "number", min: "0", max: "2", step: "0.005", value: String(policy.margin) });
  const review = check("Put doubtful answers into the review queue", { checked: policy.review }, "Their pictures are kept until somebody has looked, or for 30 days.");
  const { set, ...others } = policy;
  return { part: [field("Least lead over the runner-up", margin, "With less, the answer is “cannot tell”. 0 asks for none."), review.part], given: () => ({ ...others, margin: Number(margin.value) || 0, review: review.box.checked }) };
}

function numbers(one, size, searches) {
  const range = (low, high, how) => (low === null || high === null ? null : `95 %: ${how(low)} to ${how(high)}`);
  const alarms = (fmr) => searches * named(fmr, Math.max(1, size));
  return figures(
    ["Threshold", score(one.threshold)],
    ["False alarms a day", figure(alarms(one.fmr), 2), one.fmr_high === null ? null : `95 %: ${figure(alarms(one.fmr_low ?? 0), 2)} to ${figure(alarms(one.fmr_high), 2)}`],
    ["Strangers who pass a comparison", rate(one.fmr), range(one.fmr_low, one.fmr_high, rate)],
    ["Strangers named in a search", rate(named(one.fmr, Math.max(1, size))), size ? `among ${several(size, "template")}` : "once somebody is enrolled"],
    ["Enrolled people missed", one.fnmr === null ? "–" : percent(one.fnmr), one.fnmr === null ? "not measured: it takes two pictures of each" : range(one.fnmr_low, one.fnmr_high, percent)]);
}

function evidenceOf(found) {
  const { counts } = found;
  const here = counts.pairs > 0;
  return h("section.card.stack", h("h2", "Evidence"), found.now && h("p", h("strong", "In force: "), evidence(found.now.point)), (found.notes ?? []).map((text) => h("p.small", text)),
    facts(["People here", count(found.gallery.people)], ["Templates here", count(found.gallery.templates)], here && ["People looked at", count(counts.people)], here && ["With two samples", count(counts.with_two_samples)], here && ["Comparisons of strangers", count(counts.impostors)], here && ["Comparisons of the same", count(counts.genuine)], found.eer && ["Equal error rate", `${percent(found.eer.value)} (${percent(found.eer.low)} to ${percent(found.eer.high)})`]));
}
