// Shows the models, what happens to experiments and the newest predictions, and asks again while somebody
// looks.
"use strict";

const EVERY_MS = 2000;
const COLOURS = 6;
const $ = (id) => document.getElementById(id);

async function get(path) {
  const reply = await fetch(path, { headers: { accept: "application/json" } });
  if (!reply.ok && reply.status !== 503) throw Object.assign(new Error(`${path} answers ${reply.status}`), { status: reply.status });
  return reply.json();
}

// Who may not see something sees the rest.
const where = (allowed, path, otherwise) => (allowed ? get(path) : Promise.resolve(otherwise));

// Asks for a key where one is needed: it is sent once, for a session in a cookie that no script can read.
async function enter(event) {
  event.preventDefault();
  const sent = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ key: $("key").value }) };
  const reply = await fetch("/session", sent);
  const said = await reply.json();
  $("key").value = "";
  $("refused").hidden = reply.ok;
  $("refused").textContent = reply.ok ? "" : said.detail;
  if (reply.ok) await show();
}

async function leave() {
  await fetch("/session", { method: "DELETE" });
  location.reload();
}

// Everything a caller sent is set as text, never as HTML.
function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const count = (value) => value.toLocaleString("en");
const milliseconds = (value) => (value === null ? "–" : `${value < 10 ? value.toPrecision(2) : Math.round(value)} ms`);
const fraction = (value) => (value === null ? "–" : value.toFixed(3));
const percent = (share) => `${+(100 * share).toFixed(1)} %`;

function row(cells) {
  const made = element("tr");
  for (const [content, className] of cells) {
    const cell = element("td", typeof content === "string" ? content : undefined, className);
    if (typeof content !== "string") cell.append(...content);
    made.append(cell);
  }
  return made;
}

function groupByModel(versions) {
  const models = new Map();
  for (const version of versions) {
    if (!models.has(version.name)) models.set(version.name, []);
    models.get(version.name).push(version);
  }
  return models;
}

// Where an experiment is: its policy, phase and step, and the shares of its arms.
function describe(experiment) {
  const p = experiment.progress;
  const parts = [`${experiment.policy} ${experiment.experiment}`];
  if (p) {
    parts.push(p.held ? `held: ${p.held.replaceAll("_", " ")}` : p.phase);
    if (p.step) parts.push(`step ${p.step} of ${p.steps}`);
    if (p.soak_seconds) parts.push(`observed ${Math.floor(p.soaked_seconds)} of ${p.soak_seconds} s`);
    if (p.winner) parts.push(`winner ${p.winner}`);
  }
  return parts.join(", ");
}

function showModel(name, versions, recommendation, experiment) {
  const article = $("model").content.cloneNode(true);
  const find = (selector) => article.querySelector(selector);
  find("h3").textContent = name;
  const weights = (list) => list.reduce((sum, v) => sum + v.traffic_percent, 0);
  const active = versions.filter((v) => v.status === "active" && v.traffic_percent > 0);
  const total = weights(active);
  const share = (v) => (active.includes(v) ? v.traffic_percent / total : 0);
  versions.sort((a, b) => share(b) - share(a) || a.version.localeCompare(b.version));
  const colour = (v) => (share(v) > 0 ? `c${active.indexOf(v) % COLOURS}` : "off");
  active.sort((a, b) => versions.indexOf(a) - versions.indexOf(b));

  const split = find(".split");
  for (const v of active) {
    const part = element("span", `${v.version}  ${percent(share(v))}`, colour(v));
    part.style.flex = `${share(v)} 0 0`;
    part.title = part.textContent;
    split.append(part);
  }
  const said = active.map((v) => `${v.version} ${percent(share(v))}`).join(", ");
  split.setAttribute("aria-label", said ? `Traffic: ${said}` : "No traffic");
  const warning = find(".warning");
  if (total === 0) warning.textContent = "No active version has a weight: requests are refused.";
  else if (Math.abs(total - 100) > 1e-6) warning.textContent = `The weights add up to ${+total.toFixed(6)}; each counts as its share of that.`;
  warning.hidden = !warning.textContent;

  for (const v of versions) {
    const failed = v.request_count ? ` (${percent(v.error_count / v.request_count)})` : "";
    find("tbody").append(row([
      [[element("span", undefined, `swatch ${colour(v)}`), v.version]],
      [v.status],
      [share(v) > 0 ? percent(share(v)) : "–", "number"],
      [count(v.request_count), "number"],
      [count(v.error_count) + failed, v.error_count ? "number bad" : "number"],
      [milliseconds(v.p50_latency_ms), "number"],
      [milliseconds(v.p95_latency_ms), "number"],
      [milliseconds(v.p99_latency_ms), "number"],
      [v.request_count ? fraction(v.avg_confidence) : "–", "number"],
      [v.labelled_count ? `${percent(v.measured_accuracy)} of ${count(v.labelled_count)}` : "–", "number"],
    ]));
  }
  const running = find(".experiment");
  running.textContent = experiment ? describe(experiment) : "";
  running.hidden = !experiment;
  const judge = find(".judge");
  judge.textContent = recommendation ?? "";
  judge.hidden = !recommendation;
  return article;
}

