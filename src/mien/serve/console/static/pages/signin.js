// A key for a session.
import { post } from "../api.js";
import { button, failure, field, h, icon, note, show, told } from "../parts.js";

export function signIn(enter, told_) {
  const key = h("input.input", { type: "password", name: "key", autocomplete: "current-password", required: true, spellcheck: "false", placeholder: "mien_…" });
  const place = h("div");
  const form = h("form.stack", {
    on: {
      submit: async (event) => {
        event.preventDefault();
        show(place);
        const pressed = form.querySelector("button");
        pressed.disabled = true;
        try {
          const who = await post("/v1/session", { key: key.value.trim() });
          await enter(who);
        } catch (error) {
          key.setAttribute("aria-invalid", "true");
          show(place, failure(told(error)));
          key.focus();
        } finally { pressed.disabled = false; }
      },
    },
  }, h("input", { type: "text", name: "user", autocomplete: "username", value: "mien", hidden: true, readonly: true }), told_ && note("doubt", h("p", told_)), field("API key", key, "An administrator makes one with “mien keys make”, or here under Keys. It stays with the service: this browser keeps a session only."), place, button("Sign in", null, { how: "lead", type: "submit" }));
  return h("main.gate", h("div.card", h("div.stack.tight", h("p.brand", icon("mark"), "mien"), h("h1", "Sign in"), h("p.lede", "Who is in a picture, with the evidence.")), form));
}
