//! Many comparisons at once. The family is metrics × arms; guardrails get Bonferroni's α/G instead.

/// Holm's adjusted p-values, in the order given (Scand. J. Stat. 6, 1979): bounds the chance of
/// any false claim.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let count = p.len();
    let mut adjusted = vec![0.0; count];
    let mut least: f64 = 0.0;
    for (rank, at) in ascending(p).into_iter().enumerate() {
        least = least.max(((count - rank) as f64 * p[at]).min(1.0));
        adjusted[at] = least;
    }
    adjusted
}

/// Benjamini and Hochberg's adjusted p-values, in the order given (J. R. Stat. Soc. B 57, 1995):
/// bounds the expected share of false claims among the claims.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let count = p.len();
    let mut adjusted = vec![0.0; count];
    let mut most: f64 = 1.0;
    for (rank, at) in ascending(p).into_iter().enumerate().rev() {
        most = most.min(count as f64 / (rank + 1) as f64 * p[at]);
        adjusted[at] = most;
    }
    adjusted
}

/// How many of the largest e-values are rejected (e-BH; Wang and Ramdas, J. R. Stat. Soc. B 84,
/// 2022): the largest k with k·e₍ₖ₎/K ≥ 1/α. Needs nothing of how they depend on each other.
pub fn e_benjamini_hochberg(e: &[f64], alpha: f64) -> usize {
    let mut sorted = e.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let total = e.len() as f64;
    let passes = |k: usize| k as f64 * sorted[k - 1] / total >= 1.0 / alpha;
    (1..=e.len()).rev().find(|&k| passes(k)).unwrap_or(0)
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}
