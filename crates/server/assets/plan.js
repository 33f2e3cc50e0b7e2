// How many units and days an experiment needs: from numbers, or from what the log knows.
import { el, send, count, number, percent, duration, table, section } from "./core.js";
import { chart } from "./chart.js";

export const still = true;

export function open(page, context) {
  const field = (name, label, attributes = {}) => el("p", {}, el("label", { for: `p-${name}` }, label), el("input", { id: `p-${name}`, name, autocomplete: "off", ...attributes }));
  const numeric = { type: "number", step: "any" };
  const answer = el("div", { role: "status" });
  const form = el("form", { class: "filters" },
    field("name", "Model, to ask its log"), field("metric", "Metric of the model"),
    field("baseline", "Baseline: share or mean (without a model)", { ...numeric, value: context.query.get("baseline") ?? "" }), field("standard_deviation", "Standard deviation of a unit (for means)", numeric),
    field("effect", "Smallest effect that matters", { ...numeric, value: context.query.get("effect") ?? "" }), el("p", { class: "check" }, el("input", { id: "p-relative", name: "relative", type: "checkbox" }), el("label", { for: "p-relative" }, "relative to the baseline")),
    field("per_day", "Units a day", numeric), field("arms", "Arms, the control included", { type: "number", min: 2, value: 2 }),
    field("alpha", "Chance of a false claim", { ...numeric, value: 0.05 }), field("power", "Chance of finding the effect", { ...numeric, value: 0.8 }),
    el("p", { class: "check" }, el("input", { id: "p-sequential", name: "sequential", type: "checkbox", checked: true }), el("label", { for: "p-sequential" }, "results are watched while they come in")),
    el("p", { class: "buttons" }, el("button", { type: "submit", class: "primary" }, "Plan")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = { relative: form.elements.relative.checked, sequential: form.elements.sequential.checked };
    for (const name of ["baseline", "standard_deviation", "effect", "per_day", "arms", "alpha", "power"]) {
      if (form.elements[name].value !== "") body[name] = Number(form.elements[name].value);
    }
    for (const name of ["name", "metric"]) if (form.elements[name].value) body[name] = form.elements[name].value;
    try {
      const plan = await send("POST", "/plan", body);
      answer.replaceChildren(...shown(plan));
    } catch (error) {
      const each = error.problem?.errors?.map((e) => el("li", {}, `${e.pointer.replace(/^\//, "")} ${e.detail}`)) ?? [];
      answer.replaceChildren(el("p", { class: "refused" }, error.message), el("ul", {}, each));
    }
  });
  page.replaceChildren(el("h1", {}, "Plan"), el("p", { class: "hint" }, "How many units an experiment needs before it can find an effect that matters to you. Name a model and a metric, and the log tells the rest; or give the numbers."), form, answer);
  return async () => undefined;
}

function shown(plan) {
  const lines = [el("p", { class: "answer" }, `${count(Math.ceil(plan.total_units))} units in all`, plan.days ? `, about ${duration(plan.days * 86400)}` : "", `: ${count(Math.ceil(plan.control_units))} of the control, ${count(Math.ceil(plan.candidate_units))} of each candidate.`)];
  if (plan.from_log) lines.push(el("p", { class: "hint" }, `The log says: baseline ${number(plan.from_log.baseline)}, standard deviation ${number(plan.from_log.standard_deviation)}, ${plan.from_log.per_day === null ? "too little to tell units a day" : `${count(Math.round(plan.from_log.per_day))} units a day`}, by ${count(plan.from_log.units)} units.`));
  const power = plan.power_by_units;
  const effects = plan.units_by_effect;
  const rising = [...effects].sort((a, b) => a.effect - b.effect);
  return [section("What is needed", ...lines), section("Curves", el("div", { class: "charts" },
    chart({ title: "Chance of finding the effect", note: "at one look, by the number of units", x: power.map((p) => p.units), xName: "units", time: false, series: [{ name: "power", values: power.map((p) => p.power), colour: "c0" }], range: [0, 1], format: (v) => percent(v, 0), name: "power" }),
    chart({ title: "Units by effect", x: rising.map((e) => e.effect), xName: "effect", time: false, series: [{ name: "units", values: rising.map((e) => e.units), colour: "c1" }], zero: true, format: count, name: "units-by-effect" }))),
  section("Formula", el("pre", { tabindex: "0" }, plan.formula), table("Other effects", [{ name: "Effect", class: "number" }, { name: "Units", class: "number" }, { name: "Days", class: "number" }], effects.map((e) => [number(e.effect), count(Math.ceil(e.units)), e.days === null ? "–" : number(e.days, 3)])))];
}
