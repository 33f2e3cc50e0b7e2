// The log of predictions as it grows, and one prediction with all that is known of it.
import { el, get, part, count, milliseconds, number, table, section, renew, when, json, predictionLink, experimentLink, modelLink, command } from "./core.js";

const FILTERS = [["name", "Model"], ["version", "Version"], ["status", "Status"], ["unit_id", "Unit"], ["experiment", "Experiment"], ["where", "Attributes, such as country = DE"], ["since", "Since"], ["until", "Until"]];
const STATUS = { ok: "ok", fallback: "answered by another", error: "failed", rejected: "input refused" };

export function open(page, context) {
  if (context.path[1]) return one(page, decodeURIComponent(context.path[1]));
  if (!context.sees) {
    page.replaceChildren(el("h1", {}, "Predictions"), el("p", { class: "hint" }, context.names ? "This key is for some models. Choose one of them:" : "This key does not show what was sent and answered: that needs the role analyst, operator or admin."));
    if (!context.names) return async () => undefined;
    const live = el("ul");
    page.append(live);
    return async () => {
      const names = [...new Set((await get("/models")).map((v) => v.name))].sort();
      renew(live, names.map((name) => el("li", {}, el("a", { href: `#/predictions?name=${encodeURIComponent(name)}` }, name))));
      return undefined;
    };
  }
  const live = el("div");
  const field = ([name, label]) => {
    const id = `f-${name}`;
    const given = context.query.get(name) ?? "";
    const input = name === "status" ? el("select", { id, name }, ["", ...Object.keys(STATUS)].map((word) => el("option", { value: word, selected: word === given }, word ? STATUS[word] : "any")))
      : name === "since" || name === "until" ? el("input", { id, name, type: "datetime-local", step: 1, value: given ? local(given) : "" })
      : el("input", { id, name, value: given, autocomplete: "off" });
    return el("p", {}, el("label", { for: id }, label), input);
  };
  const form = el("form", { class: "filters" }, FILTERS.map(field), el("p", { class: "buttons" }, el("button", { type: "submit", class: "primary" }, "Show"), " ", el("a", { href: "#/predictions" }, "All")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (value) wanted.set(name, name === "since" || name === "until" ? new Date(value).toISOString() : value);
    }
    location.hash = `#/predictions?${wanted}`;
  });
  const pause = el("button", { type: "button", "aria-pressed": "false", onclick: () => pause.setAttribute("aria-pressed", pause.getAttribute("aria-pressed") === "true" ? "false" : "true") }, "Hold still");
  page.replaceChildren(el("h1", {}, "Predictions"), el("details", { class: "filter", open: [...context.query].length > 0 }, el("summary", {}, "Filter"), form), el("p", { class: "buttons" }, pause, " ", exports(context.query)), live);
  const tail = { rows: [], position: null };
  return async () => {
    if (pause.getAttribute("aria-pressed") === "true") return undefined;
    const found = await newest(context.query, tail);
    const rows = found.predictions.map((p) => [
      when(p.created_at), modelLink(p.name), p.model_version, p.unit_id ?? "–", p.text ?? JSON.stringify(p.inputs) ?? "–", p.prediction === null ? "–" : json(p.prediction), number(p.confidence, 3), milliseconds(p.latency_ms),
      [el("span", { class: p.status === "ok" ? "" : p.status === "rejected" ? "" : "bad" }, STATUS[p.status] ?? p.status)], predictionLink(p.prediction_id, "Show"),
    ]);
    const t = (name) => ({ name, class: "text" });
    const n = (name) => ({ name, class: "number" });
    renew(live, [rows.length ? table("Newest predictions", [{ name: "Time" }, t("Model"), t("Version"), t("Unit"), t("Input"), t("Prediction"), n("Confidence"), n("Latency"), { name: "Status" }, { name: "" }], rows)
      : [...context.query].length ? el("p", { class: "hint" }, "No prediction is like that.") : el("div", {}, el("p", { class: "hint" }, "Nothing is predicted yet. This asks:"), command("weir predict 'not bad at all'")),
      found.next_cursor ? el("p", { class: "hint" }, "There are more: narrow the filter, or export them.") : null]);
    return `${count(rows.length)} predictions shown`;
  };
}

