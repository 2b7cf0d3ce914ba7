// What all pages share: who is signed in, and which gallery is being looked at.
import { address, at, carry, pages } from "./api.js";

export const state = { who: null, galleries: [], gallery: "" };

/** Pictures that one page hands to another: a stranger's face, to be enrolled. Taken once. */
let handed = [];
export const hand = (files) => { handed = files; };
export const taken = () => { const files = handed; handed = []; return files; };

const ROLES = ["reader", "operator", "admin"];

/** Whether the signed-in key's role covers `role`. */
export const may = (role) => state.who !== null && ROLES.indexOf(state.who.role) >= ROLES.indexOf(role);

/** Keep who signed in. */
export function signedIn(who) {
  state.who = who;
  carry(who?.csrf);
}

/** Read which galleries there are; keep the one looked at, if it is still there. */
export async function readGalleries() {
  const next = pages("/v1/galleries", { limit: 200 });
  const found = [];
  for (let page = await next(); page; page = await next()) found.push(...page.items);
  state.galleries = found;
  const names = found.map((one) => one.name);
  if (!names.includes(state.gallery)) state.gallery = names.includes(recall("mien-gallery")) ? recall("mien-gallery") : names[0] ?? "";
  return found;
}

/** Look at another gallery. */
export function choose(gallery) {
  state.gallery = gallery;
  remember("mien-gallery", gallery);
}

/** What the current gallery is, as far as its listing tells. */
export const current = () => state.galleries.find((one) => one.name === state.gallery) ?? null;

export function remember(key, value) {
  try { value ? localStorage.setItem(key, value) : localStorage.removeItem(key); } catch { /* forbidden: not remembered */ }
}

export function recall(key) {
  try { return localStorage.getItem(key) ?? ""; } catch { return ""; }
}

/** A subject's thumbnail. */
export const thumbnail = (gallery, subject) => address(at`/v1/galleries/${gallery}/subjects/${subject}/thumbnail`);
