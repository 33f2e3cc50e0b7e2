// Every model: how its requests are split, what it does, what runs on it, and what is wrong.
import { el, get, count, duration, milliseconds, percent, words, split, shares, coloured, modelLink, experimentLink, swatch, table, command, section, when, renew } from "./core.js";
import { spark } from "./chart.js";

// Where an experiment is: its policy, phase and step.
export function describe(experiment) {
  const p = experiment.progress;
  const parts = [experiment.policy];
  if (p) {
    parts.push(p.held ? `held: ${words(p.held)}` : words(p.phase));
    if (p.step) parts.push(`step ${p.step} of ${p.steps}`);
    if (p.soak_seconds > p.soaked_seconds) parts.push(`observed ${duration(p.soaked_seconds)} of ${duration(p.soak_seconds)}`);
    if (p.min_units > p.units) parts.push(`${count(p.units)} of ${count(p.min_units)} units`);
    if (!p.held && p.seconds_left > 0) parts.push(`about ${duration(p.seconds_left)} until the next step`);
    if (p.winner) parts.push(`winner ${p.winner}`);
  } else {
    parts.push(experiment.status);
  }
  return parts.join(", ");
}

export const what = (entry) => words(entry.action.replace("experiment.", ""));

export function events(entries) {
  const shown = (entry) => {
    const to = entry.detail?.to;
    const numbers = to && typeof to === "object" ? Object.entries(to).filter(([, weight]) => typeof weight === "number") : [];
    const traffic = numbers.map(([version, weight]) => `${version} ${+weight.toFixed(2)} %`).join(", ");
    const author = entry.author?.user ?? entry.author?.key_id ?? (entry.author ? "somebody without a key" : "the server");
    return [when(entry.at), entry.name ? modelLink(entry.name) : "the server", entry.version ? `${what(entry)} ${entry.version}` : what(entry), traffic || "–", entry.detail?.because || entry.detail?.reason || entry.author?.reason || "–", author];
  };
  const head = [{ name: "Time" }, { name: "Model", class: "text" }, { name: "Event" }, { name: "Traffic", class: "text" }, { name: "Why", class: "long" }, { name: "Who", class: "text" }];
  return table("What happened", head, entries.map(shown));
}

