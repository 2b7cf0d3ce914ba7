// Numbers, rates and times as people read them.

const LOCALE = undefined; // the reader's own

const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const digits = new Map();

/** 12,345 */
export const count = (value) => whole.format(value);

/** "1 face", "3 faces" */
export const several = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** A number to so many significant digits: 0.00123, 12.3, 1,230 */
export function figure(value, significant = 3) {
  if (value === null || value === undefined || !Number.isFinite(Number(value))) return "–";
  const number = Number(value);
  if (number !== 0 && (Math.abs(number) < 1e-4 || Math.abs(number) >= 1e9)) return scientific(number, significant);
  if (!digits.has(significant)) digits.set(significant, new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: significant }));
  return digits.get(significant).format(number);
}

function scientific(number, significant) {
  const [mantissa, power] = number.toExponential(significant - 1).split("e");
  const raised = [...String(Number(power))].map((one) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(one)]).join("");
  return Number(mantissa) === 1 ? `10${raised}` : `${Number(mantissa)} × 10${raised}`;
}

/** A cosine or a score, always to three places so that columns line up. */
export const score = (value) => (value === null || value === undefined ? "–" : Number(value).toFixed(3));

/** A rate in words: "1 in 10,000". Above a quarter, in percent. */
export function rate(value) {
  if (value === null || value === undefined) return "unknown";
  if (value <= 0) return "none seen";
  if (value > 0.25) return percent(value);
  const [one] = [1 / value];
  const size = 10 ** Math.max(0, Math.floor(Math.log10(one)) - 1);
  return `1 in ${count(Math.round(one / size) * size)}`;
}

/** 12.3 % */
export const percent = (value) => (value === null || value === undefined ? "–" : `${figure(100 * value, 3)} %`);

const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeZone: "UTC" });

/** An ISO time in the reader's zone; what is no time is shown as it came. */
export function when(text) {
  const found = new Date(typeof text === "number" ? text * 1000 : text ?? "");
  return Number.isNaN(found.valueOf()) ? String(text ?? "") : moment.format(found);
}

/** A date without a time of day. */
export function date(text) {
  const found = new Date(`${String(text).slice(0, 10)}T00:00:00Z`);
  return Number.isNaN(found.valueOf()) ? String(text ?? "") : day.format(found);
}

/** Seconds as 1:02:03.4 */
export function clock(seconds, places = 0) {
  const total = Math.max(0, Number(seconds) || 0);
  const hours = Math.floor(total / 3600), minutes = Math.floor(total / 60) % 60;
  const rest = (total % 60).toFixed(places).padStart(places ? 3 + places : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** A file's size. */
export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let number = value, unit = 0;
  while (number >= 1000 && unit < units.length - 1) { number /= 1000; unit += 1; }
  return `${figure(number, 3)} ${units[unit]}`;
}

/** not_this_person -> "Not this person" */
export function words(code) {
  const text = String(code ?? "").replace(/[_.]+/g, " ").trim();
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}
