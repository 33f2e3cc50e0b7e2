// What is set, who may call, who is told, and how the storage does.
import { el, get, send, ask, count, duration, table, section, renew, when, words, command } from "./core.js";

const bytes = (value) => (value > 1e9 ? `${(value / 1e9).toFixed(1)} GB` : value > 1e6 ? `${(value / 1e6).toFixed(1)} MB` : `${Math.ceil(value / 1000)} kB`);

export function open(page, { session, again }) {
  const admin = session.role === "admin" || !session.auth_required;
  const operator = admin || session.role === "operator";
  const live = el("div");
  const said = el("p", { role: "status", class: "hint" });
  page.replaceChildren(el("h1", {}, "Settings"), said, live);
  const nobody = (error) => { if (error.status === 403) return null; throw error; };
  return async () => {
    const [ready, settings, keys, webhooks] = await Promise.all([
      get("/health/ready"), get("/settings").catch(nobody), admin ? get("/keys").catch(nobody) : null, operator ? get("/webhooks").catch(nobody) : null,
    ]);
    const log = ready.log ?? {};
    const pair = (name, value) => [el("dt", {}, name), el("dd", {}, value ?? "–")];
    const storage = el("dl", {}, [
      pair("State", words(ready.status)), pair("Why", ready.reasons?.join("; ") || "nothing is wrong"), pair("Position of the journal", count(log.position)), pair("Still to be counted", `${count(log.lag_entries)} entries${log.lag_seconds > 1 ? `, for ${duration(log.lag_seconds)}` : ""}`),
      pair("Journal on the disk", bytes(log.journal_bytes ?? 0)), pair("Set aside", count(log.set_aside)), pair("Missing", count(log.missing)), pair("Default model", settings?.default_model),
    ].flat());
    const content = session.role === "predictor" ? [el("p", { class: "hint" }, "This key asks for predictions. What is set is seen with the role viewer or more.")] : [section("Storage and journal", storage)];
    if (webhooks) {
      const rows = webhooks.map((w) => [w.webhook, w.url, w.name ?? "all", w.format, w.events.length ? w.events.join(", ") : "all", w.last_error ? [el("span", { class: "bad" }, w.last_error)] : "ok", [
        el("button", { type: "button", "aria-label": `Test ${w.webhook}`, onclick: async () => { said.textContent = `Testing ${w.webhook} …`; said.textContent = await send("POST", `/webhooks/${w.webhook}/test`, {}).then((t) => t.message, (e) => e.message); } }, "Test"), " ",
        el("button", { type: "button", class: "danger", "aria-label": `Delete ${w.webhook}`, onclick: () => ask({ title: `Delete ${w.webhook}?`, text: "Nothing more is delivered to it.", yes: "Delete", danger: true, act: async (reason) => { await send("DELETE", `/webhooks/${w.webhook}`, undefined, reason); await again(); } }) }, "Delete"),
      ]]);
      content.push(section("Webhooks", rows.length ? table("Webhooks", ["Webhook", "Address", "Model", "Reads", "Events", "Deliveries", ""].map((name) => ({ name, class: name === "Deliveries" || name === "Events" ? "text" : "" })), rows)
        : el("p", { class: "hint" }, "Nobody is told of what happens. This makes a webhook:"), rows.length ? null : command("weir webhooks create https://hooks.example.com/weir --format slack --event experiment.rolled_back")));
    }
    if (keys) {
      const rows = keys.map((k) => [k.key_id, k.role, k.models.length ? k.models.join(", ") : "all", k.description ?? "–", when(k.created_at), k.expires_at ? when(k.expires_at) : "never", k.last_used_at ? when(k.last_used_at) : "never", [
        el("button", { type: "button", class: "danger", "aria-label": `Revoke ${k.key_id}`, onclick: () => ask({ title: `Revoke ${k.key_id}?`, text: "Whoever calls with it is refused from now on.", yes: "Revoke", danger: true, act: async (reason) => { await send("DELETE", `/keys/${k.key_id}`, undefined, reason); await again(); } }) }, "Revoke"),
      ]]);
      content.push(section("Keys", rows.length ? table("Keys", ["Key", "Role", "Models", "Description", "Made", "Expires", "Last used", ""].map((name) => ({ name, class: name === "Description" || name === "Models" ? "text" : "" })), rows)
        : el("p", { class: "hint" }, "There are no keys: whoever reaches this server may do everything. This makes one:"), rows.length ? null : command("weir keys create --role operator --description 'on call'")));
    }
    renew(live, content);
    return undefined;
  };
}
