// The trade-off between letting strangers pass and turning people away, with a handle to choose a point on it.
// Both axes are normal deviates of the rates (Martin et al., "The DET curve", Eurospeech 1997): a straight line there is
// what normally distributed scores give.
import { s } from "./dom.js";
import { percent, rate, score } from "./format.js";

const WIDE = 640, HIGH = 420, LEFT = 76, RIGHT = 40, TOP = 16, BOTTOM = 56;
const TICKS = [1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 0.25, 0.5, 0.75, 0.9];

/** The normal deviate of a rate (Acklam's rational approximation, error below 1.2e-9). */
export function deviate(rate_) {
  const p = Math.min(1 - 1e-9, Math.max(1e-9, rate_));
  const poly = (x, ...all) => all.reduce((sum, one) => sum * x + one, 0);
  const tail = (q) => poly(q, -7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783) / poly(q, 7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1);
  if (p < 0.02425) return tail(Math.sqrt(-2 * Math.log(p)));
  if (p > 1 - 0.02425) return -tail(Math.sqrt(-2 * Math.log(1 - p)));
  const q = p - 0.5, r = q * q;
  return q * poly(r, -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239) / poly(r, -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1);
}

const compact = new Intl.NumberFormat(undefined, { notation: "compact" });
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** points: [{threshold, fmr, fmr_low, fmr_high, fnmr, fnmr_low, fnmr_high}], loosest first. `onMove(place)` hears where the
 *  handle is. Without any fnmr the curve is the false-match rate over the threshold. */
export function curve(points, start, onMove) {
  const both = points.every((one) => one.fnmr !== null && one.fnmr !== undefined);
  const axis = both ? rates(points) : overThreshold(points);
  let place = start;
  const handle = s("g.handle", { tabindex: "0", role: "slider", "aria-label": "Operating point", "aria-valuemin": 0, "aria-valuemax": points.length - 1, "aria-orientation": "horizontal" }, s("circle.halo", { r: 18 }), s("circle", { r: 9 }));
  const guides = [s("line.guide"), s("line.guide")];
  const picture = s("svg.curve", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "group", "aria-label": both ? "False matches against misses" : "False matches by threshold" }, axis.parts, band(points, axis), line(points, axis), points.length <= 40 && points.map((one) => s("circle.dot", { cx: axis.x(one), cy: axis.y(one), r: 3 })), guides, handle);
  const move = (to, tell = true) => {
    place = clamp(to, 0, points.length - 1);
    const one = points[place], x = axis.x(one), y = axis.y(one);
    handle.setAttribute("transform", `translate(${x} ${y})`);
    lay(guides[0], x, y, x, HIGH - BOTTOM);
    lay(guides[1], LEFT, y, x, y);
    handle.setAttribute("aria-valuenow", String(place));
    handle.setAttribute("aria-valuetext", `Threshold ${score(one.threshold)}: false matches ${rate(one.fmr)}${both ? `, misses ${percent(one.fnmr)}` : ""}`);
    if (tell) onMove(place);
  };
  keys(handle, () => place, move, points.length);
  pointer(picture, handle, (x, y) => move(nearest(points, axis, x, y)));
  move(start, false);
  return { part: picture, move, handle };
}

function lay(line_, x1, y1, x2, y2) {
  for (const [key, value] of Object.entries({ x1, y1, x2, y2 })) line_.setAttribute(key, value);
}

/** Right and up are stricter: the threshold grows. */
function keys(handle, where, move, many) {
  const far = Math.max(1, Math.round(many / 10));
  const steps = { ArrowRight: () => where() + 1, ArrowUp: () => where() + 1, ArrowLeft: () => where() - 1, ArrowDown: () => where() - 1, PageUp: () => where() + far, PageDown: () => where() - far, Home: () => 0, End: () => many - 1 };
  handle.addEventListener("keydown", (event) => { if (event.key in steps) { event.preventDefault(); move(steps[event.key]()); } });
}

function pointer(picture, handle, act) {
  const spot = (event) => { const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse()); act(at.x, at.y); };
  picture.addEventListener("pointerdown", (event) => { event.preventDefault(); picture.setPointerCapture(event.pointerId); handle.focus({ preventScroll: true }); spot(event); });
  picture.addEventListener("pointermove", (event) => { if (picture.hasPointerCapture(event.pointerId)) spot(event); });
}

