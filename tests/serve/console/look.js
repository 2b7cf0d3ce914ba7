// Faults of a page that a machine can see: names of controls, headings, ids, landmarks, and the contrast of what is shown.
() => {
  const faults = [];
  const seen = (one) => one.checkVisibility({ checkOpacity: false, checkVisibilityCSS: true });
  const words = (one) => [...one.childNodes].map((child) => child.nodeType === 3 ? child.data : child.nodeType === 1 && child.getAttribute("aria-hidden") !== "true" ? (child.getAttribute("aria-label") ?? (child.tagName === "IMG" ? child.alt : words(child))) : "").join(" ").trim();
  const named = (one) => {
    const by = one.getAttribute("aria-labelledby");
    if (by) return by.split(" ").map((each) => document.getElementById(each)?.textContent ?? "").join(" ").trim();
    if (one.getAttribute("aria-label")) return one.getAttribute("aria-label").trim();
    if (one.labels?.length) return [...one.labels].map((each) => each.textContent).join(" ").trim();
    if (one.tagName === "IFRAME") return one.title;
    if (one.tagName === "IMG") return one.alt;
    return words(one) || one.title || "";
  };
  const what = (one) => `<${one.tagName.toLowerCase()} ${one.className?.baseVal ?? one.className ?? ""}> ${one.textContent?.slice(0, 40)}`;
  for (const one of document.querySelectorAll("button, a[href], input:not([type=hidden]), select, textarea, iframe, dialog, progress, summary, [role=slider], [role=img], [role=region]")) {
    if (seen(one) && !named(one)) faults.push(`no name: ${what(one)}`);
  }
  for (const one of document.querySelectorAll("img:not([alt])")) faults.push(`no alt: ${what(one)}`);
  for (const one of document.querySelectorAll("[onclick], div[tabindex='0']:not([role]), a:not([href])")) faults.push(`no real control: ${what(one)}`);
  for (const one of document.querySelectorAll("[aria-describedby], [aria-labelledby], label[for]")) {
    for (const name of ["aria-describedby", "aria-labelledby", "for"]) for (const each of (one.getAttribute(name) ?? "").split(" ").filter(Boolean)) if (!document.getElementById(each)) faults.push(`${name} leads nowhere: ${what(one)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const one of new Set(ids.filter((each, place) => ids.indexOf(each) !== place))) faults.push(`id twice: ${one}`);
  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(seen).map((one) => Number(one.tagName[1]));
  if (levels.filter((one) => one === 1).length !== 1) faults.push(`${levels.filter((one) => one === 1).length} first headings`);
  levels.forEach((one, place) => { if (place && one > levels[place - 1] + 1) faults.push(`heading ${one} after ${levels[place - 1]}`); });
  if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
  if (!document.documentElement.lang) faults.push("no language");
  const parse = (text) => { const found = text.match(/[\d.]+/g).map(Number); return { rgb: found.slice(0, 3).map((each) => text.startsWith("color(") ? each * 255 : each), alpha: found[3] ?? 1 }; };
  const light = (rgb) => { const [r, g, b] = rgb.map((each) => each / 255).map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (one) => { for (let each = one; each; each = each.parentElement) { const found = parse(getComputedStyle(each).backgroundColor); if (found.alpha === 1) return found.rgb; if (found.alpha > 0) return null; } return [255, 255, 255]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const one = node.parentElement;
    if (!node.data.trim() || !seen(one) || one.closest(":disabled, [aria-disabled=true], svg, .unseen, option, #toasts")) continue;
    const under = ground(one);
    if (!under) continue;
    const [high, low] = [light(parse(getComputedStyle(one).color).rgb), light(under)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(1)}: ${what(one)}`);
  }
  const most = Math.min(innerWidth, screen.width); // on a phone the window grows with what is in it
  if (document.documentElement.scrollWidth > most) faults.push(`wider than the window by ${document.documentElement.scrollWidth - most} px`);
  return faults;
}
