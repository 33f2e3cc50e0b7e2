//! The table of the documentation: every method where it is meant to be used, and what people do
//! instead beside it.

use crate::method::Method;
use crate::world::Design;

/// One row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// What is shown.
    pub title: &'static str,
    /// Whether the assumptions of the method hold, so that its false alarms are bounded.
    pub holds: bool,
    /// What is played.
    pub design: Design,
}

/// A/A experiments only: no arm differs, so every claim is a false alarm.
pub fn table(seed: u64) -> Vec<Cell> {
    let steady = "constant weights";
    let ramp = "weights 5 → 25 → 50 %, base rate × 1.5 half-way";
    let users = "users with 1 to 5 events each";
    let mut cells = Vec::new();
    let mut add = |title, holds, method, base, change: fn(Design) -> Design| {
        let design = Design {
            method,
            base,
            runs: 10_000,
            seed,
            ..Design::default()
        };
        cells.push(Cell {
            title,
            holds,
            design: change(design),
        });
    };
    let clustered = |design| Design {
        events: 5,
        runs: 2000,
        ..design
    };
    let ordered = |design| Design {
        runs: 500,
        units: 20_000,
        peek: 100,
        ..design
    };
    for base in [0.5, 0.1, 0.01] {
        add(steady, true, Method::Verdict, base, |design| design);
        add(steady, true, Method::Asymptotic, base, |design| design);
        add(steady, true, Method::FixedZ, base, |design| design);
        add(steady, false, Method::PeekedZ, base, |design| design);
    }
    for base in [0.5, 0.1, 0.01] {
        add(ramp, true, Method::Verdict, base, ramped);
        add(ramp, true, Method::Events, base, ramped);
        add(ramp, true, Method::StageProduct, base, ramped);
        add(ramp, false, Method::Asymptotic, base, ramped);
        add(ramp, false, Method::PeekedZ, base, ramped);
    }
    for base in [0.5, 0.1, 0.01] {
        add(users, true, Method::Verdict, base, clustered);
        add(users, true, Method::Asymptotic, base, clustered);
        add(users, true, Method::Events, base, clustered);
        add(users, false, Method::AsymptoticByEvent, base, clustered);
        add(users, false, Method::EventsByEvent, base, clustered);
    }
    let one = "one arm, in order";
    add(one, true, Method::Hedged, 0.1, ordered);
    add(one, true, Method::EmpiricalBernstein, 0.1, ordered);
    add(
        "constant weights",
        true,
        Method::Bernoulli,
        0.01,
        |design| Design {
            runs: 500,
            ..design
        },
    );
    cells
}

fn ramped(design: Design) -> Design {
    Design {
        shares: [0.05, 0.25, 0.5, 0.5],
        drift: 1.5,
        ..design
    }
}
