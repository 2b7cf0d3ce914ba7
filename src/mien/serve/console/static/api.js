// The REST API, as the rest of the console sees it: paths that are safe for any name, and refusals as Problems.

const ROOT = new URL("../", document.baseURI); // the service may live below a proxy's prefix

/** A refusal in the shape of problem+json. */
export class Problem extends Error {
  constructor(shape) {
    super(shape.detail || shape.title || "The service refused.");
    this.status = shape.status ?? 0;
    this.type = shape.type ?? "";
    this.remedy = shape.remedy ?? "";
    this.number = shape.request_id ?? "";
  }
}

const session = { csrf: "", onExpired: () => {} };

/** Keep what state-changing requests must carry beside the cookie. */
export function carry(csrf) { session.csrf = csrf ?? ""; }

/** Be told when the session has run out. */
export function whenExpired(act) { session.onExpired = act; }

/** at`/v1/galleries/${gallery}/subjects/${subject}`: each part is one segment, whatever is in it. */
export function at(parts, ...names) {
  return parts.reduce((path, part, place) => path + part + (place < names.length ? segment(names[place]) : ""), "");
}

// A browser takes "." and ".." out of an address, escaped or not: what is left would name the collection itself.
function segment(text) {
  if (["", ".", ".."].includes(text)) throw new Problem({ status: 400, detail: `“${text}” cannot be part of an address.`, remedy: "Use the command line or the library for this name." });
  return encodeURIComponent(text);
}

/** The address of a path, with a query from `asked` (what is null or empty is left out). */
export function address(path, asked = {}) {
  const found = new URL(path.replace(/^\//, ""), ROOT);
  for (const [key, value] of Object.entries(asked)) if (value !== null && value !== undefined && value !== "") found.searchParams.set(key, value);
  return found.href;
}

/** The address of a WebSocket. */
export const socket = (path, asked) => address(path, asked).replace(/^http/, "ws");

export const get = (path, asked, how = {}) => ask("GET", path, { asked, ...how });
export const post = (path, json, how = {}) => ask("POST", path, { json, ...how });
export const replace = (path, json) => ask("PUT", path, { json });
export const change = (path, json) => ask("PATCH", path, { json });
export const remove = (path) => ask("DELETE", path);

/** POST a form: {image: File | File[], fpir: "0.01", …}. */
export function send(path, fields, how = {}) {
  return ask("POST", path, { body: form(fields), ...how });
}

function form(fields) {
  const made = new FormData();
  for (const [key, value] of Object.entries(fields)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") made.append(key, one);
  }
  return made;
}

async function ask(method, path, { asked, json, body, signal } = {}) {
  const headers = { accept: "application/json" };
  if (method !== "GET") Object.assign(headers, changing());
  if (json !== undefined) { headers["content-type"] = "application/json"; body = JSON.stringify(json); }
  let answer;
  try {
    answer = await fetch(address(path, asked), { method, headers, body, signal, credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw silent();
  }
  return outcome(answer.status, await answer.text(), path);
}

function changing() { return session.csrf ? { "x-csrf-token": session.csrf } : {}; }

function silent() {
  return new Problem({ detail: "The service does not answer.", remedy: "Check that it runs and that this device reaches it, then try again." });
}

function outcome(status, text, path) {
  let found = null;
  try { found = text ? JSON.parse(text) : null; } catch { found = null; }
  if (status >= 200 && status < 300) return found;
  if (status === 401 && path !== "/v1/session") session.onExpired();
  throw new Problem(found && typeof found === "object" ? { status, ...found } : { status, detail: `The service answered ${status}.`, remedy: "Try again; if it happens again, look at the service's log." });
}

/** POST a form and hear how much of it has gone, 0..1: what fetch cannot do. */
export function upload(path, fields, onProgress, signal) {
  return new Promise((good, bad) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", address(path));
    for (const [key, value] of Object.entries({ accept: "application/json", ...changing() })) sending.setRequestHeader(key, value);
    sending.upload.addEventListener("progress", (event) => { if (event.lengthComputable) onProgress(event.loaded / event.total); });
    sending.addEventListener("load", () => { try { good(outcome(sending.status, sending.responseText, path)); } catch (error) { bad(error); } });
    sending.addEventListener("error", () => bad(silent()));
    sending.addEventListener("abort", () => bad(new DOMException("stopped", "AbortError")));
    signal?.addEventListener("abort", () => sending.abort());
    sending.send(form(fields));
  });
}

/** Items of a list page by page: an async function that gives the next page, or null at its end. */
export function pages(path, asked = {}) {
  let cursor = null, ended = false;
  return async function next() {
    if (ended) return null;
    const page = await get(path, { ...asked, cursor });
    cursor = page.next ?? null;
    ended = cursor === null;
    return { items: page.items, more: !ended, ...page };
  };
}
