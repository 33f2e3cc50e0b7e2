// Charts by uPlot, each with its numbers as a table and as CSV.
/* global uPlot */
import { el, csv, table, number } from "./core.js";

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const colourOf = (name) => style(`--${name}`) || style("--ink");

// One mark for all charts of a page, so that they can be cleared with it.
let drawn = [];
export function clear() {
  replaced()();
}

// From now on others are drawn; the ones that are there go when it is said.
export function replaced() {
  const before = drawn;
  drawn = [];
  return () => {
    for (const chart of before) {
      if (chart.root.isConnected) drawn.push(chart);
      else chart.destroy();
    }
  };
}

function axes(time, format) {
  const base = { stroke: style("--faint"), grid: { stroke: style("--line"), width: 1 }, ticks: { stroke: style("--line"), width: 1 }, font: "12px system-ui" };
  return [
    { ...base, ...(time ? {} : { values: (_, all) => all.map((v) => number(v, 3)) }) },
    { ...base, size: 76, values: (_, all) => all.map((v) => (v === null ? "" : format(v))) },
  ];
}

// `series`: { name, values, colour, dash, hidden, step }; `bands`: [{ lower, upper, colour }] by place among the series.
export function chart({ title, note, x, xName = "time", time = true, series, bands = [], format = (v) => number(v, 3), height = 180, name = "chart", zero = false, range }) {
  const figure = el("figure", { class: "chart" });
  const place = el("div", { class: "plot", role: "img", "aria-label": `${title}. The numbers are in the table below.` });
  const keys = series.filter((s) => !s.hidden).map((s) => el("span", { class: "key" }, el("span", { class: `dash ${s.colour}` , "aria-hidden": "true" }), s.name));
  const shownX = (value) => (time ? new Date(value * 1000).toLocaleString() : number(value));
  const head = [{ name: xName }, ...series.map((s) => ({ name: s.name, class: "number" }))];
  const details = el("details", {}, el("summary", {}, "Numbers"));
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    const rows = x.map((value, at) => [shownX(value), ...series.map((s) => (s.values[at] === null || s.values[at] === undefined ? "–" : String(s.values[at])))]);
    const save = el("button", { type: "button", onclick: () => csv(name, head.map((h) => h.name), x.map((value, at) => [time ? new Date(value * 1000).toISOString() : value, ...series.map((s) => s.values[at])])) }, "Save as CSV");
    details.append(save, table(`${title}: numbers`, head, rows));
  });
  figure.append(el("figcaption", {}, el("strong", {}, title), note ? ` ${note}` : "", el("span", { class: "keys" }, keys)), place, details);
  if (x.length === 0) {
    place.replaceWith(el("p", { class: "hint" }, "Nothing to draw yet."));
    return figure;
  }
  const draw = () => {
    if (!place.isConnected || typeof uPlot === "undefined") return;
    const options = {
      width: Math.max(place.clientWidth, 200),
      height,
      legend: { show: false },
      cursor: { y: false },
      scales: { x: { time }, y: { range: range ?? ((_, low, high) => {
        if (low === null) return [0, 1];
        if (zero) return [Math.min(0, low), high > 0 ? high * 1.1 : 1];
        const room = (high - low || Math.abs(high) || 1) * 0.1;
        return [low - room, high + room];
      }) } },
      axes: axes(time, format),
      series: [{}, ...series.map((s) => ({
        stroke: s.hidden ? "transparent" : colourOf(s.colour),
        width: s.width ?? 2,
        dash: s.dash,
        // A value that stands alone has no line.
        points: { show: !s.hidden && s.values.filter((v) => v !== null && v !== undefined).length < Math.max(3, x.length / 4), size: 5 },
        spanGaps: true,
        paths: s.step ? uPlot.paths.stepped({ align: 1 }) : undefined,
      }))],
      bands: bands.map((b) => ({ series: [b.upper + 1, b.lower + 1], fill: `${colourOf(b.colour)}33` })),
    };
    const made = new uPlot(options, [x, ...series.map((s) => s.values)], place);
    drawn.push(made);
    const observer = new ResizeObserver(() => {
      if (place.clientWidth > 0 && place.clientWidth !== made.width) made.setSize({ width: place.clientWidth, height });
    });
    observer.observe(place);
  };
  // It is drawn once it stands on the page and has a width.
  requestAnimationFrame(draw);
  return figure;
}

// A line in a word's room.
export function spark(values, label) {
  const width = 120;
  const height = 28;
  const known = values.map((v) => v ?? 0);
  const high = Math.max(...known) || 1;
  const step = width / Math.max(values.length - 1, 1);
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("class", "spark");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const line = document.createElementNS(ns, "polyline");
  line.setAttribute("points", known.map((v, at) => `${(at * step).toFixed(1)},${(height - 2 - (v / high) * (height - 4)).toFixed(1)}`).join(" "));
  svg.append(line);
  return svg;
}
