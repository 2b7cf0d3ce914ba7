// What is known of thresholds, as curves: of the people enrolled here, of what was calibrated here, of the model's card.
import { deviate } from "./curve.js";
import { rate, score } from "./format.js";

const BETWEEN = 6; // steps from one measured point to the next

/** [{id, title, points, keeps(point)}]: curves that have two points at least, the most telling one first:
 *  few people say less than a card does. */
export function sources(found) {
  const here = found.det.map((one) => flat(one.threshold, one.fmr, one.fnmr));
  const byHand = (one) => ({ text: `Keeps the threshold ${score(one.threshold)}: chosen on what the people enrolled here show.`, rules: { threshold: one.threshold } });
  const byRate = (one) => ({ text: `Keeps the aim, ${rate(one.fmr)} comparisons; the threshold follows from the evidence.`, rules: { fmr: one.fmr } });
  const few = found.counts.with_two_samples < 30;
  const known = [
    { id: "here", title: "The people enrolled here", points: here, keeps: byHand },
    { id: "own", title: "Calibrated on the people here", points: between(judged(found.own)), keeps: byRate },
    { id: "card", title: "The model's card", points: between(judged(found.card)), keeps: byRate },
  ].filter((one) => one.points.length > 1);
  const order = few ? ["own", "card", "here"] : ["own", "here", "card"];
  return known.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
}

function flat(threshold, fmr, fnmr) {
  return { threshold, fmr: fmr.value, fmr_low: fmr.low, fmr_high: fmr.high, fnmr: fnmr ? fnmr.value : null, fnmr_low: fnmr ? fnmr.low : null, fnmr_high: fnmr ? fnmr.high : null };
}

/** Points with a false-match rate, loosest first; misses are those of the people here, where they can be told. */
function judged(items) {
  const known = items.filter(({ point }) => point.fmr !== null && point.score === "cosine");
  const told = known.every((one) => one.here);
  return known.map(({ point, here }) => flat(point.threshold, { value: point.fmr, low: point.low, high: point.high }, told ? here.fnmr : null)).sort((a, b) => a.threshold - b.threshold);
}

/** Between two points the threshold goes with the normal deviate of the rate, as the service itself interpolates. */
function between(points) {
  return points.flatMap((one, place) => {
    const next = points[place + 1];
    if (!next) return [one];
    return Array.from({ length: BETWEEN }, (_, step) => mixed(one, next, step / BETWEEN));
  });
}

function mixed(one, next, share) {
  if (share === 0) return one;
  const part = (a, b) => (a === null || b === null ? null : a > 0 && b > 0 && a !== b ? rateOf(deviate(a) + share * (deviate(b) - deviate(a))) : a + share * (b - a));
  const rates = Object.fromEntries(["fmr", "fmr_low", "fmr_high", "fnmr", "fnmr_low", "fnmr_high"].map((key) => [key, part(one[key], next[key])]));
  return { threshold: one.threshold + share * (next.threshold - one.threshold), ...rates };
}

/** The rate of a normal deviate, by halving: the deviate grows with the rate. */
function rateOf(wanted) {
  let low = -9, high = 0; // powers of ten
  for (let step = 0; step < 50; step += 1) {
    const middle = (low + high) / 2;
    if (deviate(10 ** middle) < wanted) low = middle; else high = middle;
  }
  return 10 ** ((low + high) / 2);
}