function nearest(points, axis, x, y) {
  let best = 0, least = Infinity;
  points.forEach((one, place) => { const far = (axis.x(one) - x) ** 2 + 0.25 * (axis.y(one) - y) ** 2; if (far < least) { least = far; best = place; } });
  return best;
}

const line = (points, axis) => s("path.line-of", { d: points.map((one, place) => `${place ? "L" : "M"}${axis.x(one).toFixed(1)} ${axis.y(one).toFixed(1)}`).join("") });

function band(points, axis) {
  const known = points.filter((one) => axis.low(one) !== null && axis.high(one) !== null);
  if (known.length < 2) return null;
  const edge = (value) => (one) => `${axis.x(one).toFixed(1)} ${axis.scaleY(value(one)).toFixed(1)}`;
  return s("path.band-of", { d: `M${known.map(edge(axis.high)).join("L")}L${[...known].reverse().map(edge(axis.low)).join("L")}Z` });
}

/** The ticks around all values; a rate of which no case was seen lies on the lowest, a decade below those that were. */
function span(values) {
  const known = values.filter((one) => one > 0 && one < 1);
  if (!known.length) return [1e-3, 0.5];
  const least = Math.min(...known) / (values.includes(0) ? 10 : 1);
  const low = TICKS.findLast((one) => one <= least) ?? TICKS[0], high = TICKS.find((one) => one >= Math.max(...known)) ?? 0.97;
  return low === high ? [low / 10, high] : [low, high];
}

function scaled([low, high], from, to) {
  const [a, b] = [deviate(low), deviate(high)];
  return (value) => from + (to - from) * clamp((deviate(value) - a) / (b - a), 0, 1);
}

/** Stricter is to the right: false matches fall from left to right, misses rise. */
function rates(points) {
  const spanX = span(points.map((one) => one.fmr)), spanY = span(points.flatMap((one) => [one.fnmr, one.fnmr_high ?? one.fnmr]));
  const scaleX = scaled(spanX, WIDE - RIGHT, LEFT), scaleY = scaled(spanY, HIGH - BOTTOM, TOP);
  return { x: (one) => scaleX(one.fmr || spanX[0]), y: (one) => scaleY(one.fnmr || spanY[0]), scaleY, low: (one) => one.fnmr_low ?? null, high: (one) => one.fnmr_high ?? null,
    parts: grid(ticksOf(spanX, scaleX), ticksOf(spanY, scaleY), "False matches: strangers who pass →  stricter", "Misses") };
}

function overThreshold(points) {
  const [low, high] = [points[0].threshold, points.at(-1).threshold], spanY = span(points.flatMap((one) => [one.fmr, one.fmr_low || one.fmr, one.fmr_high || one.fmr]));
  const scaleX = (value) => LEFT + (WIDE - RIGHT - LEFT) * ((value - low) / (high - low || 1)), scaleY = scaled(spanY, HIGH - BOTTOM, TOP);
  const across = Array.from({ length: 5 }, (_, place) => low + (high - low) * place / 4).map((value) => [scaleX(value), score(value)]);
  return { x: (one) => scaleX(one.threshold), y: (one) => scaleY(one.fmr || spanY[0]), scaleY, low: (one) => one.fmr_low ?? null, high: (one) => one.fmr_high ?? null,
    parts: grid(across, ticksOf(spanY, scaleY), "Threshold: stricter →", "False matches") };
}

const ticksOf = ([low, high], scale) => TICKS.filter((one) => one >= low && one <= high).map((one) => [scale(one), one >= 0.01 ? percent(one) : `1:${compact.format(Math.round(1 / one))}`]);

function grid(across, down, below, beside) {
  return s("g.axis", across.map(([x, text]) => [s("line", { x1: x, x2: x, y1: TOP, y2: HIGH - BOTTOM }), s("text", { x, y: HIGH - BOTTOM + 19, "text-anchor": "middle" }, text)]),
    down.map(([y, text]) => [s("line", { x1: LEFT, x2: WIDE - RIGHT, y1: y, y2: y }), s("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, text)]),
    s("text.label", { x: (LEFT + WIDE - RIGHT) / 2, y: HIGH - 8, "text-anchor": "middle" }, below), s("text.label", { x: 14, y: (TOP + HIGH - BOTTOM) / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${(TOP + HIGH - BOTTOM) / 2})` }, beside));
}

