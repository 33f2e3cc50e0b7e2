// What every page uses: calls of the API, elements, numbers and times as people read them.

export const COLOURS = 8;
export const $ = (id) => document.getElementById(id);

// An error that says what the server said.
export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `the server answers ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

// No answer at all.
export class Lost extends Error {}

// While somebody only looks, a reply may be four seconds old, so that many who look cost no more than one. What he has just
// opened or done is shown as it is.
let shared = false;
export const share = (value) => { shared = value; };

export async function get(path, options = {}) {
  const headers = { accept: "application/json" };
  headers["cache-control"] = shared && !options.fresh ? "max-age=4" : "no-cache";
  const reply = await fetch(path, { headers, signal: options.signal }).catch((error) => { throw new Lost(error.message); });
  if (!reply.ok && !(reply.status === 503 && path.startsWith("/health"))) throw new Refused(reply.status, await reply.json().catch(() => null));
  return reply.json();
}

// A part of a page that may be missing: what this key may not see, or what is gone, leaves out its part and not the page.
export const part = (promise, otherwise) => promise.catch((error) => {
  if (error instanceof Refused && [403, 404, 410].includes(error.status)) return otherwise;
  throw error;
});

export async function send(method, path, body, reason) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  // A header takes no more than these characters.
  if (reason) headers["x-reason"] = reason.replace(/[^\x20-\x7e]/g, "?");
  const reply = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const said = await reply.json().catch(() => null);
  if (!reply.ok) throw new Refused(reply.status, said);
  return said;
}

// Makes an element. Everything that a caller sent is set as text, never as HTML.
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null && child !== false) made.append(child);
  }
  return made;
}

export const count = (value) => (value ?? 0).toLocaleString("en");
export const milliseconds = (value) => (value === null || value === undefined ? "–" : `${value < 10 ? value.toPrecision(2) : count(Math.round(value))} ms`);
export const percent = (share, digits = 1) => (share === null || share === undefined ? "–" : `${+(100 * share).toFixed(digits)} %`);
export const number = (value, digits = 4) => (value === null || value === undefined ? "–" : String(+value.toPrecision(digits)));
export const signed = (value, digits = 3) => (value === null || value === undefined ? "–" : (value > 0 ? "+" : "") + number(value, digits));
export const words = (text) => String(text).replaceAll("_", " ");
export const ends = (interval) => (interval ? `${interval.lower === null ? "−∞" : signed(interval.lower)} to ${interval.upper === null ? "+∞" : signed(interval.upper)}` : "–");

// A moment in the zone of whoever looks, with its date.
export function when(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return el("span", {}, "–");
  const shown = at.toLocaleString(undefined, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return el("time", { datetime: text, title: `${text} (UTC)` }, shown);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${+(seconds / 3600).toFixed(1)} h`;
  return `${+(seconds / 86400).toFixed(1)} days`;
}

// A table that can be scrolled by keyboard where it is too wide.
export function table(caption, head, rows, options = {}) {
  const cell = (content, at) => {
    const column = head[at] ?? {};
    const made = el("td", { class: column.class, "data-label": column.name });
    made.append(el("span", {}, Array.isArray(content) ? content : [content ?? "–"]));
    return made;
  };
  const body = rows.map((row) => el("tr", {}, row.map(cell)));
  const made = el("table", {},
    el("caption", { class: options.showCaption ? "" : "hidden" }, caption),
    el("thead", {}, el("tr", {}, head.map((column) => el("th", { scope: "col", class: column.class }, column.name)))),
    el("tbody", {}, body));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, made);
}

export const swatch = (colour) => el("span", { class: `swatch ${colour}`, "aria-hidden": "true" });

// A version keeps its colour for ever: it is its place among the versions of its model, by age.
export function coloured(versions) {
  const byAge = [...versions].sort((a, b) => a.created_at.localeCompare(b.created_at) || a.version.localeCompare(b.version));
  return new Map(byAge.map((version, at) => [version.version, `c${at % COLOURS}`]));
}