// What happened to experiments, newest first, from the stream of events.
const MOST_EVENTS = 20;

function showEvent(entry) {
  const shares = entry.detail.to ? Object.entries(entry.detail.to).map(([v, weight]) => `${v} ${+weight.toFixed(2)} %`) : [];
  const made = row([
    [new Date(entry.at).toLocaleTimeString()],
    [entry.name, "text"],
    [entry.action.replace("experiment.", "").replaceAll("_", " "), "text"],
    [shares.join(", ") || "–", "text"],
    [entry.detail.because || entry.detail.reason || "–", "text"],
  ]);
  $("events").prepend(made);
  while ($("events").children.length > MOST_EVENTS) $("events").lastElementChild.remove();
  $("happened").hidden = false;
}

let newestEvent = null;
let stream = null;

// What has happened, once; and what happens, as soon as an experiment runs.
async function follow(running) {
  if (newestEvent === null) {
    const page = await get(`/audit?experiments_only=true&limit=${MOST_EVENTS}`);
    page.entries.reverse().forEach(showEvent);
    newestEvent = page.entries.at(-1)?.id ?? 0;
  }
  if (stream || running.length === 0) return;
  stream = new EventSource(`/events?experiments_only=true&after=${newestEvent}`);
  const actions = ["created", "scheduled", "unscheduled", "start_failed", "started", "advanced", "reweighted", "held",
    "released", "paused", "resumed", "winner", "verdict", "effect_changed", "promoted", "rolled_back", "stopped", "aborted", "deleted"];
  for (const action of actions) {
    stream.addEventListener(`experiment.${action}`, (event) => showEvent(JSON.parse(event.data)));
  }
}

function showPrediction(p) {
  const json = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const input = p.text ?? JSON.stringify(p.inputs);
  const status = { ok: "ok", fallback: "answered by another", error: "failed", rejected: "input refused" }[p.status] ?? p.status;
  const made = row([
    [new Date(p.created_at).toLocaleTimeString()],
    [p.name, "text"],
    [p.model_version, "text"],
    [input, "text"],
    [p.prediction === null ? "–" : json(p.prediction), "text"],
    [fraction(p.confidence), "number"],
    [milliseconds(p.latency_ms), "number"],
    [status, p.status === "ok" ? "" : "bad"],
  ]);
  made.title = p.error ?? input;
  return made;
}

async function refresh() {
  const session = await get("/session");
  const out = session.auth_required && !session.role;
  $("enter").hidden = !out;
  $("main").hidden = out;
  $("leave").hidden = !session.key_id;
  $("who").textContent = session.key_id ?? session.user ?? "";
  if (out) return ["Sign in to see more.", false];
  const reads = session.role !== "predictor";
  const sees = reads && session.role !== "viewer" && session.models.length === 0;
  const nothing = { models: [], recommendations: [], total_requests: 0 };
  const [ready, report, page, running] = await Promise.all([
    get("/health/ready"), where(reads, "/models/performance", nothing), where(sees, "/predictions?limit=20", { predictions: [] }),
    where(reads, "/experiments?status=running&limit=1000", []),
  ]);
  if (reads && session.models.length === 0) await follow(running);
  $("no-right").hidden = sees;
  const experiments = new Map(running.map((experiment) => [experiment.name, experiment]));
  const models = groupByModel(report.models);
  const said = new Map(report.recommendations.map((r) => [r.name, r.recommendation]));
  $("models").replaceChildren(...[...models].map(([name, versions]) => showModel(name, versions, said.get(name), experiments.get(name))));
  $("no-models").hidden = models.size > 0;
  $("predictions").replaceChildren(...page.predictions.map(showPrediction));
  $("no-predictions").hidden = page.predictions.length > 0 || !sees;
  const logged = `${count(report.total_requests)} predictions logged`;
  const word = { ready: "Ready", degraded: "Answering, but degraded", not_ready: "Not ready" }[ready.status] ?? ready.status;
  const why = [...ready.reasons, ...ready.overdue].join("; ");
  return ready.status === "ready" ? [`Ready. ${logged}.`, false] : [`${word}: ${why}`, true];
}

async function show() {
  let said;
  try {
    said = await refresh();
  } catch (error) {
    said = [`The server does not answer (${error.message}); trying again.`, true];
  }
  $("state").textContent = said[0];
  $("state").className = said[1] ? "bad" : "";
}

async function keepShowing() {
  if (!document.hidden) await show();
  setTimeout(keepShowing, EVERY_MS);
}

$("enter").addEventListener("submit", enter);
$("leave").addEventListener("click", leave);
keepShowing();
