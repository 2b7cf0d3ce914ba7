// On a phone: what has no place on the bar.
import { foot } from "../app.js";
import { h, head, icon, show } from "../parts.js";
import { may } from "../state.js";

const ROOMS = [["thresholds", "Thresholds", "How sure an answer must be", "reader"], ["audits", "Audits", "How well it works, measured", "admin"], ["galleries", "Galleries", "Which there are", "reader"], ["models", "Models", "And their licences", "reader"], ["log", "Log", "Who did what, and receipts", "operator"], ["keys", "Keys", "Who may use the service", "admin"]];

export async function page(place, { go }) {
  show(place, head("More"), h("ul.stack.tight", ROOMS.filter(([, , , role]) => may(role)).map(([room, title, text]) => h("li", h("a.card.slim.row.going", { href: go(room) }, icon(room), h("span.grow", h("strong", title), h("br"), h("span.small.soft", text)), icon("next"))))), h("section.card.slim", h("h2.unseen", "You"), foot()));
}
