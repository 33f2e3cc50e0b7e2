//! What another policy would have earned, from a log of choices whose propensities are known.
//!
//! Each row is weighed by w = π/e. IPS: Horvitz and Thompson 1952. SNIPS: Swaminathan and Joachims,
//! NeurIPS 2015. DR: Dudík, Langford and Li, ICML 2011. Switch: Wang, Agarwal and Dudík, ICML 2017.
//! Shrinkage: Su et al., ICML 2020. Assumes that rewards do not depend on earlier choices, and that every
//! action the policy takes had a chance in the log.

use types::LoggedGroup;

/// Rows of a log, and what a policy would have done.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// How many rows are alike in everything but the reward.
    pub n: f64,
    /// Σ of their rewards.
    pub sum: f64,
    /// Σ of the squares of their rewards.
    pub sum_squares: f64,
    /// The importance weight π/e of the action that was taken.
    pub weight: f64,
    /// What the model of the reward says of that action: q̂.
    pub predicted: f64,
    /// Σ_a π(a) q̂(a).
    pub policy_value: f64,
}

impl Row {
    /// Rows of a group, of a policy that takes its action with the probability `policy`.
    pub fn of(group: &LoggedGroup, policy: f64, predicted: f64, policy_value: f64) -> Self {
        Self {
            n: group.n as f64,
            sum: group.sum,
            sum_squares: group.sum_squares,
            weight: policy / group.propensity,
            predicted,
            policy_value,
        }
    }
}

/// Everything that is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimates {
    /// Rows.
    pub n: f64,
    /// mean(w r).
    pub ips: f64,
    /// Its standard error: the sample deviation of w r over √n.
    pub ips_error: f64,
    /// Σ w r/Σ w.
    pub snips: f64,
    /// Its standard error, by the delta method.
    pub snips_error: f64,
    /// mean of Σ_a π q̂.
    pub direct: f64,
    /// mean of Σ_a π q̂ + w(r − q̂).
    pub doubly_robust: f64,
    /// Its standard error.
    pub doubly_robust_error: f64,
    /// The same with the correction over Σ w.
    pub self_normalised_doubly_robust: f64,
    /// (Σ w)²/Σ w².
    pub effective_sample_size: f64,
    /// The largest weight.
    pub largest_weight: f64,
}

/// Estimates the value of a policy; `None` without rows.
pub fn estimate(rows: &[Row]) -> Option<Estimates> {
    let n: f64 = rows.iter().map(|row| row.n).sum();
    if n <= 0.0 {
        return None;
    }
    let total = |value: &dyn Fn(&Row) -> f64| -> f64 { rows.iter().map(value).sum() };
    let (w, ww) = (
        total(&|row| row.n * row.weight),
        total(&|row| row.n * row.weight * row.weight),
    );
    let wr = total(&|row| row.weight * row.sum);
    let wwrr = total(&|row| row.weight * row.weight * row.sum_squares);
    let ips = wr / n;
    let snips = wr / w;
    // Σ w²(r − V)².
    let around = |value: f64| {
        total(&|row: &Row| {
            let squares = row.sum_squares - 2.0 * value * row.sum + row.n * value * value;
            row.weight * row.weight * squares
        })
    };
    let direct = total(&|row| row.n * row.policy_value) / n;
    let correction = weighed(rows, |w| w);
    let doubly_robust = direct + correction / n;
    // Σ (V_π + w(r − q̂) − DR)².
    let spread = total(&|row: &Row| {
        let base = row.policy_value - doubly_robust;
        let (rest, w) = (row.sum - row.n * row.predicted, row.weight);
        let squares =
            row.sum_squares - 2.0 * row.predicted * row.sum + row.n * row.predicted * row.predicted;
        row.n * base * base + 2.0 * base * w * rest + w * w * squares
    });
    let deviation = |sum_squares: f64| (sum_squares.max(0.0) / (n - 1.0) / n).sqrt();
    Some(Estimates {
        n,
        ips,
        ips_error: deviation(wwrr - n * ips * ips),
        snips,
        snips_error: around(snips).max(0.0).sqrt() / w,
        direct,
        doubly_robust,
        doubly_robust_error: deviation(spread),
        self_normalised_doubly_robust: direct + correction / w,
        effective_sample_size: w * w / ww,
        largest_weight: rows.iter().map(|row| row.weight).fold(0.0, f64::max),
    })
}

/// Σ f(w)(r − q̂).
fn weighed(rows: &[Row], f: impl Fn(f64) -> f64) -> f64 {
    let each = rows.iter();
    each.map(|row| f(row.weight) * (row.sum - row.n * row.predicted))
        .sum()
}

/// IPS with weights of at most `most`.
pub fn clipped(rows: &[Row], most: f64) -> f64 {
    let n: f64 = rows.iter().map(|row| row.n).sum();
    rows.iter()
        .map(|row| row.weight.min(most) * row.sum)
        .sum::<f64>()
        / n
}

/// DR that leaves out the corrections of weights above `most`.
pub fn switch(rows: &[Row], most: f64) -> f64 {
    with_correction(rows, |w| if w <= most { w } else { 0.0 })
}

/// DR with the weights λw/(w² + λ).
pub fn shrunk(rows: &[Row], lambda: f64) -> f64 {
    with_correction(rows, |w| lambda * w / (w * w + lambda))
}

fn with_correction(rows: &[Row], f: impl Fn(f64) -> f64) -> f64 {
    let n: f64 = rows.iter().map(|row| row.n).sum();
    let direct: f64 = rows.iter().map(|row| row.n * row.policy_value).sum();
    (direct + weighed(rows, f)) / n
}

/// Why a log cannot answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// No row has a value.
    Empty,
    /// The policy takes an action that the log never took.
    NoSupport {
        /// The action.
        action: usize,
    },
    /// Too few rows count.
    FewEffective {
        /// (Σ w)²/Σ w², which is below [`LEAST_EFFECTIVE`].
        effective_sample_size: f64,
    },
    /// One row counts for too much.
    LargeWeight {
        /// The largest weight, which is above [`MOST_WEIGHT`].
        weight: f64,
    },
}

/// Effective rows below which nothing is answered.
pub const LEAST_EFFECTIVE: f64 = 100.0;
/// The importance weight above which nothing is answered.
pub const MOST_WEIGHT: f64 = 20.0;

/// Whether estimates can be told to somebody.
///
/// # Errors
/// Why not.
pub fn check(estimates: &Estimates) -> Result<(), Refusal> {
    if estimates.largest_weight > MOST_WEIGHT {
        return Err(Refusal::LargeWeight {
            weight: estimates.largest_weight,
        });
    }
    let effective_sample_size = estimates.effective_sample_size;
    // Written so that NaN is refused.
    if !(effective_sample_size >= LEAST_EFFECTIVE) {
        return Err(Refusal::FewEffective {
            effective_sample_size,
        });
    }
    Ok(())
}
