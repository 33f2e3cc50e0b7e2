//! Bandits, inference after them, other policies, and the controller.

use super::{Inputs, numbers};
use judge::off_policy::Row;
use judge::thompson::{self, Posterior};
use judge::{Sample, adaptive, bandit, off_policy, power};
use serde_json::{Value, json};
use types::{LoggedGroup, Reason, VersionKey};

pub(crate) fn compute(id: &str, i: &Inputs<'_>) -> Option<Value> {
    let section = |prefix: &str| id.starts_with(prefix);
    Some(if section("ts-") {
        json!({"weights": thompson::weights(&posteriors(i))})
    } else if section("floor-") {
        json!({"p": bandit::with_floor(&i.list("weights"), i.get("floor"))})
    } else if section("top-two") {
        json!({"p": bandit::top_two(&i.list("weights"), i.get("beta"))})
    } else if section("ucb1") || section("kl-ucb") {
        index(id, i)
    } else if section("track-and-stop") || section("neyman") {
        let (means, variances) = (i.list("means"), i.list("variances"));
        let got = bandit::optimal_proportions(&means, &variances, i.or("epsilon", 0.0)).unwrap();
        json!({"weights": got.weights, "t_star": got.t_star})
    } else if section("stop-threshold") {
        json!({"threshold": bandit::stopping_threshold(i.get("t"), i.get("delta"))})
    } else if section("stop-glr") {
        let (x, n) = (i.list("x"), i.list("n"));
        let arms: Vec<Sample> = x
            .iter()
            .zip(&n)
            .map(|(x, n)| Sample::proportion(*x, *n))
            .collect();
        let got = bandit::stopping(&arms, i.get("epsilon"), i.get("delta")).unwrap();
        json!({
            "leader": got.leader, "z_0": got.z[0], "z_2": got.z[2], "threshold": got.threshold,
            "stop": got.is_decided(),
        })
    } else if section("delay-bias") {
        let (rate, units) = (i.get("p"), i.get("units_per_window"));
        let successes =
            bandit::early_successes(rate, units, i.get("delay_mean_windows"), i.get("t_windows"));
        json!({"successes": successes, "posterior_mean": (1.0 + successes) / (2.0 + successes)})
    } else if section("aipw") || section("two-point") || section("adaptive") {
        after_adaptation(id, i)
    } else if section("ope-") {
        other_policies(id, i)
    } else if section("treated-units") {
        let share = i.get("share");
        let (p0, p1) = (i.get("p0"), i.get("p1"));
        let treated = power::two_proportions_unequal(p0, p1, share / (1.0 - share), i.design());
        json!({"n_treated": treated, "n_treated_ceil": treated.ceil()})
    } else if section("one-percent-check") {
        let got = power::threshold_alarm(i.get("n"), i.get("p"), i.get("threshold"));
        json!({"probability": got})
    } else {
        return None;
    })
}

fn posteriors(i: &Inputs<'_>) -> Vec<Posterior> {
    if let Some(arms) = i.0["arms"].as_array() {
        let number = |arm: &Value, name: &str| arm[name].as_f64().unwrap();
        let beta = |arm| Posterior::Beta {
            alpha: number(arm, "alpha"),
            beta: number(arm, "beta"),
        };
        return arms.iter().map(beta).collect();
    }
    let pairs = i.list("means").into_iter().zip(i.list("sds"));
    pairs
        .map(|(mean, deviation)| Posterior::Normal { mean, deviation })
        .collect()
}

fn index(id: &str, i: &Inputs<'_>) -> Value {
    let (n, t) = (i.get("n"), i.get("t"));
    let mean = i.get("x") / n;
    if id.starts_with("kl-ucb") {
        return json!({"index": bandit::kl_ucb(mean, n, t, i.get("c"))});
    }
    if id.starts_with("ucb1-tuned") {
        let variance = mean * (1.0 - mean);
        let index = bandit::ucb1_tuned(mean, variance, n, t);
        let clamped = (index - mean - (0.25 * t.ln() / n).sqrt()).abs() < 1e-12;
        return json!({"index": index, "clamped": clamped});
    }
    json!({"index": bandit::ucb1(mean, n, t)})
}

