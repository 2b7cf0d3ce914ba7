// Drawn for this console on a grid of 24; strokes take the colour of the text around them.
import { s } from "./dom.js";

const PATHS = {
  mark: "M3 8V5a2 2 0 0 1 2-2h3M16 3h3a2 2 0 0 1 2 2v3M21 16v3a2 2 0 0 1-2 2h-3M8 21H5a2 2 0 0 1-2-2v-3M9 9v2M15 9v2M8.5 15c1 1 2.200 1.500 3.500 1.500s2.500-.5 3.500-1.500",
  people: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM2 21v-1a6 6 0 0 1 6-6h2a6 6 0 0 1 6 6v1M16 3.500a4 4 0 0 1 0 7M18 14.500a6 6 0 0 1 4 5.500v1",
  person: "M12 12a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9ZM4 21a8 8 0 0 1 16 0",
  identify: "M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13ZM15.500 15.500 21 21M8.500 9v1M12.500 9v1M8.500 12.500c.6.5 1.200.7 2 .7s1.400-.2 2-.7",
  review: "M4 5h9M4 10h6M4 15h4M12 16l3 3 6-7",
  jobs: "M4 6h16M4 12h16M4 18h16M8 4v4M15 10v4M11 16v4",
  thresholds: "M3 3v18h18M6 6c1 7 5 10 13 11M10.500 14.500a1.800 1.800 0 1 0 0-3.600 1.800 1.800 0 0 0 0 3.600Z",
  audits: "M6 3h9l4 4v14H6ZM14 3v5h5M9 13l2 2 4-4M9 18h6",
  models: "M12 3l8 4.500v9L12 21l-8-4.500v-9ZM4 7.500l8 4.500 8-4.500M12 12v9",
  log: "M5 4h14v16H5ZM8 8h8M8 12h8M8 16h5",
  keys: "M8 17a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9ZM12 11l9-7M17 7l2.500 3M8 12.500h.01",
  more: "M5 13a1 1 0 1 0 0-2 1 1 0 0 0 0 2ZM12 13a1 1 0 1 0 0-2 1 1 0 0 0 0 2ZM19 13a1 1 0 1 0 0-2 1 1 0 0 0 0 2Z",
  galleries: "M3 7h18v13H3ZM6 4h12M8 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM3 20l5-4 4 3 4-5 5 5",
  photo: "M3 6h5l2-2h4l2 2h5v13H3ZM12 16a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7Z",
  video: "M3 6h12v12H3ZM15 10l6-3v10l-6-3Z",
  live: "M12 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM7.500 16.500a6.400 6.400 0 0 1 0-9M16.500 7.500a6.400 6.400 0 0 1 0 9M4.500 19.500a10.600 10.600 0 0 1 0-15M19.500 4.500a10.600 10.600 0 0 1 0 15",
  add: "M12 5v14M5 12h14",
  upload: "M12 16V4M7 9l5-5 5 5M4 16v4h16v-4",
  search: "M10.500 17a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13ZM15.500 15.500 21 21",
  remove: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.500l4.500 4.500L19 7",
  doubt: "M9 9a3 3 0 1 1 4.500 2.600c-1 .6-1.500 1.200-1.500 2.400M12 17.500h.01M12 21.500a9.500 9.500 0 1 0 0-19 9.500 9.500 0 0 0 0 19Z",
  stranger: "M12 21.500a9.500 9.500 0 1 0 0-19 9.500 9.500 0 0 0 0 19ZM7.500 12h9",
  warn: "M12 3 2 20h20ZM12 10v4M12 17h.01",
  bad: "M12 21.500a9.500 9.500 0 1 0 0-19 9.500 9.500 0 0 0 0 19ZM12 7v6M12 16.500h.01",
  info: "M12 21.500a9.500 9.500 0 1 0 0-19 9.500 9.500 0 0 0 0 19ZM12 11v6M12 7.500h.01",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM12 2v2M12 20v2M4.900 4.900l1.400 1.400M17.700 17.700l1.400 1.400M2 12h2M20 12h2M4.900 19.100l1.400-1.400M17.700 6.300l1.400-1.400",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500Z",
  leave: "M14 4h6v16h-6M10 8l-4 4 4 4M6 12h9",
  next: "M9 5l7 7-7 7",
  stop: "M6 6h12v12H6Z",
  play: "M7 4l13 8-13 8Z",
  merge: "M6 4v5c0 3 6 3 6 6v5M18 4v5c0 3-6 3-6 6",
};

/** An icon; it says nothing to a screen reader, as the words beside it do. */
export function icon(which) {
  return s("svg", { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.7", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true", focusable: "false" }, s("path", { d: PATHS[which] ?? PATHS.info }));
}
