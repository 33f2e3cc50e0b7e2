// One experiment: its verdict, its effect over time, every number, and what may be done to it.
import { el, get, part, send, ask, count, percent, number, signed, words, ends, duration, split, coloured, table, section, renew, when, modelLink, mayAct, swatch } from "./core.js";
import { chart } from "./chart.js";
import { events, describe } from "./overview.js";

const GOOD = ["better", "not_worse"];
const HARM = ["worse", "harmed"];

// What each command does, before it is given.
const COMMANDS = {
  start: ["Start", (e) => `Its weights begin to rule the traffic of ${e.name}.`],
  pause: ["Pause", () => "The weights stay as they are. Harm still takes the candidate back."],
  resume: ["Resume", () => "It goes on. A rollout observes its step from the beginning."],
  advance: ["Take the next step", (e) => `The candidate gets the next share${e.progress?.held === "approval" ? ": you agree to the step that waits" : " now, whatever it waits for"}.`],
  promote: ["Promote", (e) => `The candidate gets all traffic of ${e.name} and the alias champion, and the experiment ends.`],
  rollback: ["Roll back", (e) => `Everything goes back to the control of ${e.name} at once, and the experiment ends: the candidate is no good.`],
  stop: ["Stop", () => "It ends with the weights as they are, and judges no more."],
  abort: ["Abort", (e) => `It ends, and everything goes back to the control of ${e.name}.`],
  delete: ["Delete", () => "The draft is deleted."],
};

function buttons(experiment, results, again, session) {
  if (!mayAct(session)) return null;
  const give = (word) => {
    const [label, says] = COMMANDS[word];
    const text = [says(experiment)];
    const candidates = experiment.arms.filter((arm) => arm.role === "candidate");
    let version = null;
    if (word === "promote" && candidates.length > 1) {
      version = el("select", { id: "which", "aria-label": "Which candidate" }, candidates.map((arm) => el("option", {}, arm.version)));
      text.push(el("p", {}, el("label", { for: "which" }, "Which candidate: "), version));
    }
    const good = ["ship", "winner"].includes(results?.verdict);
    if (word === "promote" && results) {
      const against = el("p", { class: "warning" });
      const say = () => {
        const meant = version?.value ?? candidates[0]?.version;
        const asks = good && (!results.verdict_version || results.verdict_version === meant);
        against.textContent = asks ? "" : `The evidence does not ask for this${good ? ` (it speaks for ${results.verdict_version})` : ""}. It says: ${results.summary}`;
        against.hidden = asks;
      };
      version?.addEventListener("change", say);
      say();
      text.push(against);
    }
    if (["stop", "abort", "rollback"].includes(word) && good) {
      text.push(el("p", { class: "warning" }, `The evidence speaks for the candidate: ${results.summary}`));
    }
    ask({
      title: `${label} ${experiment.title || experiment.experiment}?`,
      text,
      yes: label,
      danger: ["rollback", "abort", "delete", "stop"].includes(word),
      act: async (reason) => {
        const query = new URLSearchParams({ revision: experiment.revision });
        if (reason) query.set("reason", reason);
        if (version) query.set("version", version.value);
        const path = `/experiments/${experiment.experiment}`;
        if (word === "delete") await send("DELETE", path, undefined, reason);
        else if (word === "start") await send("POST", `${path}/start`, {}, reason);
        else await send("POST", `${path}/${word}?${query}`, {});
        if (word === "delete") location.hash = `#/models/${encodeURIComponent(experiment.name)}`;
        else await again();
      },
    });
  };
  const allowed = experiment.allowed.filter((word) => COMMANDS[word]);
  if (allowed.length === 0) return null;
  return el("p", { class: "buttons" }, allowed.map((word) => [el("button", { type: "button", class: ["rollback", "abort"].includes(word) ? "danger" : "", onclick: () => give(word) }, COMMANDS[word][0]), " "]).flat());
}

