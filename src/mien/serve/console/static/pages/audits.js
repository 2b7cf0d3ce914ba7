// How well it works, measured: which audits there are, and those that were run.
import { get, post } from "../api.js";
import { bar, dated, over, stateOf, summed, titled, watching } from "../jobview.js";
import { words } from "../format.js";
import { button, empty, field, filling, h, head, note, select, show, toast, working } from "../parts.js";
import { may } from "../state.js";

export async function page(place, { go, signal }) {
  const known = h("section.card.stack"), runs = h("section.stack");
  show(place, head("Audits", "Reports on how well the models recognise, and for whom they fail. They run as jobs, on data that the operator of the service has laid out."), known, runs);
  filling(known, () => get("/v1/audits", {}, { signal }), (found) => starting(found, go), "Reading which audits there are …");
  let drawn = "";
  watching(signal, async () => {
    try {
      const page = await get("/v1/jobs", { limit: 200 }, { signal });
      const mine = page.items.filter((one) => one.kind === "audit");
      const now = JSON.stringify(mine.map((one) => [one.id, one.state, one.progress]));
      if (now !== drawn) show(runs, h("h2", "Runs"), mine.length ? h("ul.stack", mine.map((one) => h("li.card.slim.stack.tight", run(one, go)))) : empty("audits", "No audit was run yet", "Start one above. Its report will be shown here."));
      drawn = now;
      return mine.some((one) => !over(one)) ? 1500 : 10_000;
    } catch (error) { if (error.name === "AbortError") return 0; return 10_000; }
  });
}

function run(one, go) {
  return [h("div.row.between", h("h3", h("a", { href: go("job", one.id) }, titled(one))), stateOf(one)), bar(one), one.problem && h("p.small", one.problem.detail), summed(one) && h("p.small", summed(one)), h("span.small.soft", dated(one))];
}

function starting(found, go) {
  const audits = found.items.filter((one) => one.job), others = found.items.filter((one) => !one.job);
  const rest = others.length > 0 && h("details", h("summary", "Audits for the command line"), h("ul.stack.tight.small", others.map((one) => h("li", h("code", one.command), ": ", one.about))));
  if (found.missing.length) return [h("h2", "Start an audit"), note("doubt", h("p.strong", "Audits cannot run here yet."), h("p", "The service lacks ", h("code", found.missing.join(", ")), ": the operator installs mien with its “audit” extra.")), rest];
  if (!audits.length || !found.datasets.length) return [h("h2", "Start an audit"), empty("audits", "There is no data to audit on", "The operator of the service lays data sets into a folder and names it in the settings (datasets)."), rest];
  const which = select(audits.map((one) => [one.name, words(one.name)]), audits[0].name);
  const about = h("p.hint", { "aria-live": "polite" });
  const on = select(found.datasets.map((one) => [one, one]), found.datasets[0]);
  const tell = () => { about.textContent = audits.find((each) => each.name === which.value)?.about ?? ""; };
  which.addEventListener("change", tell);
  tell();
  const place = h("div");
  const act = working(async (event) => {
    event.preventDefault();
    const job = await post("/v1/jobs", { kind: "audit", audit: which.value, data: on.value });
    toast("The audit waits for its turn.");
    location.hash = go("job", job.id);
  }, place);
  return h("form.stack", { on: { submit: act } }, h("h2", "Start an audit"), h("div.fields", h("div.stack.tight", field("Audit", which), about), field("Data set", on)), place, h("div", button("Start", null, { how: "lead", type: "submit", disabled: !may("operator") })), rest);
}
