//! The frozen vectors, and what must hold for every split.

use super::*;
use crate::hash_parts;
use proptest::prelude::*;
use serde_json::Value;
use types::{ModelId, ModelName, TrafficVersion, VersionKey, VersionName};

const UNITS: usize = 200_000;

fn traffic(weights: &[f64]) -> ModelTraffic {
    let versions = weights
        .iter()
        .enumerate()
        .map(|(index, &weight)| TrafficVersion {
            key: VersionKey(index as i64),
            model_id: ModelId::from_bits(index as u64 + 1),
            version: VersionName::parse(&format!("{index}.0")).unwrap(),
            status: VersionStatus::Active,
            weight: Percent::new(weight).unwrap(),
            shadow: Percent::ZERO,
        });
    ModelTraffic {
        name: ModelName::parse("m").unwrap(),
        revision: 1,
        epoch: 7,
        salt: "salt".into(),
        fallback: true,
        versions: versions.collect(),
        rules: Vec::new(),
        experiment: None,
    }
}

/// The first two versions in an experiment over a share of the units.
fn experiment(shares: [f64; 2], enrolment: f64) -> Routes {
    let running = RunningExperiment {
        key: ExperimentKey(3),
        id: ExperimentId::from_bits(3),
        salt: "trial".into(),
        enrolment,
        audience: None,
        shares: vec![(VersionKey(0), shares[0]), (VersionKey(1), shares[1])],
    };
    Routes::new(ModelTraffic {
        experiment: Some(running),
        ..traffic(&[50.0, 25.0, 25.0])
    })
}

