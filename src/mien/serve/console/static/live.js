// The camera, live: pictures go to the service over a WebSocket, one at a time, and what comes back is drawn over them.
import { at, socket } from "./api.js";
import { opened, shot, stop } from "./camera.js";
import { button, empty, failure, h, note, put, say, show } from "./parts.js";
import { called, drawn, face, told } from "./seen.js";

const PAUSE = 100; // ms from one picture to the next, at least
const WIDTH = 960; // px of what is sent: enough for faces across a room

export async function page(place, { gallery, go, signal }) {
  const none = empty("live", "The camera is off", "Start it to see who is before it. Faces are followed, and each is decided about anew twice a second.");
  const stage = h("div.stage", { hidden: true }), canvas = h("canvas"), list = h("ul.seen"), outcome = h("div"), rate = h("span.small.soft");
  put(stage, canvas);
  let live = null;
  const toggle = button("Start the camera", () => (live ? end() : begin()), { how: "lead", picture: "live" });
  const end = (problem) => {
    live?.close();
    live = null;
    show(toggle, "Start the camera");
    show(outcome, problem ? failure(problem) : null);
    rate.textContent = "";
  };
  const begin = async () => {
    show(outcome, note("calm", h("p", "Starting the camera …")));
    try {
      const stream = await opened("environment");
      if (signal.aborted) { stop(stream); return; }
      live = started(stream, { gallery, canvas, end, signal, onAnswer: (decisions, took, problem) => { show(outcome, problem && note("doubt", h("p.strong", problem.detail), problem.remedy && h("p", problem.remedy))); rate.textContent = `${(1000 / took).toFixed(1)} pictures a second`; refresh(list, decisions, { gallery, go }); } });
      stage.hidden = false;
      none.hidden = true;
      show(toggle, "Stop the camera");
    } catch (error) { end(error); }
  };
  signal.addEventListener("abort", () => end());
  show(place, h("div.row", toggle, rate), outcome, none, h("div.two", stage, h("section.stack", h("h2.unseen", "Who is seen"), list)), h("p.small.soft", "Pictures are looked at and let go: none is kept."));
}

function started(stream, { gallery, canvas, end, signal, onAnswer }) {
  const video = h("video", { autoplay: true, playsinline: true, muted: true, srcObject: stream });
  const line = new WebSocket(socket(at`/v1/galleries/${gallery}/live`));
  let sent = 0, came = 0, closed = false, kept = null, spoken = "";
  line.binaryType = "arraybuffer";
  video.play().catch(() => { /* nobody looks at it: what it shows is drawn on the canvas */ });
  const next = async () => {
    if (closed || line.readyState !== WebSocket.OPEN) return;
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA || !video.videoWidth) { setTimeout(next, 50); return; }
    const picture = await shot(video, WIDTH, 0.85);
    kept = await createImageBitmap(picture);
    sent = performance.now();
    if (line.readyState === WebSocket.OPEN) line.send(picture);
  };
  line.addEventListener("open", next);
  line.addEventListener("message", (event) => {
    const answer = JSON.parse(event.data);
    const decisions = answer.faces.map((one) => ({ ...one, verdict: one.verdict ?? "looking", faces: [{ box: one.box }], matches: [] }));
    drawn(canvas, kept, [kept.width, kept.height], decisions);
    const now = performance.now();
    onAnswer(decisions, Math.max(1, now - came), answer.problem);
    came = now;
    const seen = decisions.map(called).sort().join(", ");
    if (seen !== spoken) { spoken = seen; say(told(decisions)); }
    setTimeout(next, Math.max(0, PAUSE - (performance.now() - sent)));
  });
  line.addEventListener("close", (event) => { if (!closed) end({ message: event.reason || "The connection was closed.", remedy: event.code === 4401 ? "Sign in again." : "Start the camera again." }); });
  return { close: () => { closed = true; line.close(); stop(stream); } };
}

/** The list is drawn anew only when somebody came or went, so that it can be read and used while pictures come. */
function refresh(list, decisions, { gallery, go }) {
  const key = decisions.map((one) => `${one.track} ${one.verdict} ${one.subject ?? ""}`).join("|");
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  show(list, decisions.length ? decisions.map((one, place) => h("li", face(one, place, gallery, go))) : h("li.soft", "Nobody is seen."));
}
