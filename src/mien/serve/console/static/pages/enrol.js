// Somebody new.
import { at, send } from "../api.js";
import { careFields } from "../care.js";
import { intake, summary } from "../pictures.js";
import { button, check, field, going, h, head, name, note, say, show, working } from "../parts.js";
import { may, state, taken } from "../state.js";
import { noGallery } from "./people.js";

export async function page(place, { parts, go, signal }) {
  const gallery = parts[0] ?? state.gallery;
  if (!gallery) { show(place, head("Enrol somebody"), noGallery(go)); return; }
  const who = h("input.input", { required: true, maxlength: "256", autocomplete: "off", dir: "auto" });
  const keep = check("Keep a crop of each face", { checked: true }, "With it you can look at who is who, and change models later. Without it only a template is kept.");
  const care = careFields();
  const done = h("div", { "aria-live": "polite" });
  const go_ = button("Enrol", null, { how: "lead", type: "submit", disabled: true });
  const pictures = intake((many) => { go_.disabled = many === 0; }, signal);
  const form = h("form.two", {
    on: {
      submit: working(async (event) => {
        event.preventDefault();
        await enrolled(gallery, who.value.trim(), { pictures, keep: keep.box.checked, metadata: care.given(), done, go });
      }, done),
    },
  },
  h("section.card.stack", h("h2", "Pictures"), pictures.part),
  h("section.card.stack", h("h2", "Who it is"), field("Name or number", who, "Up to 256 characters in any script. It is what an answer says."), care.part, keep.part, done, h("div.row", go_)));
  show(place, h("p.crumb", h("a", { href: go("people", gallery) }, "People")), head("Enrol somebody", h("span", "Into ", name(gallery), ". Several pictures of different days make answers surer.")), may("operator") ? form : note("doubt", h("p", "Your key may look, not enrol. Ask an administrator for an operator's key.")));
  const brought = taken();
  if (brought.length) pictures.add(brought);
}

async function enrolled(gallery, subject, { pictures, keep, metadata, done, go }) {
  const path = at`/v1/galleries/${gallery}/subjects/${subject}`;
  const fields = { image: pictures.files(), keep_images: keep ? "true" : "false" };
  if (Object.keys(metadata).length) fields.metadata = JSON.stringify(metadata);
  const answer = await send(`${path}/samples`, fields);
  const left = pictures.outcome(answer);
  const text = summary(answer);
  const some = answer.added + answer.known > 0;
  show(done, note(left ? (some ? "doubt" : "bad") : "good", h("p.strong", name(subject), ": ", text), (answer.warnings ?? []).map((one) => h("p", one)), left ? h("p", "What was not added is still in the list, with the reason.") : null, some && h("div.row.tight", going("See this person", go("person", gallery, subject), { how: "tiny" }), going("Enrol somebody else", go("enrol", gallery), { how: "tiny" }))));
  say(text);
}

