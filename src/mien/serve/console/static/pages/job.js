// One job: how far it is, and what came of it.
import { address, at, get, remove } from "../api.js";
import { figure, when, words } from "../format.js";
import { bar, over, stateOf, summed, titled, watching } from "../jobview.js";
import { button, confirmed, facts, failure, h, head, name, note, say, show, toast, told } from "../parts.js";
import { may, state } from "../state.js";
import { timeline } from "../timeline.js";
import { cancelling } from "./jobs.js";

const TOLD = ["headline", "name", "report"]; // by the rest of the page
const MOST = 2000; // entries of a timeline that are drawn

export async function page(place, { parts: [number], go, signal }) {
  const path = at`/v1/jobs/${number}`;
  const top = h("section.card.stack"), result = h("div.stack.wide");
  const further = reader(path);
  let job = await get(path, {}, { signal }), known = "", drawing = "";
  show(place, h("p.crumb", h("a", { href: go("jobs") }, "Jobs")), head(h("span", titled(job))), top, result);
  const once = async () => {
    try {
      job = await get(path, {}, { signal });
      if (known && known !== job.state) say(`The job is ${job.state}.`);
      known = job.state;
      const held = document.activeElement?.dataset?.key;
      show(top, summary(job, once, go));
      if (held) top.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
      const sum = JSON.stringify([job.state, job.result]);
      if (sum !== drawing) { drawing = sum; await results(result, job, path, { go, signal, further }); }
      return over(job) ? 0 : 1500;
    } catch (error) {
      if (error.name === "AbortError") return 0;
      show(top, failure(told(error)));
      return 5000;
    }
  };
  watching(signal, once);
}

async function erased(job, go) {
  if (!(await confirmed("Erase this job?", h("p", "Its results and pictures are deleted for good."), "Erase it", () => remove(`${at`/v1/jobs/${job.id}`}?erase=true`)))) return;
  toast("The job was erased.");
  location.hash = go("jobs");
}

function summary(job, again, go) {
  return [h("div.row.between", stateOf(job), may("operator") && (over(job) ? button("Erase …", () => erased(job, go), { how: "tiny plain", picture: "remove" }) : cancelling(job, again))), bar(job), job.problem && note("bad", h("p.strong", job.problem.detail), job.problem.remedy && h("p", job.problem.remedy)), summed(job) && h("p", summed(job)),
    facts(["Asked", when(job.made)], job.started && ["Began", when(job.started)], job.ended && ["Ended", when(job.ended)], job.attempts > 1 && ["Attempts", String(job.attempts)], ["Number", h("code", job.id)])];
}

async function results(place, job, path, { go, signal, further }) {
  if (job.kind === "video") { if (job.state !== "queued") show(place, seenIn(await further(signal), job, go)); return; }
  if (job.state !== "done") { show(place); return; }
  const plain = Object.entries(job.result ?? {}).filter(([key, value]) => !TOLD.includes(key) && value !== null && typeof value !== "object");
  show(place, plain.length > 0 && h("section.card.stack", h("h2", "Result"), facts(...plain.map(([key, value]) => [words(key), shown(value)]))), report(path));
}

/** A report is somebody's HTML: it may show, and nothing else. */
export function report(path) {
  return h("section.stack", h("div.row.between", h("h2", "Report"), h("a", { href: address(`${path}/report`), target: "_blank", rel: "noopener" }, "Open by itself")), h("iframe.report", { src: address(`${path}/report`), sandbox: "", title: "Report", loading: "lazy" }));
}

function shown(value) {
  if (typeof value === "number") return figure(value, 4);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
}

/** Reads on where it stopped: while a job runs, a timeline has always a next page, which may be empty yet. */
function reader(path) {
  const entries = [];
  let cursor = null, ended = false;
  return async function further(signal) {
    while (!ended && entries.length < MOST) {
      const page = await get(`${path}/timeline`, { limit: 500, cursor }, { signal });
      entries.push(...page.items);
      ended = page.next === null;
      cursor = page.next ?? cursor;
      if (page.items.length < 500) break;
    }
    return entries;
  };
}

function seenIn(entries, job, go) {
  const gallery = job.asked?.gallery ?? state.gallery;
  return h("section.stack", h("h2", "Who was seen"), !over(job) && h("p.small.soft", "So far, in ", name(gallery), "."), entries.length >= MOST && h("p.small.soft", `The first ${MOST} appearances.`), timeline(entries, job.result?.seconds, { gallery, job: job.id, go }));
}
