// A job's state as people read it.
import { clock, percent, several, when, words } from "./format.js";
import { badge, h, name } from "./parts.js";

const STATES = { queued: ["calm", "info", "Waiting"], running: ["lead", "play", "Running"], done: ["good", "check", "Done"], failed: ["bad", "bad", "Failed"], cancelled: ["calm", "close", "Cancelled"] };

export const over = (job) => ["done", "failed", "cancelled"].includes(job.state);

export function stateOf(job) {
  const [kind, picture, text] = STATES[job.state] ?? ["calm", "info", words(job.state)];
  return badge(kind, text, picture);
}

/** What a job is about, in a few words. */
export function titled(job) {
  const asked = job.asked ?? {};
  if (job.kind === "audit") return [words(asked.audit ?? asked.name ?? "audit"), asked.data ?? asked.dataset ? [" on ", name(asked.data ?? asked.dataset)] : ""];
  if (job.kind === "calibrate") return ["Calibration of ", name(asked.gallery ?? "")];
  const what = asked.filename ?? asked.name ?? asked.source;
  return [job.live ? "Camera" : "Video", what ? [" ", name(what)] : "", asked.gallery ? [" in ", name(asked.gallery)] : ""];
}

/** How far it is: a bar with words, for eyes and ears. */
export function bar(job) {
  if (job.state === "queued") return h("p.small.soft", "Waits for its turn.");
  if (job.state !== "running") return null;
  if (job.live) return h("p.small.soft", "Goes on until it is cancelled.");
  const left = job.eta === null || job.eta === undefined ? "" : `, about ${clock(job.eta)} left`;
  return h("div.stack.tight", h("progress", { max: "1", value: String(job.progress), aria: { label: "Progress" } }), h("p.small.soft", `${percent(job.progress)}${left}`));
}

export function summed(job) {
  const found = job.result ?? {};
  if (job.kind === "video" && "seen" in found) return `${several(found.seen, "appearance")}: ${found.accept} recognised, ${found.reject} not enrolled, ${found.abstain} unclear.`;
  if (found.headline) return String(found.headline);
  return "";
}

export const dated = (job) => (job.ended ? `ended ${when(job.ended)}` : job.started ? `since ${when(job.started)}` : `asked ${when(job.made)}`);

/** `act` again and again while the page is there and looked at; it says how long until the next time, 0 for never. */
export async function watching(signal, act) {
  while (!signal.aborted) {
    const pause = document.hidden ? 1000 : await act();
    if (!pause) return;
    await new Promise((done) => { const timer = setTimeout(done, pause); signal.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true }); });
  }
}
