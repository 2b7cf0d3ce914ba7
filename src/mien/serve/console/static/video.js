// A video as a job: sent with a bar, then watched on its own page.
import { post, upload } from "./api.js";
import { bytes, percent } from "./format.js";
import { options } from "./pages/identify.js";
import { dropzone } from "./pictures.js";
import { button, empty, failure, field, h, note, say, show, told, working } from "./parts.js";
import { may } from "./state.js";

export async function page(place, { gallery, go, signal }) {
  if (!may("operator")) { show(place, empty("video", "Videos need an operator's key", "They run as jobs. Ask an administrator for a key with that role.")); return; }
  const asked = options(), outcome = h("div");
  const send = async ([file]) => {
    const stopping = new AbortController();
    signal.addEventListener("abort", () => stopping.abort());
    const line = h("p.small.soft"), bar = h("progress", { max: "1", value: "0", aria: { label: "Sent" } });
    show(outcome, h("section.card.stack", h("h2", "Sending ", h("bdi", file.name)), bar, line, h("div", button("Stop", () => { stopping.abort(); show(outcome); }, { how: "tiny" }))));
    try {
      const job = await upload("/v1/jobs", { kind: "video", gallery, ...asked.given(), video: file }, (part) => { bar.value = part; line.textContent = `${percent(part)} of ${bytes(file.size)}`; }, stopping.signal);
      say("The video was sent.");
      location.hash = go("job", job.id);
    } catch (error) {
      if (error.name !== "AbortError") show(outcome, failure(told(error)));
    }
  };
  show(place, dropzone(send, { text: "Drop a video here. It is looked through as a job, behind the questions of others.", accept: "video/*", multiple: false, camera: false, slim: true, picture: "video" }), outcome, asked.part, camera(gallery, asked, go));
}

function camera(gallery, asked, go) {
  const where = h("input.input", { type: "url", required: true, placeholder: "rtsp://10.0.0.7/door", autocomplete: "off", spellcheck: "false" }), place = h("div");
  const act = working(async (event) => {
    event.preventDefault();
    const job = await post("/v1/jobs", { kind: "video", gallery, source: where.value.trim(), ...filled(asked.given()) });
    location.hash = go("job", job.id);
  }, place);
  return h("details", h("summary", "A camera on the network"), h("form.stack", { on: { submit: act } }, field("Address", where, "Only addresses that the operator of the service has allowed are read."), place, h("div", button("Begin to watch", null, { type: "submit" })), note("calm", h("p", "It goes on until the job is cancelled."))));
}

const filled = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
