// Elements from data. Text is only ever text: nothing in the console parses markup, and the page's policy forbids it.

const SVG = "http://www.w3.org/2000/svg";

/** h("a.button", {href, on: {click}, aria: {label}}, child, …). A property that is null, undefined or false is left out. */
export function h(kind, ...rest) {
  const [tag, ...classes] = kind.split(".");
  return filled(document.createElement(tag || "div"), classes, rest);
}

/** The same for SVG. */
export function s(kind, ...rest) {
  const [tag, ...classes] = kind.split(".");
  return filled(document.createElementNS(SVG, tag), classes, rest);
}

function filled(element, classes, rest) {
  const given = isProps(rest[0]) ? rest.shift() : {};
  if (classes.length) element.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(given)) set(element, name, value);
  put(element, ...rest);
  return element;
}

function isProps(value) {
  return value !== null && typeof value === "object" && !(value instanceof Node) && !Array.isArray(value);
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
  else if (name === "aria") for (const [key, each] of Object.entries(value)) { if (each !== null && each !== undefined) element.setAttribute(`aria-${key}`, String(each)); }
  else if (name === "data") Object.assign(element.dataset, value);
  else if (name === "class") element.setAttribute("class", [element.getAttribute("class"), value].filter(Boolean).join(" "));
  else if (["value", "checked", "disabled", "hidden", "selected", "srcObject", "indeterminate", "muted"].includes(name) && name in element) element[name] = value;
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** Append children: nodes, text, numbers, lists of these; null and false are nothing. */
export function put(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Put children in place of what was there. */
export function show(element, ...children) {
  element.replaceChildren();
  return put(element, ...children);
}

/** A name that people gave: set apart, so that one written right to left does not turn what stands around it. */
export function name(text) {
  const found = document.createElement("bdi");
  found.textContent = text;
  return found;
}

let numbered = 0;
/** An id for a label to point at. */
export function id(prefix = "x") {
  numbered += 1;
  return `${prefix}-${numbered}`;
}

let clearing = 0;
/** Tell a screen reader, politely. */
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = "";
  clearTimeout(clearing);
  clearing = setTimeout(() => { place.textContent = text; }, 60);
}

/** Tell everybody, for a moment. */
export function toast(text) {
  say(text);
  const one = h("div.toast", text);
  document.getElementById("toasts").append(one);
  setTimeout(() => one.remove(), 5000);
}

/** `act` once nothing has happened for `ms`. */
export function later(act, ms = 200) {
  let timer = 0;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => act(...given), ms); };
}
