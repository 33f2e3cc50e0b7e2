// The pages by their addresses, who is signed in, and asking again while somebody looks.
import { $, el, get, share, Lost, Refused } from "./core.js";
import { clear, replaced } from "./chart.js";
import * as overview from "./overview.js";
import * as model from "./model.js";
import * as experiment from "./experiment.js";
import * as predictions from "./predictions.js";
import * as plan from "./plan.js";
import * as settings from "./settings.js";

const EVERY_MS = 5000;
const PAGES = { "": ["Overview", overview], models: ["Model", model], experiments: ["Experiment", experiment], predictions: ["Predictions", predictions], plan: ["Plan", plan], settings: ["Settings", settings] };

// Asks for a key where one is needed: it is sent once, for a session in a cookie that no script can read.
async function enter(event) {
  event.preventDefault();
  const sent = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ key: $("key").value }) };
  const reply = await fetch("/session", sent);
  const said = await reply.json();
  $("key").value = "";
  $("refused").hidden = reply.ok;
  $("refused").textContent = reply.ok ? "" : said.detail;
  if (reply.ok) again = 0;
  if (reply.ok) await go();
}

async function leave() {
  await fetch("/session", { method: "DELETE" });
  location.reload();
}

let refresh = null;
let shownAt = null;
// Each page that is opened has a number, so that a late reply for another one is thrown away.
let opened = 0;

function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/"), query: new URLSearchParams(query ?? "") };
}

async function open() {
  const session = await get("/session", { fresh: true });
  const out = session.auth_required && !session.role;
  $("enter").hidden = !out;
  $("main").hidden = out;
  $("leave").hidden = !session.key_id;
  $("who").textContent = session.key_id ?? session.user ?? "";
  if (out) {
    refresh = null;
    return "Sign in to see more.";
  }
  const { path, query } = route();
  const [name, page] = PAGES[path[0]] ?? [null, null];
  const mark = ++opened;
  shownAt = location.hash;
  for (const link of $("pages").children) {
    const own = link.getAttribute("href") === `#/${path[0]}`;
    if (own) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = name ? `${path[1] ? `${decodeURIComponent(path[1])} · ` : ""}${name} · Weir` : "Weir";
  clear();
  const main = $("main");
  if (!page || (["models", "experiments"].includes(path[0]) && !path[1])) {
    main.replaceChildren(el("h1", {}, "There is no such page"), el("p", {}, el("a", { href: "#/" }, "To the overview")));
    refresh = null;
    return "";
  }
  const reads = session.role !== "predictor" && session.role !== "viewer";
  // A key for some models sees predictions by the name of one.
  const names = reads && session.models.length > 0;
  const sees = reads && (!names || query.has("name"));
  const context = { path, query, session, sees, names, again: () => look(mark) };
  const of = page.open(main, context);
  // The charts that are there stay until the new ones take their place; a page that is not made anew keeps its own.
  refresh = page.still ? of : async () => {
    const leave = replaced();
    try {
      return await of();
    } finally {
      leave();
    }
  };
  return null;
}

// One look at a time, so that none shows what another has overtaken.
let turn = Promise.resolve();
function look(mark, onlyLooks = false) {
  turn = turn.then(() => lookNow(mark ?? opened, onlyLooks)).catch(() => {});
  return turn;
}

async function lookNow(mark, onlyLooks) {
  let said;
  let bad = false;
  share(onlyLooks && shownAt === location.hash);
  try {
    if (shownAt !== location.hash || (!refresh && !$("main").hidden)) {
      said = await open();
      mark = opened;
    }
    if (refresh && mark === opened) {
      const line = await refresh();
      const ready = await get("/health/ready");
      const why = [...(ready.reasons ?? []), ...(ready.overdue ?? [])].join("; ");
      const word = { ready: "Ready", degraded: "Answering, but degraded", not_ready: "Not ready" }[ready.status] ?? ready.status;
      bad = ready.status !== "ready";
      said = bad ? `${word}: ${why}` : `${word}.${line ? ` ${line}.` : ""}`;
    }
  } catch (error) {
    // Of a page that is left nothing is said.
    if (mark !== opened) return;
    bad = true;
    if (error instanceof Refused && error.status === 401) {
      shownAt = null;
      await open().catch(() => {});
      said = "Sign in to see more.";
    } else if (error instanceof Refused) {
      said = error.message;
      if (error.status === 404) $("main").replaceChildren(el("h1", {}, "That is not there"), el("p", { class: "refused" }, error.message), el("p", {}, el("a", { href: "#/" }, "To the overview")));
    } else if (error instanceof Lost) {
      said = `The server does not answer (${error.message}); trying again.`;
    } else {
      said = `This page has a fault (${error.message}).`;
      console.error(error);
    }
  }
  if (said !== null && said !== undefined) {
    if ($("state").textContent !== said) $("state").textContent = said;
    $("state").className = bad ? "bad" : "";
  }
}

async function go() {
  shownAt = null;
  await look();
}

let timer = null;
async function keepLooking() {
  if (!document.hidden && !$("ask").open) {
    await look(opened, true);
    await follow();
  }
  timer = setTimeout(keepLooking, EVERY_MS);
}

// What happens is shown when it happens, and not five seconds later.
let stream = null;
// Who was refused asks again after a pause, that grows: it may have been a passing trouble.
let again = 0;
let pause = 60000;
async function follow() {
  // Nothing happens by itself while nothing runs.
  const running = stream || Date.now() < again ? [] : await get("/experiments?status=running&limit=1").catch(() => []);
  if (running.length === 0 || stream) return;
  const source = new EventSource("/events?experiments_only=true");
  stream = source;
  const actions = ["created", "scheduled", "unscheduled", "start_failed", "started", "advanced", "reweighted", "rescaled", "held", "released", "paused", "resumed", "winner", "verdict", "effect_changed", "promoted", "rolled_back", "stopped", "aborted", "deleted"];
  for (const action of actions) source.addEventListener(`experiment.${action}`, () => { if (!document.hidden && !$("ask").open) look(); });
  source.addEventListener("open", () => { pause = 60000; });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return;
    again = Date.now() + pause;
    pause = Math.min(2 * pause, 3600000);
    if (stream === source) stream = null;
  });
}

$("enter").addEventListener("submit", enter);
$("leave").addEventListener("click", leave);
window.addEventListener("hashchange", async () => {
  $("main").focus({ preventScroll: true });
  window.scrollTo(0, 0);
  await go();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", go);
document.addEventListener("visibilitychange", () => { if (!document.hidden) { clearTimeout(timer); keepLooking(); } });
keepLooking();
