//! What values a metric has in an invented world.

use crate::world::binomial;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, Normal, Pareto, Poisson};
use serde::{Deserialize, Serialize};

/// A law of outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Law {
    /// 1 with this probability, else 0.
    Binary(f64),
    /// With this probability 50 times a lognormal number of this σ, else 0.
    Buyers(f64, f64),
    /// A lognormal number of this σ, times 50.
    Lognormal(f64),
    /// A Pareto number with this tail.
    Pareto(f64),
    /// A count with this mean.
    Poisson(f64),
    /// A normal number with this mean and standard deviation.
    Normal(f64, f64),
    /// Always the same number.
    Constant(f64),
    /// Latency in milliseconds: 50 times a lognormal number of σ 1, of which the level is this.
    Latency(f64),
}

/// Values that were drawn: how many were 0, and the others.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Drawn {
    pub(crate) zeros: u64,
    pub(crate) others: Vec<f64>,
}

impl Law {
    /// The same with more of what is counted: a rate, a mean or a level that is this many times as large.
    #[must_use]
    pub fn times(self, ratio: f64) -> Self {
        match self {
            Self::Binary(p) => Self::Binary(p * ratio),
            Self::Buyers(p, sigma) => Self::Buyers(p * ratio, sigma),
            Self::Poisson(mean) => Self::Poisson(mean * ratio),
            Self::Normal(mean, sd) => Self::Normal(mean + (ratio - 1.0) * sd, sd),
            Self::Latency(level) => Self::Latency(level * ratio),
            Self::Constant(value) => Self::Constant(value * ratio),
            same @ (Self::Lognormal(_) | Self::Pareto(_)) => same,
        }
    }

    /// The same with so much added to its mean; a rate stays between 0 and 1, and other laws than a rate, a count or a normal
    /// one stay as they are.
    #[must_use]
    pub fn plus(self, effect: f64) -> Self {
        match self {
            Self::Binary(p) => Self::Binary((p + effect).clamp(0.0, 1.0)),
            Self::Poisson(mean) => Self::Poisson((mean + effect).max(0.0)),
            Self::Normal(mean, sd) => Self::Normal(mean + effect, sd),
            same => same,
        }
    }

    /// One value.
    pub(crate) fn one(self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Binary(p) => f64::from(rng.random::<f64>() < p),
            Self::Buyers(p, sigma) if rng.random::<f64>() < p => lognormal(sigma, rng),
            Self::Buyers(..) => 0.0,
            Self::Lognormal(sigma) => lognormal(sigma, rng),
            Self::Pareto(tail) => Pareto::new(1.0, tail).map_or(1.0, |law| law.sample(rng)),
            Self::Poisson(mean) => Poisson::new(mean).map_or(0.0, |law| law.sample(rng)),
            Self::Normal(mean, sd) => Normal::new(mean, sd).map_or(mean, |law| law.sample(rng)),
            Self::Constant(value) => value,
            Self::Latency(level) => level * lognormal(1.0, rng),
        }
    }

    /// One value, and what is known of its unit before, by the law of the control: both go together as the correlation says.
    pub(crate) fn with_covariate(
        self,
        control: Self,
        correlation: f64,
        rng: &mut ChaCha8Rng,
    ) -> (f64, Option<f64>) {
        let (before, fresh) = (control.one(rng), self.one(rng));
        let value = match (self, control) {
            (Self::Normal(mean, _), Self::Normal(mean_before, _)) => {
                let left = (1.0 - correlation * correlation).sqrt();
                mean + correlation * (before - mean_before) + left * (fresh - mean)
            }
            // Some do again what they did before.
            _ if rng.random::<f64>() < correlation => before,
            _ => fresh,
        };
        (value, Some(before))
    }

    /// So many values: those that are nearly all 0 are drawn by how many are not.
    pub(crate) fn many(self, n: u64, rng: &mut ChaCha8Rng) -> Drawn {
        match self {
            Self::Binary(p) => {
                let ones = binomial(n, p, rng);
                Drawn {
                    zeros: n - ones,
                    others: vec![1.0; ones as usize],
                }
            }
            Self::Buyers(p, sigma) => {
                let buyers = binomial(n, p, rng);
                Drawn {
                    zeros: n - buyers,
                    others: (0..buyers).map(|_| lognormal(sigma, rng)).collect(),
                }
            }
            Self::Poisson(_) => {
                let mut drawn = Drawn::default();
                for _ in 0..n {
                    match self.one(rng) {
                        0.0 => drawn.zeros += 1,
                        some => drawn.others.push(some),
                    }
                }
                drawn
            }
            _ => Drawn {
                zeros: 0,
                others: (0..n).map(|_| self.one(rng)).collect(),
            },
        }
    }
}

fn lognormal(sigma: f64, rng: &mut ChaCha8Rng) -> f64 {
    50.0 * LogNormal::new(0.0, sigma).map_or(1.0, |law| law.sample(rng))
}

/// How many requests come in a stretch of time.
pub(crate) fn poisson(mean: f64, rng: &mut ChaCha8Rng) -> u64 {
    if mean <= 0.0 {
        return 0;
    }
    Poisson::new(mean).map_or(0, |law| law.sample(rng) as u64)
}

/// A time that is exponential with this mean.
pub(crate) fn exponential(mean: f64, rng: &mut ChaCha8Rng) -> f64 {
    -mean * (1.0 - rng.random::<f64>()).ln()
}