#[test]
fn an_experiment_enrols_its_share_and_splits_it_independently() {
    let routes = experiment([0.8, 0.2], 0.3);
    let mut counts = [0.0; 3];
    for unit in 0..UNITS {
        let by_unit = routes
            .assign(
                None,
                Some(&format!("user-{unit}")),
                &Attributes::default(),
                0,
            )
            .unwrap();
        let drawn = routes.assign(
            None,
            None,
            &Attributes::default(),
            (unit as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        );
        for got in [by_unit, drawn.unwrap()] {
            match got.reason {
                Reason::Experiment => {
                    assert_eq!(got.propensity, [0.8, 0.2][got.version]);
                    assert!(got.experiment.is_some());
                    counts[got.version] += 1.0;
                }
                reason => {
                    assert_eq!(
                        (reason, got.version, got.propensity),
                        (Reason::Weights, 0, 1.0)
                    );
                    assert_eq!(got.experiment, None);
                    counts[2] += 1.0;
                }
            }
        }
    }
    let total = 2.0 * UNITS as f64;
    for (got, want) in counts.iter().zip([0.24, 0.06, 0.7]) {
        // Five standard errors.
        let error = (want * (1.0 - want) / total).sqrt();
        assert!((got / total - want).abs() < 5.0 * error, "{counts:?}");
    }
}

#[test]
fn enrolling_more_never_swaps_the_arms_of_a_unit() {
    let (few, many) = (experiment([0.5, 0.5], 0.1), experiment([0.5, 0.5], 0.6));
    for unit in 0..20_000 {
        let unit = format!("user-{unit}");
        let before = few
            .assign(None, Some(&unit), &Attributes::default(), 0)
            .unwrap();
        let after = many
            .assign(None, Some(&unit), &Attributes::default(), 0)
            .unwrap();
        if before.experiment.is_some() {
            assert_eq!(before, after);
        }
    }
}

#[test]
fn a_pin_takes_no_part_in_an_experiment() {
    let routes = experiment([0.5, 0.5], 1.0);
    let got = routes
        .assign(Some("1.0"), Some("user"), &Attributes::default(), 0)
        .unwrap();
    assert_eq!((got.reason, got.experiment), (Reason::Pinned, None));
    let got = routes
        .assign(None, Some("user"), &Attributes::default(), 0)
        .unwrap();
    assert_eq!(got.reason, Reason::Experiment);
}

fn routes(weights: &[f64]) -> Routes {
    Routes::new(traffic(weights))
}

fn by_unit(routes: &Routes) -> Vec<usize> {
    let assign = |unit| {
        routes
            .assign(
                None,
                Some(&format!("user-{unit}")),
                &Attributes::default(),
                0,
            )
            .unwrap()
            .version
    };
    (0..UNITS).map(assign).collect()
}

/// The statistic of Pearson's test of counts against the split of the weights.
fn chi_square(chosen: &[usize], weights: &[f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    let cells = weights.iter().enumerate().map(|(index, weight)| {
        let got = chosen.iter().filter(|&&v| v == index).count() as f64;
        let want = weight / total * chosen.len() as f64;
        (got - want).powi(2) / want
    });
    cells.sum()
}

fn vectors(prefix: &str) -> Vec<Value> {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../../vectors/bucketing.json")).unwrap();
    let of = |v: &Value| v["id"].as_str().unwrap().starts_with(prefix);
    let chosen: Vec<Value> = all.into_iter().filter(of).collect();
    assert!(!chosen.is_empty(), "no vectors begin with {prefix}");
    chosen
}

#[test]
fn hashes_equal_the_frozen_vectors() {
    for v in vectors("hash-") {
        let h = match v["inputs"]["parts"].as_array() {
            Some(parts) => {
                let parts: Vec<&str> = parts.iter().map(|p| p.as_str().unwrap()).collect();
                let h = hash_parts(&parts);
                assert_eq!(v["expected"]["h"], h.to_string(), "{v}");
                h
            }
            None => v["inputs"]["h"].as_str().unwrap().parse().unwrap(),
        };
        assert_eq!(
            unit_interval(h),
            v["expected"]["u"].as_f64().unwrap(),
            "{v}"
        );
    }
}

#[test]
fn rendezvous_equals_the_frozen_vectors() {
    for v in vectors("rendezvous-") {
        let (salt, unit) = (
            v["inputs"]["salt"].as_str().unwrap(),
            v["inputs"]["unit"].as_str().unwrap(),
        );
        let mut best = ("", f64::INFINITY);
        for (key, weight) in v["inputs"]["arms"].as_object().unwrap() {
            let got = score(&arm_prefix(salt, key), unit, weight.as_f64().unwrap());
            let scores = &v["expected"]["scores"][key];
            let flat = &v["expected"][format!("score_{key}")];
            let want = scores.as_f64().or(flat.as_f64()).unwrap();
            assert!((got - want).abs() <= 1e-12 * want, "{key}: {got} in {v}");
            if got < best.1 {
                best = (key, got);
            }
        }
        assert_eq!(v["expected"]["arm"], best.0, "{v}");
    }
}

#[test]
fn changes_move_the_share_of_units_that_the_formula_gives() {
    for v in vectors("moved-") {
        let weights = |key: &str| -> Vec<f64> {
            v["inputs"][key]
                .as_array()
                .unwrap()
                .iter()
                .map(|w| w.as_f64().unwrap())
                .collect()
        };
        let (before, after) = (weights("before"), weights("after"));
        let (old, new) = (by_unit(&routes(&before)), by_unit(&routes(&after)));
        let moved = old.iter().zip(&new).filter(|(a, b)| a != b).count() as f64 / UNITS as f64;
        let want = v["expected"]["rendezvous"].as_f64().unwrap();
        assert!((moved - want).abs() <= 0.005, "{moved} moved in {v}");
        for (&a, &b) in old.iter().zip(&new).filter(|(a, b)| a != b) {
            let ratio_moves = before[a] * after[b] != before[b] * after[a];
            assert!(ratio_moves, "a unit moved from {a} to {b} in {v}");
        }
    }
}

#[test]
fn removing_a_version_moves_only_its_units() {
    let (old, new) = (
        by_unit(&routes(&[20.0, 30.0, 50.0])),
        by_unit(&routes(&[20.0, 0.0, 50.0])),
    );
    for (a, b) in old.into_iter().zip(new) {
        assert!(a == b || a == 1, "a unit of version {a} moved to {b}");
    }
}

#[test]
fn the_split_matches_the_weights() {
    // Upper 0.1 % point of chi-square with 3 degrees of freedom; the seed is fixed.
    const LIMIT: f64 = 16.27;
    let weights = [40.0, 30.0, 20.0, 10.0];
    let routes = routes(&weights);
    let units = chi_square(&by_unit(&routes), &weights);
    assert!(units < LIMIT, "by unit: {units}");
    let mut random = fastrand::Rng::with_seed(1);
    let draw = |_| {
        routes
            .assign(None, None, &Attributes::default(), random.u64(..))
            .unwrap()
            .version
    };
    let drawn: Vec<usize> = (0..UNITS).map(draw).collect();
    let drawn = chi_square(&drawn, &weights);
    assert!(drawn < LIMIT, "without unit: {drawn}");
}

#[test]
fn pins_reach_active_and_testing_versions_only() {
    let mut traffic = traffic(&[100.0, 0.0, 0.0]);
    traffic.versions[1].status = VersionStatus::Testing;
    traffic.versions[2].status = VersionStatus::Deprecated;
    let routes = Routes::new(traffic);
    let pin = |version| routes.assign(Some(version), Some("u"), &Attributes::default(), 0);
    let assignment = pin("1.0").unwrap();
    assert_eq!(
        (assignment.version, assignment.reason, assignment.propensity),
        (1, Reason::Pinned, 1.0)
    );
    assert!(routes.fallbacks(&assignment, "u").is_empty());
    assert_eq!(pin("2.0"), Err(NoVersion::NotAnswering));
    assert_eq!(pin("9.9"), Err(NoVersion::NotAnswering));
}

#[test]
fn nothing_active_is_said() {
    assert_eq!(
        routes(&[]).assign(None, None, &Attributes::default(), 1),
        Err(NoVersion::NoneActive)
    );
    assert_eq!(
        routes(&[0.0]).assign(None, Some("u"), &Attributes::default(), 1),
        Err(NoVersion::NoneActive)
    );
}

proptest! {
    #[test]
    fn assignments_are_sound(
        weights in prop::collection::vec(prop_oneof![Just(0.0), 0.01..100.0f64], 1..20),
        unit in ".{0,20}",
        random: u64,
    ) {
        let routes = routes(&weights);
        prop_assume!(routes.is_active());
        let total: f64 = routes.arms.iter().map(|arm| arm.propensity).sum();
        prop_assert!((total - 1.0).abs() < 1e-12, "propensities sum to {total}");
        for unit in [Some(unit.as_str()), None] {
            let a = routes.assign(None, unit, &Attributes::default(), random).unwrap();
            prop_assert_eq!(Ok(a), routes.assign(None, unit, &Attributes::default(), random));
            prop_assert!(weights[a.version] > 0.0);
            prop_assert!((a.propensity - weights[a.version] / weights.iter().sum::<f64>()).abs() < 1e-12);
        }
        let a = routes.assign(None, Some(&unit), &Attributes::default(), random).unwrap();
        let mut all = routes.fallbacks(&a, &unit);
        prop_assert!(!all.contains(&a.version));
        // The first fallback is who would be chosen without the failed version.
        if let Some(&next) = all.first().filter(|&&next| weights[next] > 0.0) {
            let mut without = weights.clone();
            without[a.version] = 0.0;
            prop_assert_eq!(super::tests::routes(&without).assign(None, Some(&unit), &Attributes::default(), 0).unwrap().version, next);
        }
        // Those without a weight answer when no other does.
        let weighted = all.iter().take_while(|&&version| weights[version] > 0.0).count();
        prop_assert!(all[weighted..].iter().all(|&version| weights[version] == 0.0));
        all.push(a.version);
        all.sort_unstable();
        prop_assert_eq!(all, (0..weights.len()).collect::<Vec<_>>());
    }
}

fn who(json: &str) -> Attributes {
    serde_json::from_str(json).unwrap()
}

fn when(condition: &str) -> Condition {
    Condition::parse(condition).unwrap()
}

#[test]
fn outside_the_audience_everybody_gets_the_control_and_is_not_counted() {
    let mut traffic = traffic(&[50.0, 50.0]);
    traffic.experiment = Some(RunningExperiment {
        key: ExperimentKey(3),
        id: ExperimentId::from_bits(3),
        salt: "trial".into(),
        enrolment: 1.0,
        audience: Some(when("country in [DE, AT]")),
        shares: vec![(VersionKey(0), 0.5), (VersionKey(1), 0.5)],
    });
    let routes = Routes::new(traffic);
    let mut candidates = 0;
    for unit in 0..1000u64 {
        let name = format!("user-{unit}");
        for unit_id in [Some(name.as_str()), None] {
            for outside in [r#"{"country": "FR"}"#, r#"{"country": 3}"#, "{}"] {
                let got = routes
                    .assign(
                        None,
                        unit_id,
                        &who(outside),
                        unit.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                    )
                    .unwrap();
                assert_eq!(
                    (got.version, got.propensity, got.experiment),
                    (0, 1.0, None)
                );
                assert_eq!(got.reason, Reason::Weights);
            }
            let german = who(r#"{"country": "DE"}"#);
            let got = routes
                .assign(
                    None,
                    unit_id,
                    &german,
                    unit.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                )
                .unwrap();
            assert_eq!((got.reason, got.propensity), (Reason::Experiment, 0.5));
            candidates += got.version;
        }
    }
    assert!((900..1100).contains(&candidates), "{candidates}");
}

#[test]
fn the_first_rule_that_is_met_comes_before_the_experiment_and_after_a_pin() {
    let rule = |condition: &str, version: &str| types::Rule {
        when: when(condition),
        version: VersionName::parse(version).unwrap(),
    };
    let mut traffic = traffic(&[50.0, 50.0, 0.0]);
    traffic.experiment = experiment([0.5, 0.5], 1.0).traffic().experiment.clone();
    traffic.versions[1].status = VersionStatus::Inactive;
    traffic.versions[2].status = VersionStatus::Testing;
    traffic.rules = vec![
        rule("beta = true and version(app) < 2", "1.0"),
        rule("beta = true", "2.0"),
    ];
    let routes = Routes::new(traffic);
    // The first rule rests: its version answers nothing.
    for beta in [r#"{"beta": true, "app": "1.9"}"#, r#"{"beta": true}"#] {
        let got = routes.assign(None, Some("u"), &who(beta), 0).unwrap();
        assert_eq!((got.version, got.propensity), (2, 1.0));
        assert_eq!((got.reason, got.experiment), (Reason::Rule, None));
    }
    let others = routes.assign(None, Some("u"), &who("{}"), 0).unwrap();
    assert_eq!(others.reason, Reason::Experiment);
    let pinned = routes.assign(Some("0.0"), Some("u"), &who(r#"{"beta": true}"#), 0);
    assert_eq!(pinned.unwrap().reason, Reason::Pinned);
}

#[test]
fn copies_go_by_their_shares_whoever_answers() {
    let mut shared = traffic(&[50.0, 50.0, 0.0, 0.0]);
    for (at, share) in [(1, 20.0), (2, 50.0), (3, 100.0)] {
        shared.versions[at].shadow = Percent::new(share).unwrap();
    }
    shared.versions[2].status = VersionStatus::Testing;
    shared.versions[3].status = VersionStatus::Inactive;
    let routes = Routes::new(shared);
    assert!(routes.has_shadows() && !Routes::new(traffic(&[50.0])).has_shadows());
    let (mut counts, mut together) = ([0u32; 4], 0);
    let mut random = 1u64;
    for _ in 0..100_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let copies: Vec<usize> = routes.shadows(0, random).collect();
        copies.iter().for_each(|at| counts[*at] += 1);
        together += u32::from(copies.len() == 2);
        // Nobody gets a copy of what it has answered.
        assert!(routes.shadows(1, random).all(|at| at == 2));
    }
    let share = |count: u32| f64::from(count) / 100_000.0;
    assert_eq!((counts[0], counts[3]), (0, 0));
    assert!((share(counts[1]) - 0.2).abs() < 0.005, "{counts:?}");
    assert!((share(counts[2]) - 0.5).abs() < 0.006, "{counts:?}");
    assert!((share(together) - 0.1).abs() < 0.004, "{together}");
}