function ladder(experiment) {
  const p = experiment.progress;
  const steps = experiment.rollout?.steps ?? [];
  if (experiment.policy !== "rollout" || steps.length === 0) return null;
  const at = p?.step ? p.step - 1 : -1;
  const items = steps.map((share, i) => el("li", { class: i < at ? "done" : i === at ? "now" : "", "aria-current": i === at ? "step" : undefined }, `${share} %`));
  const said = [];
  if (p?.soak_seconds) said.push(p.soaked_seconds >= p.soak_seconds ? "it was observed long enough" : `observed ${duration(p.soaked_seconds)} of ${duration(p.soak_seconds)}`);
  if (p?.min_units) said.push(p.units >= p.min_units ? `${count(p.units)} units are enough` : `${count(p.units)} of ${count(p.min_units)} units, ${count(p.min_units - p.units)} missing`);
  if (p?.waits_for?.includes("burst")) said.push("bad events came in a burst: it waits until none has come for five minutes");
  if (p?.waits_for?.includes("proof")) said.push("it waits for proof that the candidate is not much worse");
  if (p?.held) said.push(`held: ${words(p.held)}`);
  if (!p?.held && p?.seconds_left > 0) said.push(`about ${duration(p.seconds_left)} until the next step`);
  return section("Steps", el("ol", { class: "ladder" }, items), said.length ? el("p", {}, `At this step: ${said.join("; ")}.`) : null);
}

function overTime(page, colours, experiment) {
  if (page.looks.length === 0) return null;
  const x = page.looks.map((look) => Date.parse(look.at) / 1000);
  const candidates = experiment.arms.filter((arm) => arm.role === "candidate").map((arm) => arm.version);
  const of = (version, field) => page.looks.map((look) => look.arms.find((arm) => arm.version === version)?.[field] ?? null);
  const series = [];
  const bands = [];
  for (const version of candidates) {
    const at = series.length;
    series.push({ name: `${version}: difference`, values: of(version, "difference"), colour: colours.get(version) });
    series.push({ name: `${version}: lower end`, values: of(version, "lower"), colour: colours.get(version), hidden: true });
    series.push({ name: `${version}: upper end`, values: of(version, "upper"), colour: colours.get(version), hidden: true });
    bands.push({ lower: at + 1, upper: at + 2, colour: colours.get(version) });
  }
  series.push({ name: "no difference", values: x.map(() => 0), colour: "faint", dash: [4, 4], width: 1 });
  const evidence = candidates.map((version) => ({ name: version, values: of(version, "p").map((p) => (p === null ? null : -Math.log10(Math.max(p, 1e-12)))), colour: colours.get(version) }));
  const bar = -Math.log10(page.alpha / Math.max(candidates.length, 1));
  evidence.push({ name: `enough for a claim (p ${number(page.alpha / Math.max(candidates.length, 1), 2)})`, values: x.map(() => bar), colour: "faint", dash: [6, 4], width: 1.5 });
  const charts = [
    chart({ title: `Effect on ${page.metric}`, note: "with its always-valid interval: it narrows as units come", x, series, bands, format: (v) => signed(v), name: `${experiment.experiment}-effect` }),
    chart({ title: "Evidence", note: "−log₁₀ p; above the dashed line it is enough", x, series: evidence, zero: true, name: `${experiment.experiment}-evidence` }),
  ];
  if (experiment.policy !== "fixed") {
    const arms = experiment.arms.map((arm, at) => ({ name: arm.version, values: page.looks.map((look) => (look.shares[at] === undefined ? null : 100 * look.shares[at])), colour: colours.get(arm.version), step: true }));
    charts.push(chart({ title: "Traffic of the arms", note: "in percent", x, series: arms, range: [0, 100], format: (v) => `${v} %`, name: `${experiment.experiment}-traffic` }));
  }
  if (page.looks.some((look) => look.regret !== null && look.regret !== undefined)) {
    const of = (field) => page.looks.map((look) => look[field] ?? null);
    charts.push(chart({
      title: "Regret", note: `how much more of ${page.metric} the best arm would have brought so far`, x, zero: true, format: (v) => number(v, 3), name: `${experiment.experiment}-regret`,
      series: [{ name: "this bandit", values: of("regret"), colour: "accent" }, { name: "an equal split", values: of("regret_of_equal_split"), colour: "faint", dash: [6, 4], width: 1.5 }],
    }));
  }
  return section("Over time", el("div", { class: "charts" }, charts));
}

const finding = (found) => el("span", { class: HARM.includes(found) ? "bad" : GOOD.includes(found) ? "good" : "" }, words(found));

