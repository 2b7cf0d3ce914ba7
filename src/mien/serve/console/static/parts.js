// What pages are put together from: messages, dialogs, tables, places to drop files.
import { h, id, name, put, say, show, toast } from "./dom.js";
import { icon } from "./icons.js";

export { h, name, put, say, show, toast, icon };

/** The top of a page: its one h1, what it is for, and what can be done. */
export function head(title, lede, ...actions) {
  return h("header.head", h("div.titles", h("h1", { tabindex: "-1" }, title), lede && h("p.lede", lede)), actions.some(Boolean) && h("div.row.tight", ...actions));
}

/** A button. `how`: classes such as "lead". A label for those who do not see the icon is the text itself. */
export function button(text, act, { how = "", picture = null, type = "button", ...more } = {}) {
  return h("button.button", { type, class: how, on: act ? { click: act } : {}, ...more }, picture && icon(picture), text);
}

/** A button that shows its icon only. */
export function iconButton(text, picture, act, how = "plain tiny") {
  return h("button.button.icon", { type: "button", class: how, aria: { label: text }, title: text, on: { click: act } }, icon(picture));
}

/** A link that looks like a button. */
export function going(text, href, { how = "", picture = null } = {}) {
  return h("a.button", { href, class: how }, picture && icon(picture), text);
}

export function loading(text = "Loading …") {
  return h("div.loading", { role: "status" }, h("span.spin", { aria: { hidden: "true" } }), text);
}

/** Nothing here yet, and what to do about it. */
export function empty(picture, title, text, ...actions) {
  return h("div.empty", icon(picture), h("h2", title), text && h("p", text), actions.some(Boolean) && h("div.row.tight", ...actions));
}

const ICONS = { bad: "bad", doubt: "warn", good: "check", calm: "info" };

/** A message in a box. */
export function note(kind, ...children) {
  return h("div.note", { class: kind }, icon(ICONS[kind] ?? "info"), h("div.stack.tight.grow", ...children));
}

/** What went wrong, in the service's words, and what to do. Spoken at once. */
export function failure(error, again) {
  const found = note("bad", h("p.strong", error.message), error.remedy && h("p", error.remedy), error.number && h("p.small.soft", "Request ", h("code", error.number)), again && h("div", button("Try again", again, { how: "tiny" })));
  found.setAttribute("role", "alert");
  return found;
}

/** Fill `place` from a promise: a spinner, then what `then` makes of it, or the failure with a way to try again. */
export async function filling(place, ask, then, text) {
  show(place, loading(text));
  try {
    const found = await ask();
    show(place, then(found));
  } catch (error) {
    if (error.name !== "AbortError") show(place, failure(told(error), () => filling(place, ask, then, text)));
  }
}

/** An error of the console itself is told as such, and shown to whoever looks for it. */
export function told(error) {
  if (!("remedy" in error)) console.error(error);
  return "remedy" in error ? error : { message: "This page has a fault and could not be shown.", remedy: `Load it again. (${error.message})` };
}

/** A button's work: it cannot be pressed twice, and a failure is shown in `place`. */
export function working(act, place) {
  return async (event) => {
    event?.preventDefault?.();
    const pressed = event?.submitter ?? event?.currentTarget;
    if (pressed?.getAttribute?.("aria-disabled") === "true") return;
    pressed?.setAttribute?.("aria-disabled", "true");
    if (place) show(place);
    try {
      await act(event);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (place) show(place, failure(told(error)));
      else toast(told(error).message);
    } finally {
      pressed?.removeAttribute?.("aria-disabled");
    }
  };
}

/** A labelled control: field("Name", h("input.input"), "What it is for"). */
export function field(label, control, hint) {
  const number = control.id || id("field");
  control.id = number;
  if (hint) control.setAttribute("aria-describedby", `${number}-hint`);
  return h("div.field", h("label", { for: number }, label), control, hint && h("p.hint", { id: `${number}-hint` }, hint));
}

export function check(label, props = {}, hint) {
  const box = h("input", { type: "checkbox", id: id("check"), ...props });
  return { box, part: h("div.check", box, h("label", { for: box.id }, label, hint && h("span.hint", h("br"), hint))) };
}