// The shares of a split as one bar; what is too narrow for its text has it as a title.
export function split(parts) {
  const bar = el("div", { class: "split", role: "img" });
  const shown = parts.filter((part) => part.share > 0);
  for (const part of shown) {
    const text = `${part.version}  ${percent(part.share)}`;
    const piece = el("span", { class: part.colour, title: text }, text);
    piece.style.flex = `${part.share} 0 0`;
    bar.append(piece);
  }
  const said = shown.map((part) => `${part.version} ${percent(part.share)}`).join(", ");
  bar.setAttribute("aria-label", said ? `Traffic: ${said}` : "No traffic");
  return bar;
}

export function shares(versions) {
  const active = versions.filter((v) => v.status === "active" && v.traffic_percent > 0);
  const total = active.reduce((sum, v) => sum + v.traffic_percent, 0);
  return (v) => (active.includes(v) ? v.traffic_percent / total : 0);
}

// Asks before something is done. What `act` throws is shown, and the question stays.
export function ask({ title, text, yes, danger, act }) {
  const dialog = $("ask");
  $("ask-title").textContent = title;
  $("ask-text").replaceChildren(...[text].flat().filter(Boolean).map((part) => (typeof part === "string" ? el("p", {}, part) : part)));
  $("ask-yes").textContent = yes;
  $("ask-yes").className = danger ? "danger" : "primary";
  $("ask-yes").disabled = false;
  $("ask-reason").value = "";
  $("ask-refused").hidden = true;
  $("ask-no").onclick = () => dialog.close();
  dialog.querySelector("form").onsubmit = async (event) => {
    event.preventDefault();
    $("ask-yes").disabled = true;
    try {
      await act($("ask-reason").value.trim());
      dialog.close();
    } catch (error) {
      $("ask-refused").textContent = error.message;
      $("ask-refused").hidden = false;
      $("ask-yes").disabled = false;
    }
  };
  dialog.showModal();
}

// A file that whoever looks keeps.
export function csv(name, head, rows) {
  const quoted = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const text = [head, ...rows].map((row) => row.map(quoted).join(",")).join("\n");
  const url = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" }));
  const link = el("a", { href: url, download: `${name}.csv` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export const json = (value) => (typeof value === "string" ? value : JSON.stringify(value));
export const modelLink = (name) => el("a", { href: `#/models/${encodeURIComponent(name)}` }, name);
export const experimentLink = (id, text) => el("a", { href: `#/experiments/${encodeURIComponent(id)}` }, text ?? id);
export const predictionLink = (id, text) => el("a", { href: `#/predictions/${encodeURIComponent(id)}` }, text ?? id);
// Who may change something.
export const mayAct = (session) => !session.auth_required || ["operator", "admin"].includes(session.role);
// A word of a command as a shell takes it.
export const quoted = (text) => (/^[\w@%+=:,.\/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
export const command = (text) => el("pre", { class: "command", tabindex: "0" }, el("code", {}, text));
export const section = (title, ...children) => {
  const id = `s-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  return el("section", { "aria-labelledby": id }, el("h2", { id }, title), ...children);
};

// Puts new content where old one was: what was open stays open, and what had the focus keeps it.
export function renew(region, nodes) {
  const titles = (root) => [...root.querySelectorAll("details[open]")].map((d) => d.closest("figure")?.querySelector("strong")?.textContent ?? d.querySelector("summary").textContent);
  const open = titles(region);
  const focused = region.contains(document.activeElement) ? document.activeElement : null;
  const mark = focused && [focused.tagName, focused.id, focused.textContent, focused.getAttribute("href") ?? ""].join("|");
  const scrolled = [...region.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
  region.replaceChildren(...nodes.flat().filter(Boolean));
  for (const details of region.querySelectorAll("details")) {
    const own = details.closest("figure")?.querySelector("strong")?.textContent ?? details.querySelector("summary").textContent;
    if (open.includes(own)) details.open = true;
  }
  [...region.querySelectorAll(".scroll")].forEach((s, at) => { if (scrolled[at]) s.scrollLeft = scrolled[at]; });
  if (mark) {
    const same = [...region.querySelectorAll(focused.tagName)].find((e) => [e.tagName, e.id, e.textContent, e.getAttribute("href") ?? ""].join("|") === mark);
    same?.focus({ preventScroll: true });
  }
}