fn after_adaptation(id: &str, i: &Inputs<'_>) -> Value {
    let rows = i.0["propensities"].as_array().unwrap();
    let propensities: Vec<Vec<f64>> = rows.iter().map(numbers).collect();
    if id == "two-point-weights" {
        let (horizon, decay) = (propensities.len() as f64, i.get("decay"));
        let lambda = |(t, row): (usize, &Vec<f64>)| -> Vec<f64> {
            let at = |e: &f64| adaptive::two_point_lambda(t as f64 + 1.0, horizon, *e, decay);
            row.iter().map(at).collect()
        };
        let lambdas: Vec<Vec<f64>> = propensities.iter().enumerate().map(lambda).collect();
        return json!({
            "lambdas": lambdas, "h": adaptive::two_point_weights(&propensities, decay),
        });
    }
    let (rewards, arms) = (i.list("rewards"), i.list("arms"));
    let arms: Vec<usize> = arms.iter().map(|arm| *arm as usize).collect();
    let choices = adaptive::Choices {
        rewards: &rewards,
        arms: &arms,
        propensities: &propensities,
    };
    let scores = choices.scores();
    if id == "aipw-scores" {
        return json!({"scores": scores, "mu_hat": choices.lagged_means()});
    }
    let weights = match i.0["weights"].as_str().unwrap() {
        "uniform" => vec![vec![1.0; 2]; scores.len()],
        "sqrt-e" => adaptive::constant_allocation_weights(&propensities),
        "two-point" => adaptive::two_point_weights(&propensities, i.get("decay")),
        other => panic!("no weights are called {other}"),
    };
    let got = adaptive::estimate(&scores, &weights);
    json!({
        "contrast": got.means[1] - got.means[0],
        "contrast_se": adaptive::contrast_error(&scores, &weights, &got, (0, 1)),
        "estimates": got.means,
        "se": got.errors,
    })
}

fn other_policies(id: &str, i: &Inputs<'_>) -> Value {
    let (policy, q) = (i.list("policy"), i.list("q_hat"));
    let policy_value = policy.iter().zip(&q).map(|(p, q)| p * q).sum();
    let (actions, rewards) = (i.list("actions"), i.list("rewards"));
    let propensities = i.list("propensities");
    let row = |at: usize| {
        let action = actions[at] as usize;
        let group = LoggedGroup {
            period: 0,
            epoch: 0,
            reason: Reason::Weights,
            version: VersionKey(action as i64),
            propensity: propensities[at],
            part: at as u32,
            n: 1,
            sum: rewards[at],
            sum_squares: rewards[at] * rewards[at],
        };
        Row::of(&group, policy[action], q[action], policy_value)
    };
    let rows: Vec<Row> = (0..actions.len()).map(row).collect();
    let got = off_policy::estimate(&rows).unwrap();
    match id {
        "ope-weights" => json!({"weights": rows.iter().map(|row| row.weight).collect::<Vec<_>>()}),
        "ope-ips" => json!({"value": got.ips}),
        "ope-snips" => json!({"value": got.snips}),
        "ope-dm" => json!({"value": got.direct}),
        "ope-dr" => json!({"value": got.doubly_robust}),
        "ope-sndr" => json!({"value": got.self_normalised_doubly_robust}),
        "ope-switch-dr" => json!({"value": off_policy::switch(&rows, i.get("switch"))}),
        "ope-dros" => json!({"value": off_policy::shrunk(&rows, i.get("shrinkage"))}),
        "ope-ess" => json!({"ess": got.effective_sample_size}),
        "ope-ips-se" => json!({"se": got.ips_error}),
        _ => json!({"value": off_policy::clipped(&rows, i.get("clip"))}),
    }
}
