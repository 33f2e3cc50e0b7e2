//! Every method against the numbers of independent implementations and of exact arithmetic.
//!
//! `data/oracles.json` holds inputs, expected values and a tolerance each. A value passes when
//! |got − expected| ≤ max(tolerance·|expected|, 1e-13); integers and booleans must match.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod betting;
mod control;

use judge::power::{self, Design, Tightest};
use judge::{Effect, Interval, Sample};
use judge::{asymptotic, bayes, bounded, cuped, events, fixed, multiplicity, quantile, ratio};
use judge::{srm, stage_product};
use serde_json::{Value, json};

#[test]
fn every_oracle_holds() {
    let text = include_str!("../data/oracles.json");
    let oracles: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(oracles.len(), 286);
    let mut wrong = Vec::new();
    for oracle in &oracles {
        let id = oracle["id"].as_str().unwrap();
        let got = compute(id, &Inputs(&oracle["inputs"]));
        let tolerance = oracle["tolerance"].as_f64().unwrap();
        for (name, expected) in oracle["expected"].as_object().unwrap() {
            if !agrees(&got[name], expected, tolerance) {
                wrong.push(format!("{id}: {name} is {}, not {expected}", got[name]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn agrees(got: &Value, expected: &Value, tolerance: f64) -> bool {
    match (got, expected) {
        (Value::Array(got), Value::Array(expected)) => {
            let pairs = got.iter().zip(expected);
            got.len() == expected.len()
                && pairs.fold(true, |ok, (g, e)| ok && agrees(g, e, tolerance))
        }
        (Value::Number(got), Value::Number(expected)) => {
            let (got, expected) = (got.as_f64().unwrap(), expected.as_f64().unwrap());
            (got - expected).abs() <= (tolerance * expected.abs()).max(1e-13)
        }
        _ => got == expected,
    }
}

/// Numbers by name.
struct Inputs<'a>(&'a Value);

impl Inputs<'_> {
    fn get(&self, name: &str) -> f64 {
        let value = &self.0[name];
        value
            .as_f64()
            .unwrap_or_else(|| panic!("{name} in {}", self.0))
    }

    fn or(&self, name: &str, default: f64) -> f64 {
        self.0[name].as_f64().unwrap_or(default)
    }

    fn list(&self, name: &str) -> Vec<f64> {
        numbers(&self.0[name])
    }

    fn design(&self) -> Design {
        Design {
            alpha: self.get("alpha"),
            power: self.or("power", 0.8),
            sides: self.or("sided", 2.0),
        }
    }

    fn proportion(&self, arm: &str) -> fixed::Proportion {
        fixed::Proportion {
            successes: self.get(&format!("x_{arm}")),
            n: self.get(&format!("n_{arm}")),
        }
    }

    fn sample(&self, arm: &str) -> Sample {
        if self.0[format!("x_{arm}")].is_number() {
            return self.proportion(arm).sample();
        }
        Sample {
            n: self.get(&format!("n_{arm}")),
            mean: self.get(&format!("mean_{arm}")),
            variance: self.get(&format!("sd_{arm}")).powi(2),
        }
    }

    fn effect(&self, relative: bool) -> Effect {
        let (a, b) = (self.sample("a"), self.sample("b"));
        effect(&a, &b, relative)
    }

    /// The pattern repeated to n values.
    fn pattern(&self, n: usize) -> Vec<f64> {
        self.list("x_pattern").into_iter().cycle().take(n).collect()
    }

    fn stages(&self) -> Vec<events::EventStage> {
        let stage = |v: &Value| events::EventStage {
            share: v["share"].as_f64().unwrap(),
            treated: v["treated"].as_f64().unwrap(),
            control: v["control"].as_f64().unwrap(),
        };
        self.0["stages"]
            .as_array()
            .unwrap()
            .iter()
            .map(stage)
            .collect()
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    let each = value.as_array().unwrap().iter();
    each.map(|v| v.as_f64().unwrap()).collect()
}

fn effect(a: &Sample, b: &Sample, relative: bool) -> Effect {
    let effect = if relative {
        Effect::relative(a, b)
    } else {
        Effect::difference(a, b)
    };
    effect.unwrap()
}

fn bounds(interval: Interval) -> Value {
    let end = |x: f64| {
        if x.is_finite() {
            json!(x)
        } else {
            json!("inf")
        }
    };
    json!({"lower": end(interval.lower), "upper": end(interval.upper)})
}

fn both(mut a: Value, b: &Value) -> Value {
    let more = b.as_object().unwrap().clone();
    a.as_object_mut().unwrap().extend(more);
    a
}

fn count(n: f64) -> Value {
    json!({"n": n, "n_ceil": n.ceil()})
}

fn welch(effect: &Effect, alpha: f64) -> Value {
    let test = fixed::welch(effect, alpha);
    let more = json!({
        "estimate": effect.estimate, "se": effect.standard_error, "df": effect.degrees_of_freedom,
        "t": test.statistic, "p": test.p,
    });
    both(bounds(test.interval), &more)
}

fn compute(id: &str, i: &Inputs<'_>) -> Value {
    let section = |prefix: &str| id.starts_with(prefix);
    let relative = id.contains("relative");
    if let Some(got) = control::compute(id, i).or_else(|| betting::compute(id, i)) {
        return got;
    }
    if section("power-at") {
        let (p1, p2) = (i.get("p1"), i.get("p2"));
        let (both, right) = power::power_two_proportions(p1, p2, i.get("n"), i.get("alpha"));
        return json!({"power_both_tails": both, "power_upper_tail": right});
    }
    if section("power-ttest") {
        let (d, design) = (i.get("d"), i.design());
        let normal = power::two_means_normal(d, design);
        return json!({"n": power::two_means(d, design), "n_normal_approx": normal});
    }
    if section("seed-margin") {
        let f = if id.ends_with("one-proportion") {
            power::margin_one_proportion
        } else {
            power::margin_difference
        };
        return json!({"n": f(i.get("p"), i.get("half_width"), i.get("alpha"))});
    }
    if section("power-") || section("seed-") || section("asympcs-single-look") {
        return sample_size(id, i);
    }
    if section("prop-") {
        let (a, b, alpha) = (i.proportion("a"), i.proportion("b"), i.get("alpha"));
        let test = fixed::two_proportions(a, b, alpha);
        let interval = match id.split('-').nth(1) {
            Some("newcombe") => test.interval,
            Some("agresti") => fixed::agresti_caffo(a, b, alpha),
            Some("wald") => fixed::wald(a, b, alpha),
            _ => return json!({"z": test.statistic, "p": test.p}),
        };
        return bounds(interval);
    }
    if section("wilson") {
        let proportion = fixed::Proportion {
            successes: i.get("x"),
            n: i.get("n"),
        };
        return bounds(fixed::wilson(proportion, i.get("alpha")));
    }
    if section("ttest-") || section("welch-") {
        return welch(&i.effect(relative), i.get("alpha"));
    }
    if section("rho-") || section("normal-") || section("cs-ci") || section("tensorzero") {
        return boundaries(id, i);
    }
    if section("asympcs-one-sided") {
        let (effect, alpha, n_star) = (i.effect(false), i.get("alpha"), i.get("n_star"));
        let rho = asymptotic::rho_one_sided(alpha, n_star);
        let ln_e = asymptotic::ln_e_one_sided(&effect, 0.0, rho);
        return json!({
            "lower": asymptotic::lower_bound(&effect, alpha, n_star),
            "ln_e": ln_e, "e": ln_e.exp(), "p_from_e": asymptotic::p_of_ln_e(ln_e),
            "p_from_closed_form": asymptotic::p_of_lower_bound(&effect, 0.0, rho),
        });
    }
    if section("asympcs-") {
        let effect = i.effect(relative);
        let s = asymptotic::sequence(&effect, i.get("alpha"), i.get("n_star"));
        let more = json!({
            "estimate": effect.estimate, "se": effect.standard_error, "p": s.p, "ln_e": s.ln_e,
        });
        return both(bounds(s.interval), &more);
    }
    if section("stage-product") {
        return stages(i);
    }
    if section("event-dirichlet") {
        let ln_e = events::ln_e_multinomial(&i.list("counts"), &i.list("theta"), i.get("k"));
        return json!({"ln_e": ln_e, "e": ln_e.exp()});
    }
    if section("event-e") {
        return event(i);
    }
    if section("betting") || section("hedged") || section("predmix") || section("bernoulli") {
        return bounded_means(id, i);
    }
    if section("srm-chi2") {
        let (chi2, p) = srm::chi_square(&i.list("counts"), &i.list("weights"));
        return json!({"chi2": chi2, "p": p});
    }
    if section("srm-sequential") {
        return sequential_srm(i);
    }
    if section("beta-") || section("bayes-") {
        return bayesian(id, i);
    }
    if section("holm") {
        return json!({"adjusted": multiplicity::holm(&i.list("p"))});
    }
    if section("bh") {
        return json!({"adjusted": multiplicity::benjamini_hochberg(&i.list("p"))});
    }
    if section("ebh") {
        let rejections = multiplicity::e_benjamini_hochberg(&i.list("e"), i.get("alpha"));
        return json!({"rejections": rejections});
    }
    if section("quantile") || section("double") || section("empirical") {
        return quantiles(id, i);
    }
    if section("cuped") {
        let arm = |name: &str| {
            let arm = Inputs(&i.0[name]);
            cuped::PairSums {
                n: arm.get("n"),
                sum_y: arm.get("sum_y"),
                sum_yy: arm.get("sum_yy"),
                sum_x: arm.get("sum_x"),
                sum_xx: arm.get("sum_xx"),
                sum_xy: arm.get("sum_xy"),
            }
        };
        let (a, b) = (arm("a"), arm("b"));
        let theta = if id.ends_with("unadjusted") {
            0.0
        } else {
            cuped::theta(&a, &b)
        };
        let (a, b) = cuped::adjust(&a, &b, theta);
        let more = json!({"theta": theta, "variance_a": a.variance, "variance_b": b.variance});
        return both(welch(&effect(&a, &b, false), i.get("alpha")), &more);
    }
    if section("ratio") {
        let arm = |name: &str| {
            let arm = Inputs(&i.0[name]);
            let sums = ratio::RatioSums {
                n: arm.get("n"),
                sum_m: arm.get("sum_m"),
                sum_mm: arm.get("sum_mm"),
                sum_d: arm.get("sum_d"),
                sum_dd: arm.get("sum_dd"),
                sum_md: arm.get("sum_md"),
            };
            sums.sample().unwrap()
        };
        let (a, b) = (arm("a"), arm("b"));
        let more = json!({"unit_variance_a": a.variance, "unit_variance_b": b.variance});
        return both(welch(&effect(&a, &b, relative), i.get("alpha")), &more);
    }
    panic!("no test computes {id}");
}

fn sample_size(id: &str, i: &Inputs<'_>) -> Value {
    let (p1, p2, design) = (i.get("p1"), i.get("p2"), i.design());
    if id.starts_with("power-unpooled") {
        let n = power::two_proportions_unpooled(p1, p2, design);
        assert!((n / power::two_proportions_unequal(p1, p2, 1.0, design) - 1.0).abs() < 1e-12);
        return count(n);
    }
    if id.starts_with("power-cohen") {
        let n = power::two_proportions_cohen(p1, p2, design);
        return json!({"n": n, "h": power::cohen_h(p1, p2)});
    }
    if id.starts_with("power-normalind") {
        return count(power::two_proportions_cohen_both_tails(p1, p2, design));
    }
    let pooled = power::two_proportions_pooled(p1, p2, design);
    if !id.starts_with("asympcs") {
        let unequal = power::two_proportions_pooled_unequal(p1, p2, 1.0, design);
        assert!((pooled / unequal - 1.0).abs() < 1e-12);
        return count(pooled);
    }
    let tightest = i.0["n_star"].as_f64().map_or(Tightest::AtEnd, Tightest::At);
    let variances = (p1 * (1.0 - p1), p2 * (1.0 - p2));
    let n = power::sequential(p2 - p1, variances, 1.0, tightest, design);
    both(count(n), &json!({"ratio_to_pooled": n / pooled}))
}

fn boundaries(id: &str, i: &Inputs<'_>) -> Value {
    let rho_of = |i: &Inputs<'_>| asymptotic::rho(i.get("alpha_opt"), i.get("v_opt"));
    match id {
        "rho-exact-optimum" => {
            json!({"rho2_n_star": asymptotic::optimal_rho_squared_n(i.get("alpha"))})
        }
        "rho-tensorzero" => json!({"rho2_n": asymptotic::martingale_rho_squared_n(i.get("alpha"))}),
        "normal-log-mixture-two-sided" => {
            json!({"ln_e": asymptotic::ln_normal_mixture(i.get("s"), i.get("v"), rho_of(i))})
        }
        _ if id.starts_with("normal-log-mixture") => {
            let rho = asymptotic::rho_one_sided(i.get("alpha_opt"), i.get("v_opt"));
            json!({"ln_e": asymptotic::ln_half_normal_mixture(i.get("s"), i.get("v"), rho)})
        }
        _ if id.starts_with("normal-mixture-bound") => {
            let alpha = i.get("alpha");
            json!({"bound": asymptotic::normal_mixture_bound(i.get("v"), alpha, rho_of(i))})
        }
        _ if id.starts_with("cs-ci") => {
            json!({"ratio": power::width_ratio(i.get("n"), i.get("n_star"), i.get("alpha"))})
        }
        _ if id.starts_with("tensorzero") => {
            let (n, variance) = (i.get("n"), i.get("variance"));
            let margin = asymptotic::martingale_margin(n, variance, i.get("alpha"), i.get("rho2"));
            json!({"margin": margin})
        }
        _ => {
            let (alpha, n_star) = (i.get("alpha"), i.get("n_star"));
            let rho = if i.get("sided") == 1.0 {
                asymptotic::rho_one_sided(alpha, n_star)
            } else {
                asymptotic::rho(alpha, n_star)
            };
            json!({"rho": rho, "rho2_n_star": rho * rho * n_star})
        }
    }
}

fn stages(i: &Inputs<'_>) -> Value {
    let (alpha, margin, n_star) = (i.get("alpha"), i.get("margin"), i.get("n_star"));
    let stage = |v: &Value| Effect {
        n: v["n"].as_f64().unwrap(),
        estimate: v["delta"].as_f64().unwrap(),
        standard_error: v["se"].as_f64().unwrap(),
        degrees_of_freedom: f64::INFINITY,
    };
    let stages: Vec<Effect> = i.0["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(stage)
        .collect();
    let rho = asymptotic::rho_one_sided(alpha, n_star);
    let each: Vec<f64> = stages
        .iter()
        .map(|stage| asymptotic::ln_e_one_sided(stage, margin, rho))
        .collect();
    let ln_e = stage_product::ln_e(&stages, margin, alpha, n_star);
    json!({"ln_e_stages": each, "ln_e": ln_e, "reject": ln_e >= -alpha.ln()})
}

fn event(i: &Inputs<'_>) -> Value {
    let (stages, tau) = (i.stages(), i.get("tau"));
    if i.0["r0"].is_number() {
        let ln_e = events::ln_e_one_sided(&stages, i.get("r0"), tau);
        return json!({"ln_e": ln_e, "e": ln_e.exp()});
    }
    let mut got = json!({});
    for (name, r0) in [("1", 1.0), ("1.1", 1.1), ("1.25", 1.25)] {
        let ln_e = events::ln_e_one_sided(&stages, r0, tau);
        got[format!("ln_e_one_sided_r0_{name}")] = json!(ln_e);
        got[format!("e_one_sided_r0_{name}")] = json!(ln_e.exp());
    }
    let ln_e = events::ln_e_two_sided(&stages, 1.0, tau);
    got["ln_e_two_sided_r0_1"] = json!(ln_e);
    got["e_two_sided_r0_1"] = json!(ln_e.exp());
    let interval = bounds(events::rate_ratio(&stages, i.get("alpha"), tau));
    got["cs_lower"] = interval["lower"].clone();
    got["cs_upper"] = interval["upper"].clone();
    got
}

fn bounded_means(id: &str, i: &Inputs<'_>) -> Value {
    let alpha = i.get("alpha");
    if id.starts_with("bernoulli") {
        let interval = bounded::bernoulli(i.get("x"), i.get("n"), alpha, i.get("t_opt"));
        let k = bounded::bernoulli_concentration(i.get("t_opt"));
        return both(bounds(interval), &json!({"k": k}));
    }
    if id == "betting-lambdas" {
        return json!({"lambdas": bounded::bets(&i.pattern(10), alpha)});
    }
    let values = i.pattern(i.get("n") as usize);
    if id.starts_with("hedged-capital") {
        return json!({"ln_k": bounded::ln_hedged_capital(&values, i.get("m"), alpha)});
    }
    if id.starts_with("predmix-eb") {
        return bounds(bounded::empirical_bernstein(&values, alpha));
    }
    if id.starts_with("predmix-hoeffding") {
        return bounds(bounded::hoeffding(&values, alpha));
    }
    let exact = bounded::hedged(&values, alpha);
    let grid = |n: usize| {
        let inside = |m: &u32| {
            let m = f64::from(*m) / 1000.0;
            bounded::ln_hedged_capital(&values[..n], m, alpha) < -alpha.ln()
        };
        let lower = (1..1000).find(inside).unwrap();
        (lower, (1..1000).rev().find(inside).unwrap())
    };
    let (lower, upper) = grid(values.len());
    let looks = (1..=values.len()).map(grid);
    let running = looks.fold((0, 1000), |(a, b), (lower, upper)| {
        (a.max(lower), b.min(upper))
    });
    let cell = |at: u32| f64::from(at) / 1000.0;
    json!({
        "exact_lower": exact.lower, "exact_upper": exact.upper,
        "grid_lower": cell(lower - 1), "grid_upper": cell(upper + 1),
        "grid_running_lower": cell(running.0 - 1), "grid_running_upper": cell(running.1 + 1),
    })
}

fn sequential_srm(i: &Inputs<'_>) -> Value {
    let k = i.get("k");
    let epoch = |counts: &Value, shares: &Value| srm::Allocation {
        counts: numbers(counts),
        shares: numbers(shares),
    };
    if let Some(epochs) = i.0["epochs"].as_array() {
        let epochs: Vec<_> = epochs
            .iter()
            .map(|e| epoch(&e["counts"], &e["theta"]))
            .collect();
        let alone = |e: &srm::Allocation| srm::ln_e_sequential(std::slice::from_ref(e), k);
        let each: Vec<f64> = epochs.iter().map(alone).collect();
        return json!({"ln_e_epochs": each, "ln_e": srm::ln_e_sequential(&epochs, k)});
    }
    let ln_e = srm::ln_e_sequential(&[epoch(&i.0["counts"], &i.0["theta"])], k);
    json!({"ln_e": ln_e, "inverse_e": (-ln_e).exp(), "p": asymptotic::p_of_ln_e(ln_e)})
}

fn bayesian(id: &str, i: &Inputs<'_>) -> Value {
    if id.starts_with("beta-") {
        let arm = |name| (i.proportion(name).successes, i.proportion(name).n);
        let got = bayes::beta_binomial(arm("a"), arm("b"));
        return json!({
            "p_b_beats_a": got.chance_to_win, "loss_b": got.loss_candidate, "loss_a": got.loss_control,
        });
    }
    let prior = match id {
        "bayes-normal-proper-relative" => bayes::NormalPrior::RELATIVE,
        "bayes-normal-proper-absolute" => bayes::NormalPrior::RELATIVE.scaled(i.sample("a").mean),
        _ => bayes::NormalPrior::FLAT,
    };
    let effect = i.effect(id.ends_with("relative"));
    let got = bayes::normal(&effect, prior, i.get("alpha"));
    let more = json!({
        "chance_to_win": got.posterior.chance_to_win, "mean": got.mean, "sd": got.deviation,
        "loss_a": got.posterior.loss_control, "loss_b": got.posterior.loss_candidate,
    });
    both(bounds(got.interval), &more)
}

fn quantiles(id: &str, i: &Inputs<'_>) -> Value {
    if id.starts_with("quantile-p95") {
        let (n, nu, alpha) = (i.get("n"), i.get("nu"), i.get("alpha"));
        let arm = |name: &str| {
            let [value, lower, upper] = i.list(name)[..] else {
                panic!("three values")
            };
            let quantile = quantile::Quantile {
                n,
                value,
                lower,
                upper,
            };
            if id.ends_with("plain") {
                quantile.sample(nu, alpha).unwrap()
            } else {
                quantile.sample_with_correction(nu, alpha).unwrap()
            }
        };
        return welch(&effect(&arm("a"), &arm("b"), false), alpha);
    }
    if id.starts_with("quantile-ranks") {
        let (lower, upper) = quantile::rank_bounds(i.get("n"), i.get("nu"), i.get("alpha"));
        return json!({"lower": lower, "upper": upper});
    }
    if id.starts_with("quantile-min-n") {
        let bound = quantile::min_n(i.get("nu"), i.get("alpha"));
        return json!({"bound": bound, "n_min": bound.floor() + 1.0});
    }
    if id.starts_with("double") {
        let shape = quantile::Stitching {
            t_opt: i.get("t_opt"),
            delta: i.get("delta"),
            s: i.get("s"),
            eta: i.get("eta"),
        };
        let (p, t) = (i.get("quantile_p"), i.get("t"));
        return json!({"bound": quantile::double_stitching_bound(p, t, i.get("alpha"), shape)});
    }
    if id.starts_with("empirical") {
        let (t, alpha, t_min, a) = (i.get("t"), i.get("alpha"), i.get("t_min"), i.get("A"));
        let c = quantile::empirical_process_constant(alpha, a);
        return json!({"bound": quantile::empirical_process_bound(t, alpha, t_min, a), "C": c});
    }
    let n = i.get("n");
    let grid = |scale: f64| -> Vec<f64> {
        let at = |index: u32| -scale * (1.0 - (f64::from(index) + 0.5) / n).ln();
        (0..n as u32).map(at).collect()
    };
    let (a, b) = (grid(i.get("scale_a")), grid(i.get("scale_b")));
    let p = quantile::p_value_of_two_samples(&a, &b, i.get("quantile"), i.get("t_opt"));
    json!({"p": p})
}