function card(name, versions, all, series, experiment, recommendation) {
  const colours = coloured(all);
  const share = shares(versions);
  versions.sort((a, b) => share(b) - share(a) || a.version.localeCompare(b.version));
  const total = versions.filter((v) => v.status === "active").reduce((sum, v) => sum + v.traffic_percent, 0);
  const colour = (version) => colours.get(version) ?? "off";
  const article = el("article", {}, el("h3", {}, modelLink(name)));
  article.append(split(versions.map((v) => ({ version: v.version, share: share(v), colour: colour(v.version) }))));
  const warnings = [];
  if (total === 0) warnings.push("No active version has a weight: requests are refused.");
  else if (Math.abs(total - 100) > 1e-6) warnings.push(`The weights add up to ${+total.toFixed(6)}; each counts as its share of that.`);
  for (const version of all) {
    if (version.broken) warnings.push(`${version.version} is broken: ${version.broken}`);
    if (version.refusing) warnings.push(`${version.version} gets no requests: ${version.refusing}`);
  }
  article.append(...warnings.map((text) => el("p", { class: "warning" }, text)));
  if (experiment) {
    const p = el("p", { class: "experiment" }, experimentLink(experiment.experiment, experiment.title || experiment.experiment), `: ${describe(experiment)}`);
    article.append(p);
  }
  if (recommendation) article.append(el("p", { class: "judge" }, recommendation));
  const failed = (v) => (v.request_count ? ` (${percent(v.error_count / v.request_count)})` : "");
  const rows = versions.map((v) => [
    [swatch(share(v) > 0 ? colour(v.version) : "off"), v.version],
    v.status,
    share(v) > 0 ? percent(share(v)) : "–",
    count(v.request_count),
    [el("span", { class: v.error_count ? "bad" : "" }, count(v.error_count) + failed(v))],
    milliseconds(v.p50_latency_ms), milliseconds(v.p95_latency_ms), milliseconds(v.p99_latency_ms),
    v.labelled_count ? `${percent(v.measured_accuracy)} of ${count(v.labelled_count)}` : "–",
  ]);
  const head = ["Version", "Status"].map((n) => ({ name: n })).concat(["Share", "Predictions", "Errors", "p50", "p95", "p99", "Correct"].map((n) => ({ name: n, class: "number" })));
  article.append(table(`Versions of ${name}`, head, rows));
  if (series) {
    const last = series.requests.reduce((sum, v) => sum + v, 0);
    const errors = series.errors.reduce((sum, v) => sum + v, 0);
    const p95 = series.p95_ms.filter((v) => v !== null).at(-1);
    const p50 = series.p50_ms.filter((v) => v !== null).at(-1);
    const p99 = series.p99_ms.filter((v) => v !== null).at(-1);
    const said = `last hour: ${count(last)} requests, ${count(errors)} errors`;
    const lines = [
      [spark(series.requests, `Requests, ${said}`), ` ${count(last)} requests in the last hour`], [spark(series.errors, `Errors, ${said}`), ` ${count(errors)} errors`],
    ];
    for (const [name, now] of [["p50", p50], ["p95", p95], ["p99", p99]]) {
      if (now !== undefined) lines.push([spark(series[`${name}_ms`], `Latency ${name} in the last hour, now ${milliseconds(now)}`), ` ${name} ${milliseconds(now)}`]);
    }
    article.append(el("p", { class: "sparks" }, lines.map((line) => el("span", {}, line))));
  }
  return article;
}

export function open(page, context) {
  if (context.session.role === "predictor") {
    page.replaceChildren(el("p", { class: "hint" }, "This key asks for predictions and may not see what they came to; that needs the role viewer or more."));
    return async () => undefined;
  }
  // A late reply is shown in a place that is gone with its page.
  const live = el("div");
  page.replaceChildren(live);
  return () => show(live, context.session);
}

async function show(page, session) {
  const wide = session.models.length === 0;
  const [report, all, timeline, running, audit] = await Promise.all([
    get("/models/performance"), get("/models"), get("/models/timeline?by_model=true&steps=30&step_seconds=120"),
    get("/experiments?status=running&limit=1000"), wide ? get("/audit?experiments_only=true&limit=20") : Promise.resolve({ entries: [] }),
  ]);
  const group = (list) => list.reduce((models, v) => models.set(v.name, [...(models.get(v.name) ?? []), v]), new Map());
  const models = group(report.models);
  const versions = group(all);
  const experiments = new Map(running.map((experiment) => [experiment.name, experiment]));
  const said = new Map(report.recommendations.map((r) => [r.name, r.recommendation]));
  const series = new Map(timeline.series.map((s) => [s.name, s]));
  const cards = [...models].map(([name, list]) => card(name, list, versions.get(name) ?? [], series.get(name), experiments.get(name), said.get(name)));
  const content = [section("Models", ...cards)];
  if (models.size === 0) {
    content[0].append(el("p", { class: "hint" }, "No version is registered yet. These commands register one, give it all requests and ask it:"),
      command("weir models register --name sentiment --model-version 1.0.0\nweir models activate MODEL_ID 100\nweir predict 'not bad at all' --name sentiment"));
  } else if (running.length === 0) {
    content.push(section("Experiments", el("p", { class: "hint" }, "No experiment runs. With two versions, this starts a rollout that comes back by itself when the candidate does harm:"),
      command("weir rollout start --name MODEL --control 1.0.0 --candidate 2.0.0 --watch")));
  }
  if (audit.entries.length > 0) content.push(section("What happened to experiments", events(audit.entries)));
  renew(page, content);
  return `${count(report.total_requests)} predictions logged`;
}