function metrics(results, colours) {
  const n = (name) => ({ name, class: "number" });
  const head = [{ name: "Metric", class: "text" }, { name: "Part" }, { name: "Version", class: "text" }, n("Units"), n("Mean"), n("Difference"), n("Always-valid interval"), n("For one look"), { name: "Finding" }, n("Chance to be better")];
  const rows = [];
  for (const metric of results.metrics) {
    metric.arms.forEach((arm, at) => {
      const found = at === 0 ? null : metric.comparisons.find((c) => c.version === arm.version);
      rows.push([
        metric.metric.metric, metric.role, [swatch(colours.get(arm.version) ?? "off"), arm.version, at === 0 ? " (control)" : ""],
        count(arm.units), number(arm.mean), found ? signed(found.difference) : "–", found ? ends(found.sequential.interval) : "–", found ? ends(found.fixed_horizon?.interval) : "–",
        found ? [finding(found.finding)] : "–", found?.bayesian ? percent(found.bayesian.chance_to_win) : "–",
      ]);
    });
  }
  return section("Metrics", table("Metrics", head, rows), el("p", { class: "hint" }, "The always-valid interval holds however often somebody looks. The one for one look is narrower, and holds only at an end that was planned before; it and the chance to be better are left out where the weights have moved."));
}

function byDay(results, colours) {
  const primary = results.metrics.find((m) => m.role === "primary");
  const days = (primary?.comparisons ?? []).filter((c) => (c.by_day?.days?.length ?? 0) > 1);
  if (days.length === 0) return null;
  const charts = days.map((c) => {
    const x = c.by_day.days.map((d) => Date.parse(`${d.first}T12:00:00Z`) / 1000);
    const values = (f) => c.by_day.days.map(f);
    return chart({
      title: `${primary.metric.metric} of ${c.version} by day`, note: "each with its interval for one look", x,
      series: [{ name: "difference", values: values((d) => d.difference), colour: colours.get(c.version) }, { name: "lower end", values: values((d) => d.interval.lower), colour: colours.get(c.version), hidden: true }, { name: "upper end", values: values((d) => d.interval.upper), colour: colours.get(c.version), hidden: true }, { name: "no difference", values: x.map(() => 0), colour: "faint", dash: [4, 4], width: 1 }],
      bands: [{ lower: 1, upper: 2, colour: colours.get(c.version) }], format: (v) => signed(v), name: "by-day",
    });
  });
  return section("By day", el("div", { class: "charts" }, charts));
}

function segments(results) {
  if (results.segments.length === 0) return null;
  const n = (name) => ({ name, class: "number" });
  const rows = results.segments.flatMap((segment) => segment.metrics.flatMap((metric) => metric.comparisons.map((c, at) => [
    `${segment.dimension}: ${segment.value ?? `(${words(segment.kind)})`}`, metric.metric, c.version, count((metric.units[0] ?? 0) + (metric.units[at + 1] ?? 0)), signed(c.difference), ends(c.interval), [finding(c.finding)],
  ])));
  return section("Segments", table("Segments", [{ name: "Segment", class: "text" }, { name: "Metric", class: "text" }, { name: "Version", class: "text" }, n("Units"), n("Difference"), n("Interval"), { name: "Finding" }], rows), el("p", { class: "hint" }, "The intervals hold for all segments together."));
}

function checks(results) {
  const rows = [["The arms got the units that their weights promise", [results.sample_ratio.alarm ? el("span", { class: "bad" }, "no") : "yes"], `p ${number(results.sample_ratio.p, 2)}`]];
  for (const c of results.feedback_checks) rows.push([`Feedback for ${c.metric} came as often for ${c.version} as for the control`, [c.alarm ? el("span", { class: "bad" }, "no") : "yes"], `p ${number(c.p, 2)}`]);
  for (const c of results.label_checks) rows.push([`Labels for ${c.version} are of the type that it answers`, [c.alarm ? el("span", { class: "bad" }, "no") : "nearly all"], `${count(c.unlike)} of ${count(c.labels)} are a ${c.label}, not a ${c.prediction}`]);
  for (const c of results.window_checks) rows.push([`Feedback for ${c.metric} of ${c.version} came at the same times`, [c.timing_alarm ? el("span", { class: "bad" }, "no") : "yes"], c.held === null ? `p ${number(c.timing_p, 2)}` : `p ${number(c.timing_p, 2)}; the window holds ${percent(c.held)}`]);
  const guards = results.metrics.filter((m) => m.role === "guardrail").flatMap((m) => m.comparisons.map((c) => [`${m.metric.metric} of ${c.version} (guardrail)`, [finding(c.finding)], "–"]));
  const excluded = results.excluded.map((e) => [`Predictions that are left out, because they ${e.reason}`, "–", count(e.predictions)]);
  return section("Checks", table("Checks", [{ name: "Check", class: "long" }, { name: "Passed" }, { name: "", class: "text" }], [...rows, ...guards, ...excluded]));
}

