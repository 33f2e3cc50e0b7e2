// One model: its versions, its traffic with sliders, what it did, and every change of it.
import { $, el, get, part, send, ask, count, milliseconds, percent, split, coloured, swatch, table, command, section, renew, when, experimentLink, words, modelLink, quoted, mayAct } from "./core.js";
import { chart } from "./chart.js";
import { events, describe } from "./overview.js";

const RANGES = [["hour", 60, 60], ["day", 1800, 48], ["week", 7200, 84], ["month", 86400, 30]];
let range = "hour";

export function open(page, { path, session, again }) {
  const name = decodeURIComponent(path[1]);
  const may = mayAct(session);
  const heading = el("h1", {}, name);
  const top = el("div");
  const traffic = el("div");
  const live = el("div");
  page.replaceChildren(heading, top, traffic, live);
  let editing = null;

  function sliders(versions, colours, state, experiment) {
    const active = versions.filter((v) => v.status === "active");
    const preview = el("div");
    const weights = new Map(active.map((v) => [v.version, v.traffic_percent]));
    const sum = el("p", { class: "hint", role: "status" });
    const drawPreview = () => {
      const total = [...weights.values()].reduce((a, b) => a + b, 0);
      preview.replaceChildren(split(active.map((v) => ({ version: v.version, share: total ? weights.get(v.version) / total : 0, colour: colours.get(v.version) }))));
      sum.textContent = total === 0 ? "No version would answer: requests would be refused." : `The weights add up to ${+total.toFixed(3)}.`;
    };
    const rows = active.map((v, at) => {
      const id = `weight-${at}`;
      const slider = el("input", { type: "range", min: 0, max: 100, step: 1, id, value: v.traffic_percent, "aria-label": `Weight of ${v.version}, in percent` });
      const typed = el("input", { type: "number", min: 0, max: 100, step: "any", value: v.traffic_percent, "aria-label": `Weight of ${v.version} as a number`, class: "weight" });
      const set = (value, from) => {
        const weight = Math.min(100, Math.max(0, Number(value) || 0));
        weights.set(v.version, weight);
        if (from !== slider) slider.value = weight;
        if (from !== typed) typed.value = weight;
        editing = true;
        drawPreview();
      };
      slider.addEventListener("input", () => set(slider.value, slider));
      typed.addEventListener("input", () => set(typed.value, typed));
      return el("p", { class: "slide" }, el("label", { for: id }, swatch(colours.get(v.version)), v.version), slider, typed, " %");
    });
    drawPreview();
    const apply = el("button", { type: "button", class: "primary", onclick: () => {
      const lines = active.filter((v) => weights.get(v.version) !== v.traffic_percent).map((v) => `${v.version}: ${v.traffic_percent} % → ${weights.get(v.version)} %`);
      if (lines.length === 0) { sum.textContent = "Nothing is changed."; return; }
      ask({
        title: `Change the traffic of ${name}?`,
        text: [
          "From the next request on:", el("ul", {}, lines.map((line) => el("li", {}, line))), el("p", { class: "hint" }, "Some units get another version than before."),
          [...weights.values()].some((weight) => weight > 0) ? "" : el("p", { class: "warning" }, "No version would have a weight: every request would be refused."),
        ],
        yes: "Apply",
        act: async (reason) => {
          await send("PUT", `/traffic/${encodeURIComponent(name)}`, { revision: state.revision, weights: Object.fromEntries(weights) }, reason);
          editing = null;
          await again();
        },
      });
    } }, "Apply");
    const back = el("button", { type: "button", onclick: () => { editing = null; traffic.replaceChildren(); again(); } }, "As it was");
    if (experiment) return [el("p", { class: "hint" }, "The experiment ", experimentLink(experiment), " sets the weights. End it to set them by hand.")];
    if (active.length === 0) return [el("p", { class: "hint" }, "No version is active. This makes one so:"), command(`weir models activate ${versions[0]?.model_id ?? "MODEL_ID"} 100`)];
    if (!may) return [el("p", { class: "hint" }, "To change the traffic needs the role operator.")];
    return [...rows, el("p", { class: "hint" }, "What the split would be:"), preview, sum, el("p", { class: "buttons" }, back, " ", apply)];
  }

  return async () => {
    const [_, seconds, steps] = RANGES.find(([word]) => word === range);
    const of = `name=${encodeURIComponent(name)}`;
    const [all, report, state, timeline, aliases, experiments, audit] = await Promise.all([
      get(`/models?${of}`), get(`/models/performance?${of}`), get(`/traffic/${encodeURIComponent(name)}`),
      get(`/models/timeline?${of}&step_seconds=${seconds}&steps=${steps}`), part(get(`/aliases/${encodeURIComponent(name)}`), []),
      get(`/experiments?${of}&limit=50`), part(get(`/audit?${of}&limit=50`), { entries: [] }),
    ]);
    all.sort((a, b) => a.created_at.localeCompare(b.created_at));
    const age = new Map(all.map((v, at) => [v.version, at]));
    state.versions.sort((a, b) => age.get(a.version) - age.get(b.version));
    const colours = coloured(all);
    const share = new Map(state.versions.map((v) => [v.version, v.share]));
    const sums = new Map(report.models.map((v) => [v.version, v]));
    const named = new Map();
    for (const alias of aliases) named.set(alias.version ?? alias.model_version, [...(named.get(alias.version ?? alias.model_version) ?? []), alias.alias]);
    renew(top, [split(state.versions.map((v) => ({ version: v.version, share: v.share, colour: colours.get(v.version) }))),
      state.warning ? el("p", { class: "warning" }, state.warning) : null]);
    if (!editing && !traffic.contains(document.activeElement)) {
      traffic.replaceChildren(section("Traffic", ...sliders(all, colours, state, state.experiment)));
    }
    const rows = all.map((v) => {
      const sum = sums.get(v.version);
      const failed = sum?.request_count ? percent(sum.error_count / sum.request_count) : "–";
      return [
        [swatch(colours.get(v.version)), v.version], v.broken ? [el("span", { class: "bad" }, "broken")] : v.status, (named.get(v.version) ?? []).map((a) => `@${a}`).join(" ") || "–",
        percent(share.get(v.version) ?? 0), count(sum?.request_count), failed, milliseconds(sum?.p50_latency_ms), milliseconds(sum?.p95_latency_ms), milliseconds(sum?.p99_latency_ms),
        sum?.labelled_count ? `${percent(sum.measured_accuracy)} of ${count(sum.labelled_count)}` : "–", v.runtime?.type ?? "–", when(v.created_at), v.model_id,
      ];
    });
    const n = (name) => ({ name, class: "number" });
    const head = [{ name: "Version", class: "text" }, { name: "Status" }, { name: "Aliases", class: "text" }, n("Share"), n("Predictions"), n("Errors"), n("p50"), n("p95"), n("p99"), n("Correct"), { name: "Runtime" }, { name: "Registered" }, { name: "model_id" }];
    const trouble = all.filter((v) => v.broken || v.refusing).map((v) => el("p", { class: "warning" }, `${v.version}: ${v.broken ?? v.refusing}`));
    const x = Array.from({ length: timeline.steps }, (_, at) => Date.parse(timeline.since) / 1000 + at * timeline.step_seconds);
    const lines = (field) => timeline.series.map((s) => ({ name: s.version, values: s[field], colour: colours.get(s.version) ?? "off" }));
    const choose = el("p", { class: "choice", role: "group", "aria-label": "Time that is shown" }, RANGES.map(([word]) => el("button", { type: "button", "aria-pressed": word === range ? "true" : "false", onclick: () => { range = word; again(); } }, word)));
    const charts = el("div", { class: "charts" },
      chart({ title: "Requests", note: `per ${words(timeline.step_seconds / 60)} min`, x, series: lines("requests"), zero: true, format: count, name: `${name}-requests` }),
      chart({ title: "Errors", note: "answered by another version, or by none", x, series: lines("errors"), zero: true, format: count, name: `${name}-errors` }),
      chart({ title: "Latency p50", x, series: lines("p50_ms"), zero: true, format: milliseconds, name: `${name}-p50` }),
      chart({ title: "Latency p95", x, series: lines("p95_ms"), zero: true, format: milliseconds, name: `${name}-p95` }),
      chart({ title: "Latency p99", x, series: lines("p99_ms"), zero: true, format: milliseconds, name: `${name}-p99` }));
    const tried = experiments.map((e) => [experimentLink(e.experiment, e.title || e.experiment), e.policy, e.status, describe(e), when(e.created_at)]);
    const content = [
      section("Versions", table("Versions", head, rows), ...trouble),
      section("Over time", choose, charts),
      section("Experiments", tried.length ? table("Experiments", [{ name: "Experiment", class: "text" }, { name: "Policy" }, { name: "Status" }, { name: "Where it is", class: "text" }, { name: "Made" }], tried)
        : el("p", { class: "hint" }, "There was none yet. This starts a rollout of a second version:"), tried.length ? null : command(`weir rollout start --name ${quoted(name)} --control VERSION --candidate VERSION --watch`)),
      await shadows(all),
      section("Every change", events(audit.entries)),
    ];
    renew(live, content);
    return `${count(report.total_requests)} predictions of ${name} logged`;
  };
}

async function shadows(all) {
  const tried = all.filter((v) => v.shadow_percent > 0);
  if (tried.length === 0) return null;
  const reports = await Promise.all(tried.map((v) => get(`/models/${v.model_id}/shadow-report`).catch(() => null)));
  const rows = reports.filter(Boolean).map((r) => [r.model_version, `${r.shadow_percent} %`, count(r.pairs), percent(r.agreement), count(r.labelled), count(r.answer_alone_right), count(r.shadow_alone_right), count(r.dropped)]);
  const n = (name) => ({ name, class: "number" });
  return section("Shadows", table("Shadows", [{ name: "Version" }, n("Copies of"), n("Pairs"), n("Agreement"), n("With labels"), n("Only the answer right"), n("Only the shadow right"), n("Dropped")], rows));
}
