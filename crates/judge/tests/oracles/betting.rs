//! Bets against "the candidate is no worse", and what stands on them.

use super::{Inputs, bounds, numbers};
use judge::betting::{Bet, Harm, Scale, Tolerance, Winnings};
use judge::burst::{Minute, kept};
use judge::claim::{self, EpochSums};
use judge::drift::{Day, Drift};
use serde_json::{Value, json};

pub(super) fn compute(id: &str, i: &Inputs<'_>) -> Option<Value> {
    Some(match id {
        "burst-1" => burst(i),
        "drift-1" => drift(i),
        "bets-11" => coins(i),
        "bets-12" => {
            let (more, less) = (of(i, Harm::More), of(i, Harm::Less));
            let average = 0.5 * (more.ln_e().exp() + less.ln_e().exp());
            json!({"ln_e_more": more.ln_e(), "ln_e_less": less.ln_e(), "ln_e_average": average.ln()})
        }
        "bets-16" => {
            let epochs = sums(i);
            let line = (2.0 / i.get("alpha")).ln();
            let of = |theta: f64| {
                let (above, below) = claim::Beside::of(&epochs).ln_e(theta);
                above.max(below)
            };
            bounds(claim::interval(&epochs, claim::estimate(&epochs), line, of).unwrap())
        }
        "bets-18" => scale(i),
        "bets-19" => {
            let ln_e = claim::ln_e(&of(i, Harm::More), &of(i, Harm::Less), i.get("ln_a"));
            json!({"ln_e": ln_e})
        }
        _ if id.starts_with("bets-") => json!({"ln_e": of(i, harm(i)).ln_e()}),
        _ => return None,
    })
}

fn harm(i: &Inputs<'_>) -> Harm {
    match i.0["harm"].as_str().unwrap() {
        "more" => Harm::More,
        _ => Harm::Less,
    }
}

fn bet(i: &Inputs<'_>, harm: Harm, share: f64, centre: f64) -> Bet {
    Bet {
        harm,
        tolerance: Tolerance::Ratio(i.or("r0", 1.0)),
        share,
        centre,
    }
}

/// What all epochs have won: from counts, or from values on a scale.
fn of(i: &Inputs<'_>, harm: Harm) -> Winnings {
    let mut all = Winnings::default();
    for epoch in i.0["epochs"].as_array().unwrap() {
        let number = |name: &str| epoch[name].as_f64().unwrap();
        let bet = bet(i, harm, number("e"), number("m"));
        for (arm, candidate) in [("candidate", true), ("control", false)] {
            let arm = &epoch[arm];
            if let Some(events) = arm["events"].as_f64() {
                let units = arm["n"].as_f64().unwrap();
                all.add(&Winnings::of_counts(&bet, candidate, events, units));
                continue;
            }
            let scale = Scale {
                floor: number("floor"),
                cap: number("cap"),
                centre: number("m"),
                line: None,
            };
            for value in numbers(&arm["values"]) {
                all.add(&Winnings::of(&bet, candidate, scale.number(value)));
            }
        }
    }
    all
}

fn coins(i: &Inputs<'_>) -> Value {
    let mut all = Winnings::default();
    for coin in i.0["coins"].as_array().unwrap() {
        let [share, arm, g] = <[f64; 3]>::try_from(numbers(coin)).unwrap();
        let bet = bet(i, harm(i), share, i.get("m"));
        all.add(&Winnings::of(&bet, arm == 1.0, g));
    }
    json!({"ln_e": all.ln_e()})
}

fn sums(i: &Inputs<'_>) -> Vec<EpochSums> {
    let epochs = i.0["epochs"].as_array().unwrap().iter();
    let of = |epoch: &Value| {
        let number = |name: &str| epoch[name].as_f64().unwrap();
        let arm = |name: &str| {
            let arm = &epoch[name];
            (arm["events"].as_f64().unwrap(), arm["n"].as_f64().unwrap())
        };
        EpochSums::of_counts(number("e"), number("m"), arm("control"), arm("candidate"))
    };
    epochs.map(of).collect()
}

fn scale(i: &Inputs<'_>) -> Value {
    let mut values = i.list("non_zero");
    values.resize(values.len() + i.get("zeros") as usize, 0.0);
    let beyond = (100.0 * (1.0 - i.get("quantile"))).round() as usize;
    let scale = Scale::of(&values, beyond, false).unwrap();
    json!({"floor": scale.floor, "cap": scale.cap, "m": scale.centre})
}

fn burst(i: &Inputs<'_>) -> Value {
    let minutes = i.0["minutes"].as_array().unwrap().iter();
    let minutes: Vec<Minute> = minutes
        .map(|minute| {
            let [share, candidate, candidate_events, control, control_events] =
                <[f64; 5]>::try_from(numbers(minute)).unwrap();
            Minute {
                share,
                candidate,
                candidate_events,
                control,
                control_events,
            }
        })
        .collect();
    let kept = kept(&minutes);
    let of_step = |share: f64| -> f64 {
        let each = minutes.iter().zip(&kept);
        each.filter(|(minute, _)| minute.share == share)
            .map(|(_, kept)| kept)
            .sum()
    };
    json!({"kept_by_minute": kept, "kept_by_step": [of_step(0.05), of_step(0.25)]})
}

fn drift(i: &Inputs<'_>) -> Value {
    let days = i.0["days"].as_array().unwrap().iter();
    let days: Vec<Day> = days
        .map(|day| {
            let [difference, variance] = <[f64; 2]>::try_from(numbers(day)).unwrap();
            Day {
                difference,
                variance,
            }
        })
        .collect();
    let mut drift = Drift::default();
    let steps: Vec<f64> = days.iter().filter_map(|day| drift.push(*day)).collect();
    json!({"w": steps, "e1": drift.trend(), "e2": drift.swing(), "e": drift.e()})
}
