// Who is in a photo, a video, or before the camera.
import { at, send } from "../api.js";
import { dropzone } from "../pictures.js";
import { button, empty, failure, field, h, head, loading, name, note, say, select, show, tabs, told as problem } from "../parts.js";
import { drawn, face, told } from "../seen.js";
import { hand, may, state } from "../state.js";
import { noGallery } from "./people.js";

export async function page(place, { parts, go, signal }) {
  const gallery = parts[0] ?? state.gallery, way = parts[1] ?? "photo";
  if (!gallery) { show(place, head("Identify"), noGallery(go)); return; }
  const bar = tabs("How", go("identify", gallery, way), [go("identify", gallery, "photo"), "photo", "Photo"], [go("identify", gallery, "video"), "video", "Video"], [go("identify", gallery, "live"), "live", "Live camera"]);
  const inside = h("div.stack.wide");
  show(place, head("Identify", h("span", "Compared with everybody in ", name(gallery), ".")), bar, inside);
  if (way === "video") await (await import("../video.js")).page(inside, { gallery, go, signal });
  else if (way === "live") await (await import("../live.js")).page(inside, { gallery, go, signal });
  else photo(inside, { gallery, go, signal });
}

/** How sure, and among whom; given() are the fields of the request. */
export function options() {
  const sure = select([["", "As this gallery's policy says"], ["fpir=0.01", "1 stranger in 100 may be mistaken"], ["fpir=0.001", "1 stranger in 1,000 may be mistaken"], ["fmr=0.0001", "1 comparison in 10,000 may be wrong"], ["fmr=0.00001", "1 comparison in 100,000 may be wrong"]], "");
  const among = h("input.input", { autocomplete: "off", spellcheck: "false", placeholder: "site = 'north'" });
  const part = h("details", h("summary", "How sure, and among whom"), h("div.fields", field("How sure", sure, "Stricter answers say “cannot tell” more often."), field("Only those of whom this is true", among, "A filter on names and notes; empty for everybody.")));
  return { part, given: () => ({ where: among.value.trim(), ...(sure.value ? Object.fromEntries([sure.value.split("=")]) : {}) }) };
}

function photo(place, { gallery, go, signal }) {
  const asked = options(), result = h("div");
  let running = null;
  const look = async (files) => {
    running?.abort();
    running = new AbortController();
    signal.addEventListener("abort", () => running?.abort());
    await identified(result, files[0], { gallery, go, fields: asked.given(), signal: running.signal });
  };
  show(result, empty("identify", "No picture yet", "Faces are compared in the service and the picture is not kept. Every answer comes with its reasons."));
  show(place, dropzone(look, { text: "Drop a photo here: anybody in it is looked up.", multiple: false, slim: true, picture: "photo" }), asked.part, result);
}

async function identified(result, file, { gallery, go, fields, signal }) {
  show(result, loading("Looking for faces …"));
  try {
    const [picture, found] = await Promise.all([decoded(file), send(at`/v1/galleries/${gallery}/identify`, { image: file, ...fields }, { signal })]);
    show(result, outcome(picture, found, { gallery, go }));
    say(told(found.decisions));
  } catch (error) {
    if (error.name !== "AbortError") show(result, failure(problem(error)));
  }
}

async function decoded(file) {
  try { return await createImageBitmap(file); } catch { return null; }
}

function outcome(picture, found, { gallery, go }) {
  const decisions = found.decisions;
  const size = picture ? [picture.width, picture.height] : extent(decisions);
  const canvas = h("canvas");
  let chosen = -1;
  const redraw = () => drawn(canvas, picture, size, decisions, { chosen });
  const items = decisions.map((one, place) => h("li", { on: { pointerenter: () => choose(place), focusin: () => choose(place) } }, [face(one, place, gallery, go), picture && one.verdict !== "accept" && one.faces?.[0] && may("operator") && h("div", button("Enrol this face …", async () => { hand([await cut(picture, one.faces[0].box)]); location.hash = go("enrol", gallery); }, { how: "tiny", picture: "add" }))]));
  const choose = (place) => { if (place === chosen) return; chosen = place; items.forEach((item, each) => item.classList.toggle("chosen", each === place)); redraw(); };
  canvas.addEventListener("click", (event) => {
    const spot = [event.offsetX * size[0] / canvas.clientWidth, event.offsetY * size[1] / canvas.clientHeight];
    const hit = decisions.findIndex((one) => one.faces?.[0] && inside(spot, one.faces[0].box));
    if (hit >= 0) { choose(hit); items[hit].scrollIntoView({ block: "nearest" }); }
  });
  redraw();
  if (!decisions.length) return h("div.two", h("div.stage", canvas), note("doubt", h("p.strong", "No face was found."), h("p", "Try a picture where faces are larger, upright and lit from the front.")));
  return h("div.two", h("div.stack.tight", h("div.stage", canvas), !picture && note("calm", h("p", "This browser cannot show pictures of this kind; the service can read them."))), h("section.stack", h("h2", decisions.length === 1 ? "1 face" : `${decisions.length} faces`), h("ul.seen", items)));
}

/** A face with what is around it, as a picture of its own. */
async function cut(picture, [left, top, right, bottom]) {
  const pad = 0.6 * Math.max(right - left, bottom - top);
  const [x, y] = [Math.max(0, left - pad), Math.max(0, top - pad)];
  const wide = Math.min(picture.width, right + pad) - x, high = Math.min(picture.height, bottom + pad) - y;
  const canvas = h("canvas", { width: Math.round(wide), height: Math.round(high) });
  canvas.getContext("2d").drawImage(picture, x, y, wide, high, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob((blob) => done(new File([blob], "face.png", { type: "image/png" })), "image/png"));
}

const inside = ([x, y], [left, top, right, bottom]) => x >= left && x <= right && y >= top && y <= bottom;

function extent(decisions) {
  const boxes = decisions.flatMap((one) => one.faces ?? []).map((one) => one.box);
  return [Math.max(64, ...boxes.map((one) => one[2] * 1.1)), Math.max(64, ...boxes.map((one) => one[3] * 1.1))];
}

