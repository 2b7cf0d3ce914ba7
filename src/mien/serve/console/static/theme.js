// Before the first paint, so that a dark page does not flash white. A classic script: modules come later.
"use strict";
try {
  const chosen = localStorage.getItem("mien-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* storage is forbidden: the system's theme it is */ }
