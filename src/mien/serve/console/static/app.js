// The shell: who is signed in, where the reader is, and the page that belongs there.
import { get, remove, whenExpired } from "./api.js";
import { button, failure, h, icon, loading, say, show, told } from "./parts.js";
import { choose, may, readGalleries, remember, signedIn, state } from "./state.js";
import { signIn } from "./pages/signin.js";

// [room, title, icon, role, on a phone's bar, module]
const ROOMS = [
  ["people", "People", "people", "reader", true], ["identify", "Identify", "identify", "reader", true],
  ["review", "Review", "review", "reader", true], ["jobs", "Jobs", "jobs", "reader", true],
  ["thresholds", "Thresholds", "thresholds", "reader", false], ["audits", "Audits", "audits", "admin", false],
  ["galleries", "Galleries", "galleries", "reader", false], ["models", "Models", "models", "reader", false],
  ["log", "Log", "log", "operator", false], ["keys", "Keys", "keys", "admin", false],
];
const GROUPS = { people: "Faces", thresholds: "How sure", galleries: "Service" };
const EXTRA = { more: "More", person: "Person", enrol: "Enrol", job: "Job" };
const OF = { person: "people", enrol: "people", job: "jobs" };
const WITH_GALLERY = new Set(["people", "person", "enrol", "identify", "review", "thresholds"]);

const root = document.getElementById("root");
let leaving = new AbortController();
let shell = null;

function go(room, ...parts) { return `#/${[room, ...parts].map(encodeURIComponent).join("/")}`; }

function whereTo() {
  const [room = "", ...parts] = location.hash.replace(/^#\/?/, "").split("/").map((one) => { try { return decodeURIComponent(one); } catch { return one; } });
  return { room: room || "people", parts };
}

function railing() {
  const links = ROOMS.filter(([, , , role]) => may(role)).flatMap(([room, title, picture, , phone]) => [
    room in GROUPS && h("span.group", { aria: { hidden: "true" } }, GROUPS[room]),
    h("a", { href: go(room), data: { room }, class: phone ? "" : "wide-only" }, icon(picture), title),
  ]);
  return h("nav.rooms", { aria: { label: "Rooms" } }, links, h("a.phone-only", { href: go("more"), data: { room: "more" } }, icon("more"), "More"));
}

/** Who is signed in, the theme, and the way out: at the side's foot, and on a phone under More. */
export function foot() {
  const dark = () => getComputedStyle(document.documentElement).colorScheme === "dark" || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const theme = button("Dark", () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    remember("mien-theme", next);
    theme.setAttribute("aria-pressed", String(next === "dark"));
  }, { how: "plain tiny", picture: "moon", "aria-pressed": String(dark()), "data-act": "theme" });
  const out = button("Sign out", async () => { try { await remove("/v1/session"); } catch { /* gone already */ } leave(); }, { how: "plain tiny", picture: "leave" });
  return h("div.foot", h("p.who", h("strong", h("bdi", state.who.name)), h("span", `${state.who.role} in `, h("bdi", state.who.tenant))), h("div.row", theme, out));
}

export function picker() {
  const box = h("select.input", { id: "gallery", on: { change: () => { choose(box.value); follow(); } } }, state.galleries.map((one) => h("option", { value: one.name, selected: one.name === state.gallery }, one.name)));
  box.disabled = state.galleries.length === 0;
  if (box.disabled) box.append(h("option", { value: "" }, "no gallery yet"));
  return h("div.picker.field", h("label", { for: "gallery" }, "Gallery"), box);
}

function follow() {
  const { room } = whereTo();
  const target = WITH_GALLERY.has(OF[room] ?? room) ? go(OF[room] ?? room, state.gallery) : location.hash;
  if (target === location.hash) render(); else location.hash = target;
}

function frame() {
  const main = h("main", { id: "main", tabindex: "-1" });
  const skip = button("Skip to the page", () => main.focus(), { how: "skip" });
  skip.className = "skip";
  const pick = h("div.picker");
  shell = { main, pick, side: h("header.side", h("a.brand", { href: go("people"), aria: { label: "mien, to people" } }, icon("mark"), "mien"), pick, railing(), foot()) };
  show(root, skip, h("div.shell", shell.side, main));
  freshPicker();
}

/** After galleries were made or dropped. */
export function freshPicker() { if (shell) show(shell.pick, picker()); }

async function render(first = false) {
  leaving.abort();
  leaving = new AbortController();
  const signal = leaving.signal;
  let { room, parts } = whereTo();
  const known = ROOMS.find(([one]) => one === (OF[room] ?? room));
  if (!known && !(room in EXTRA)) { location.replace(go("people")); return; }
  if (WITH_GALLERY.has(room)) {
    if (!parts[0] && state.gallery) { history.replaceState(null, "", go(room, state.gallery, ...parts.slice(1))); parts = [state.gallery, ...parts.slice(1)]; }
    if (parts[0] && parts[0] !== state.gallery && state.galleries.some((one) => one.name === parts[0])) { choose(parts[0]); freshPicker(); }
  }
  for (const link of shell.side.querySelectorAll("[data-room]")) {
    if (link.dataset.room === (OF[room] ?? room)) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  const title = EXTRA[room] ?? known[1];
  document.title = `${title} · mien`;
  const page = h("div.page", loading());
  show(shell.main, page);
  try {
    const module = await import(`./pages/${room}.js`);
    if (signal.aborted) return;
    await module.page(page, { parts, signal, go });
  } catch (error) {
    if (signal.aborted) return;
    show(page, room in OF && h("p.crumb", h("a", { href: go(OF[room]) }, ROOMS.find(([one]) => one === OF[room])[1])), h("header.head", h("h1", { tabindex: "-1" }, title)), failure(told(error), () => render()));
  }
  if (signal.aborted) return;
  scrollTo(0, 0);
  if (!first) page.querySelector("h1")?.focus({ preventScroll: true });
  say(`${document.title.split(" · ")[0]}`);
}

function leave(text = "") {
  leaving.abort();
  signedIn(null);
  shell = null;
  document.title = "Sign in · mien";
  show(root, signIn(enter, text));
}

async function enter(who, first = false) {
  signedIn(who);
  show(root, loading());
  try { await readGalleries(); } catch (error) { show(root, h("main.gate", h("div.card", h("h1", "mien"), failure(told(error), () => enter(who))))); return; }
  frame();
  await render(first);
}

whenExpired(() => { if (state.who) leave("Your session has ended. Sign in again to go on."); });
addEventListener("hashchange", () => { if (shell) render(); });
addEventListener("online", () => say("Connected again."));

// Without a session there is nothing to ask for: a first visit makes no request that must fail.
if (document.cookie.includes("mien_csrf=")) get("/v1/session").then((who) => enter(who, true), (error) => leave(error.status === 401 ? "" : error.message));
else leave();
