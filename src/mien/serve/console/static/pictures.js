// Bringing pictures: dropped, picked or taken; each is looked at while the reader goes on.
import { send } from "./api.js";
import { taken } from "./camera.js";
import { bytes, several } from "./format.js";
import { badge, button, h, icon, iconButton, say, show, told } from "./parts.js";

/** A place to drop files, with buttons for the file picker and the camera. `onFiles` gets a list of Files. */
export function dropzone(onFiles, { text, accept = "image/*", multiple = true, camera = true, advise = null, slim = false, picture = "upload" } = {}) {
  const input = h("input", { type: "file", accept, multiple, class: "unseen", tabindex: "-1", aria: { label: text }, on: { change: () => { give([...input.files]); input.value = ""; } } });
  const give = (files) => { if (files.length) onFiles(multiple ? files : files.slice(0, 1)); };
  const zone = h("div.drop", { class: slim ? "slim" : "" }, icon(picture), h("p", text),
    h("div.row.tight", button(multiple ? "Choose files" : "Choose a file", () => input.click()), camera && button("Use the camera", async () => { const file = await taken(advise); if (file) give([file]); }, { picture: "photo" })), input);
  let depth = 0;
  const over = (event) => event.dataTransfer?.types.includes("Files");
  zone.addEventListener("dragenter", (event) => { if (over(event)) { event.preventDefault(); depth += 1; zone.classList.add("over"); } });
  zone.addEventListener("dragover", (event) => { if (over(event)) event.preventDefault(); });
  zone.addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) zone.classList.remove("over"); });
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    zone.classList.remove("over");
    give([...event.dataTransfer.files]);
  });
  const paste = (event) => {
    if (!zone.isConnected) removeEventListener("paste", paste);
    else if (!event.target.closest?.("input, textarea")) give([...event.clipboardData.files]);
  };
  addEventListener("paste", paste);
  return zone;
}

// A file that is dropped beside a place for it must not replace the page.
for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => { if (event.dataTransfer?.types.includes("Files")) event.preventDefault(); });

/** An image of a file; the address that it takes up is given back once it is drawn. */
export function preview(file, props = {}) {
  const url = URL.createObjectURL(file);
  const free = () => URL.revokeObjectURL(url);
  const image = h("img", { src: url, alt: "", ...props, on: { load: free, error: () => { free(); image.replaceWith(h("span.portrait", icon("photo"))); } } });
  return image;
}

/** Pictures to enrol somebody from: a dropzone and a list with what the service says of each.
 *  Gives {part, files(), outcome(answer), clear()}. */
export function intake(onChange = () => {}, signal = undefined) {
  const items = [];
  const list = h("ul.picked", { aria: { label: "Pictures to enrol" } });
  const queue = [];
  let looking = false;

  function add(files) {
    for (const file of files) {
      const words = h("div.advice", h("span.soft", "Waiting to be looked at …"));
      const item = { file, words, part: null };
      item.part = h("li", preview(file), h("div.stack.tight", h("bdi", file.name), words), iconButton(`Leave out ${file.name}`, "close", () => drop(item)));
      items.push(item);
      list.append(item.part);
      queue.push(item);
    }
    say(`${several(files.length, "picture")} added.`);
    onChange(items.length);
    look();
  }

  function drop(item) {
    items.splice(items.indexOf(item), 1);
    item.part.remove();
    onChange(items.length);
    say(`${item.file.name} left out.`);
    zone.querySelector("button").focus();
  }

  async function look() {
    if (looking) return;
    looking = true;
    for (let item = queue.shift(); item && !signal?.aborted; item = queue.shift()) {
      if (!items.includes(item)) continue;
      try { advised(item, await send("/v1/quality", { image: item.file }, { signal })); } catch (error) { if (error.name !== "AbortError") refused(item, told(error)); }
    }
    looking = false;
  }

  const zone = dropzone(add, { text: "Drop pictures here: one face in each, from the front, well lit.", advise: async (file) => [words(await send("/v1/quality", { image: file }, { signal }))] });
  return {
    part: h("div.stack", zone, list),
    add,
    files: () => items.map((one) => one.file),
    clear: () => { items.length = 0; show(list); onChange(0); },
    outcome: (answer) => outcome(items, answer),
  };
}

const isGood = (found) => found.usable && found.quality >= 0.7;

/** What the service says of a picture: a mark, and advice in words. */
function words(found, ...more) {
  const mark = found.usable ? (isGood(found) ? badge("good", "Good", "check") : badge("doubt", "Usable", "warn")) : badge("bad", "Not usable", "bad");
  return h("div.advice", h("div.row.tight", mark, ...more), found.advice.map((one) => h("span", one)));
}

function advised(item, found) {
  const good = isGood(found);
  show(item.words, words(found, h("span.soft", bytes(item.file.size))));
  say(`${item.file.name}: ${found.usable ? (good ? "good" : "usable") : "not usable"}. ${found.advice.join(" ")}`);
}

function refused(item, problem) {
  show(item.words, h("div.row.tight", badge("bad", "Not usable", "bad")), h("span", problem.message), problem.remedy && h("span", problem.remedy));
}

/** What became of each picture of an enrolment: partial success, picture by picture. Those that are done leave the list. */
function outcome(items, answer) {
  const faults = new Map(answer.refused.map((one) => [one.picture, one.problem]));
  const kept = [];
  items.forEach((item, place) => {
    const problem = faults.get(place);
    if (!problem) { item.part.remove(); return; }
    show(item.words, h("div.row.tight", badge("bad", "Not added", "bad")), h("span", problem.detail), problem.remedy && h("span", problem.remedy));
    kept.push(item);
  });
  items.length = 0;
  items.push(...kept);
  return kept.length;
}

/** How an enrolment went, in a sentence. */
export function summary(answer) {
  const parts = [`${several(answer.added, "picture")} added`];
  if (answer.known) parts.push(`${several(answer.known, "picture")} known already`);
  if (answer.refused.length) parts.push(`${several(answer.refused.length, "picture")} not added`);
  return `${parts.join(", ")}.`;
}
