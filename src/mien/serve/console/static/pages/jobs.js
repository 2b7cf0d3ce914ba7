// What takes longer than a request.
import { at, get, remove } from "../api.js";
import { bar, dated, over, stateOf, summed, titled, watching } from "../jobview.js";
import { confirmed, button, empty, failure, going, h, head, loading, say, show, toast, told } from "../parts.js";
import { may, state } from "../state.js";

export async function page(place, { go, signal }) {
  const list = h("div", loading());
  show(place, head("Jobs", "Videos, audits and calibrations. They go on when you leave this page.", may("operator") && going("Look through a video", go("identify", state.gallery, "video"), { picture: "video" })), list);
  const before = new Map();
  let drawnAs = "";
  const once = async () => {
    try {
      const page = await get("/v1/jobs", { limit: 50 }, { signal });
      announced(before, page.items);
      const now = JSON.stringify(page.items.map((one) => [one.id, one.state, one.progress, one.eta]));
      if (now !== drawnAs) draw(list, page.items, go, once);
      drawnAs = now;
      return page.items.some((one) => !over(one)) ? 1500 : 8000;
    } catch (error) {
      if (error.name === "AbortError") return 0;
      drawnAs = "";
      show(list, failure(told(error), once));
      return 8000;
    }
  };
  watching(signal, once);
}

function announced(before, jobs) {
  for (const one of jobs) {
    const was = before.get(one.id);
    if (was && was !== one.state && over(one)) say(`${one.kind} job ${one.state}.`);
    before.set(one.id, one.state);
  }
}

function draw(list, jobs, go, again) {
  const held = document.activeElement?.dataset?.key;
  show(list, jobs.length ? h("ul.stack", { aria: { label: "Jobs" } }, jobs.map((one) => h("li.card.slim.stack.tight", item(one, go, again)))) : empty("jobs", "No job yet", "Start one from a video under Identify, from Audits, or by calibrating under Thresholds."));
  if (held) list.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
}

function item(one, go, again) {
  const text = summed(one);
  return [h("div.row.between", h("h2.row.tight", h("a", { href: go("job", one.id), "data-key": one.id }, titled(one))), stateOf(one)), bar(one), one.problem && h("p.small", one.problem.detail), text && h("p.small", text),
    h("div.row.between", h("span.small.soft", dated(one)), !over(one) && may("operator") && cancelling(one, again))];
}

/** A button that cancels a job, after asking. */
export function cancelling(one, again) {
  return button("Cancel …", async () => {
    if (await confirmed("Cancel this job?", [h("p", one.live ? "What was seen so far stays." : "What it found so far may be incomplete; it cannot go on later.")], "Cancel the job", () => remove(at`/v1/jobs/${one.id}`))) { toast("The job is being cancelled."); again(); }
  }, { how: "tiny", "data-key": `${one.id} cancel` });
}