// The newest predictions. Without a filter they are a tail in the order in which they were logged, so that a slow call is seen
// when it has ended, however many have begun after it.
const SHOWN = 50;
async function newest(filter, tail) {
  const query = new URLSearchParams(filter);
  query.set("limit", SHOWN);
  if ([...filter].length > 0) return get(`/predictions?${query}`);
  if (tail.position !== null) {
    // After a restore positions mean something else.
    const since = await part(get(`/predictions?${new URLSearchParams({ after_position: tail.position, generation: tail.generation, limit: SHOWN })}`), null);
    const more = since?.predictions ?? [];
    if (since && more.length < SHOWN) {
      tail.rows = [...more.reverse(), ...tail.rows].slice(0, SHOWN);
      tail.position = Math.max(tail.position, ...more.map((p) => p.position));
      return { predictions: tail.rows, next_cursor: tail.more };
    }
  }
  // So many have come that the newest ones are a list of their own.
  const found = await get(`/predictions?${query}`);
  const order = (p) => p.position ?? 0;
  tail.rows = found.predictions.sort((a, b) => order(b) - order(a));
  tail.more = found.next_cursor;
  const ends = tail.rows.map((p) => p.position).filter((position) => position !== null);
  tail.position = null;
  if (ends.length > 0) {
    tail.position = Math.max(...ends);
    tail.generation = (await get(`/predictions?after_position=${tail.position}&limit=1`)).generation;
  }
  return { predictions: tail.rows, next_cursor: tail.more };
}

const local = (text) => {
  const at = new Date(text);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
};

function exports(query) {
  const link = (format) => {
    const wanted = new URLSearchParams(query);
    wanted.set("format", format);
    return el("a", { href: `/predictions/export?${wanted}`, download: `predictions.${format}` }, format);
  };
  return el("span", {}, "Export: ", link("csv"), " ", link("ndjson"), " ", link("parquet"));
}

function one(page, id) {
  const live = el("div");
  page.replaceChildren(el("h1", {}, "Prediction"), live);
  return async () => {
    const p = await get(`/predictions/${encodeURIComponent(id)}`);
    const pair = (name, ...value) => [el("dt", {}, name), el("dd", {}, ...value.map((v) => v ?? "–"))];
    const facts = el("dl", {}, [
      pair("prediction_id", p.prediction_id), pair("Made", when(p.made_at ?? p.created_at)), pair("Model", modelLink(p.name)), pair("Version", p.model_version),
      pair("Answered by", p.served_model_id === p.model_id ? "the same" : p.served_model_id), pair("Status", STATUS[p.status] ?? p.status), p.error ? pair("Why", p.error) : [],
      pair("Chosen by", p.reason), pair("Probability of the choice", number(p.propensity)), pair("Epoch of the weights", String(p.epoch)), pair("Unit", p.unit_id), pair("request_id", p.request_id),
      pair("Experiment", p.experiment ? experimentLink(p.experiment) : null), pair("Confidence", number(p.confidence)), pair("Latency", milliseconds(p.latency_ms)), pair("Position in the journal", p.position === null ? null : String(p.position)),
    ].flat());
    const block = (title, value) => (value === null || value === undefined ? null : section(title, el("pre", { tabindex: "0" }, typeof value === "string" ? value : JSON.stringify(value, null, 2))));
    const shadows = (p.shadows ?? []).map((s) => [s.model_version, s.prediction === null ? "–" : json(s.prediction), number(s.confidence, 3), milliseconds(s.latency_ms), [el("span", { class: s.status === "error" ? "bad" : "" }, STATUS[s.status] ?? s.status)], s.error ?? "–"]);
    const beside = [{ name: "Version", class: "text" }, { name: "Prediction", class: "text" }, { name: "Confidence", class: "number" }, { name: "Latency", class: "number" }, { name: "Status" }, { name: "Why", class: "long" }];
    const feedback = (p.feedback ?? []).map((f) => [f.metric, number(f.value), f.label === null || f.label === undefined ? "–" : json(f.label), when(f.received_at)]);
    renew(live, [facts, block("Input", p.text ?? p.inputs), block("Prediction", p.prediction), block("Other outputs", p.outputs), Object.keys(p.attributes ?? {}).length ? block("Attributes", p.attributes) : null,
      shadows.length ? section("What other versions made of it", table("Answers to copies of this request", beside, shadows), el("p", { class: "hint" }, "These versions got a copy of the request. No caller saw their answers.")) : null,
      section("Feedback", feedback.length ? table("Feedback", [{ name: "Metric" }, { name: "Value", class: "number" }, { name: "Label", class: "text" }, { name: "Received" }], feedback)
        : el("div", {}, el("p", { class: "hint" }, "None has come yet. This tells what would have been right:"), command(`weir feedback send --prediction ${p.prediction_id} --label positive`)))]);
    return "";
  };
}