export function select(options, chosen, props = {}) {
  return h("select.input", props, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));
}

/** A table in its own scrolling box. columns: [{title, cell(row), end?, still?, wide?, head?}] */
export function table(caption, columns, rows) {
  const cell = (column, row) => h(column.head ? "th" : "td", { scope: column.head ? "row" : null, class: [column.end && "end", column.still && "still", column.wide && "wide"].filter(Boolean).join(" ") || null }, column.cell(row));
  return h("div.scroll", { tabindex: "0", role: "region", aria: { label: caption } },
    h("table.table", h("caption.unseen", caption),
      h("thead", h("tr", columns.map((column) => h("th", { scope: "col", class: column.end ? "end" : null }, column.title)))),
      h("tbody", rows.map((row) => h("tr", columns.map((column) => cell(column, row)))))));
}

/** Pairs of what and how much. */
export function facts(...pairs) {
  return h("dl.facts", pairs.filter((one) => one && one[1] !== null && one[1] !== undefined && one[1] !== "").map(([what, how]) => [h("dt", what), h("dd", how)]));
}

export function figures(...items) {
  return h("dl.figures", items.filter(Boolean).map(([what, value, small]) => h("div.figure", h("dt", what), h("dd", value), small && h("dd.more", small))));
}

export function badge(kind, text, picture) {
  return h("span.badge", { class: kind }, picture && icon(picture), text);
}

const VERDICTS = { accept: ["good", "check", "Recognised"], reject: ["calm", "stranger", "Not enrolled"], abstain: ["doubt", "doubt", "Cannot tell"], looking: ["calm", "search", "Looking"] };

/** A verdict as word and icon. */
export function verdict(which) {
  const [kind, picture, text] = VERDICTS[which] ?? ["calm", "info", which];
  return badge(kind, text, picture);
}

/** A dialog with a title. `fill(close)` gives its content; resolves with what `close` was given, null when dismissed. */
export function dialog(title, fill) {
  return new Promise((done) => {
    const number = id("dialog");
    const box = h("dialog", { aria: { labelledby: number } });
    let result = null;
    const close = (value = null) => { result = value; box.close(); };
    box.addEventListener("close", () => { box.remove(); done(result); });
    put(box, h("div.inside", h("h2", { id: number }, title), fill(close)));
    document.body.append(box);
    box.showModal();
  });
}

/** Ask before something is done that cannot be undone; `act` runs inside, so that a failure is shown there. */
export function confirmed(title, text, label, act) {
  return dialog(title, (close) => {
    const place = h("div");
    const go = button(label, working(async () => close((await act()) ?? true), place), { how: "bad lead" });
    return [h("div.stack.tight", text), place, h("div.actions", button("Cancel", () => close(), { autofocus: true }), go)];
  });
}

/** A list that grows: `next` as of api.pages, `row` makes an item of each, `none` what stands there while it is empty. */
export function growing(list, next, row, none) {
  const more = button("Show more", () => step(true));
  const foot = h("div.row", more, h("span.soft.small"));
  const place = h("div.stack", list, foot);
  let shown = 0;
  async function step(pressed = false) {
    more.hidden = true;
    show(foot.lastChild, shown === 0 ? loading() : h("span.spin"));
    try {
      const page = await next();
      const items = page?.items ?? [];
      const made = items.map(row);
      list.append(...made);
      shown += items.length;
      show(foot.lastChild, "");
      more.hidden = !page?.more;
      if (shown === 0) show(place, none());
      if (pressed) { say(`${items.length} more, ${shown} in all.`); (made[0]?.querySelector("a, button") ?? more).focus(); }
    } catch (error) {
      show(foot.lastChild, failure(told(error), () => step(pressed)));
    }
  }
  step();
  return place;
}

/** Tabs that are links: [href, icon, text]. */
export function tabs(label, here, ...items) {
  return h("nav.tabs", { aria: { label } }, items.map(([href, picture, text]) => h("a", { href, aria: { current: href === here ? "page" : null } }, picture && icon(picture), text)));
}

/** Save text as a file. */
export function save(filename, text, type = "application/json") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: url, download: filename }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
