// Everybody in a gallery.
import { at, pages } from "../api.js";
import { later } from "../dom.js";
import { count, several } from "../format.js";
import { empty, going, growing, h, head, icon, name, say, show } from "../parts.js";
import { current, may, readGalleries, state, thumbnail } from "../state.js";

export async function page(place, { parts, go, signal }) {
  await readGalleries();
  if (signal.aborted) return;
  if (!state.gallery) { show(place, head("People"), noGallery(go)); return; }
  const gallery = parts[0] ?? state.gallery;
  const looked = h("input.input", { type: "search", id: "looked-for", placeholder: "Search names", autocomplete: "off" });
  const list = h("div");
  const search = (text) => show(list, listing(gallery, text, go));
  let asked = "";
  looked.addEventListener("input", later(() => { if (!signal.aborted && looked.value.trim() !== asked) { asked = looked.value.trim(); search(asked); say(asked ? `Names with ${asked}` : "Everybody"); } }, 220));
  const known = current();
  const lede = known && Number.isFinite(known.people) ? [`${several(known.people, "person", "people")} in `, name(gallery), Number.isFinite(known.templates) ? `, ${count(known.templates)} templates.` : "."] : ["In ", name(gallery)];
  show(place,
    head("People", h("span", lede), may("operator") && going("Enrol somebody", go("enrol", gallery), { how: "lead", picture: "add" })),
    h("div.row", h("div.search", h("label.unseen", { for: "looked-for" }, "Search names"), icon("search"), looked)),
    list);
  search("");
}

function listing(gallery, text, go) {
  const next = pages(at`/v1/galleries/${gallery}/subjects`, { limit: 48, containing: text });
  return growing(h("ul.people", { aria: { label: "People" } }), next, (one) => h("li", card(gallery, one, go)), () => (text ? empty("search", "Nobody is called so", `No name in this gallery holds “${text}”.`) : nobody(gallery, go)));
}

function card(gallery, one, go) {
  return h("a", { href: go("person", gallery, one.subject) }, portrait(gallery, one), h("span.name", name(one.subject)), h("span.small.soft", several(one.samples, "sample")));
}

/** Somebody's thumbnail, or their first letter where no picture is kept. */
export function portrait(gallery, one, size = "") {
  if (!one.images) return h("span.portrait", { class: size, aria: { hidden: "true" } }, h("bdi", [...one.subject][0]?.toLocaleUpperCase() ?? "?"));
  const image = h("img.portrait", { class: size, src: thumbnail(gallery, one.subject), alt: "", loading: "lazy", decoding: "async" });
  let tried = 0; // many thumbnails at once may be more than the key's rate: once more, a little later
  image.addEventListener("error", () => {
    tried += 1;
    if (tried > 1) image.replaceWith(portrait(gallery, { ...one, images: 0 }, size));
    else setTimeout(() => { image.src = thumbnail(gallery, one.subject); }, 2000);
  });
  return image;
}

function nobody(gallery, go) {
  return empty("people", "Nobody is enrolled yet", "Enrol people from pictures: drop them here in the console, or send a folder from the command line with “mien enrol”.", may("operator") && going("Enrol the first person", go("enrol", gallery), { how: "lead", picture: "add" }));
}

/** What every page says that needs a gallery where there is none. */
export function noGallery(go) {
  return empty("galleries", "There is no gallery yet", may("admin") ? "A gallery holds the people you want to recognise. Make one to begin." : "A gallery holds the people to recognise. Ask an administrator to make one.", may("admin") && going("Make a gallery", go("galleries"), { how: "lead", picture: "add" }));
}