// How much is missing, and when it is likely to come.
function expectation(experiment, results) {
  const primary = results.metrics.find((m) => m.role === "primary");
  const units = results.arms.reduce((sum, arm) => sum + arm.units, 0);
  const lines = [];
  if (experiment.planned_units) lines.push(`${count(units)} of ${count(Math.round(experiment.planned_units))} planned units have come.`);
  const started = experiment.started_at ? (Date.now() - Date.parse(experiment.started_at)) / 1000 : null;
  const needed = (primary?.comparisons ?? []).map((c) => c.needed).filter(Boolean);
  const more = needed.length ? Math.max(...needed.map((n) => n.more)) : null;
  if (more > 0 && experiment.status === "running") {
    const rate = started > 60 && units > 0 ? units / started : null;
    lines.push(`About ${count(Math.ceil(more))} more are needed for a decision${rate ? `: likely ${duration(more / rate)} from now, if they come as before and the difference stays` : ""}.`);
  }
  return lines.length ? el("p", {}, lines.join(" ")) : null;
}

export function open(page, { path, again, session }) {
  const id = decodeURIComponent(path[1]);
  const live = el("div");
  page.replaceChildren(live);
  return async () => {
    const experiment = await get(`/experiments/${encodeURIComponent(id)}`);
    const started = Boolean(experiment.started_at);
    const [results, looks, all, audit] = await Promise.all([
      started ? part(get(`/experiments/${id}/results`), null) : Promise.resolve(null), part(get(`/experiments/${id}/history`), { looks: [] }),
      get(`/models?name=${encodeURIComponent(experiment.name)}`), part(get(`/audit?experiment=${id}&name=${encodeURIComponent(experiment.name)}&limit=100`), { entries: [] }),
    ]);
    // What there is none of may be left out.
    if (results) for (const key of ["notes", "segments", "excluded", "feedback_checks", "label_checks", "window_checks", "metrics", "arms"]) results[key] ??= [];
    const colours = coloured(all);
    const head = [
      el("h1", {}, experiment.title || experiment.experiment),
      el("p", { class: "hint" }, modelLink(experiment.name), ` · ${experiment.experiment} · ${describe(experiment)}`, experiment.started_at ? [" · since ", when(experiment.started_at)] : ""),
    ];
    const verdict = results ? el("article", { class: "verdict" }, el("h2", {}, experiment.status === "running" ? words(results.verdict) : words(experiment.status)), experiment.status !== "running" && experiment.end_reason ? el("p", {}, experiment.end_reason) : null, el("p", {}, results.summary), expectation(experiment, results), results.notes.filter((note) => !results.summary.includes(note)).map((note) => el("p", { class: "hint" }, note)))
      : el("article", { class: "verdict" }, el("h2", {}, experiment.status), el("p", {}, experiment.end_reason ?? (started ? "Its results are not there, or not for this key." : "It has not begun, so there is nothing to judge.")));
    renew(live, [
      ...head, verdict, buttons(experiment, results, again, session),
      split(experiment.arms.map((arm) => ({ version: arm.version, share: arm.share, colour: colours.get(arm.version) }))),
      ladder(experiment), overTime(looks, colours, experiment),
      results ? metrics(results, colours) : null, results ? byDay(results, colours) : null, results ? segments(results) : null, results ? checks(results) : null,
      section("What happened", events(audit.entries)),
    ]);
    return `${experiment.title || experiment.experiment}: ${describe(experiment)}`;
  };
}
