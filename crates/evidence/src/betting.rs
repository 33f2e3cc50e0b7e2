//! Is the candidate worse? One martingale for binary, count and mean metrics, in both directions.
//!
//! Every unit is a coin whose probability is known: with shares c of the control and d of the candidate it is the
//! candidate's with e = d/(c + d). If the candidate is no worse, its values are no more (or less) than the
//! coin gives it on average, so a bet that they are loses money. What 13 bets of different sizes have won is E; it
//! reaches 1/α with a probability of at most α, however often anybody looks (Ville's inequality). Nothing about tails,
//! variances, base rates or drift is assumed: only that the shares are what was published, and that one unit does not
//! change what another does.
//!
//! Waudby-Smith and Ramdas, J. R. Stat. Soc. B 86, 2024 (arXiv 2010.09686); by the design of the experiment: Ham,
//! Bojinov, Lindon and Tingley, arXiv 2210.08639. For a binary metric and a centre of 0 each bet is the likelihood ratio
//! of the event test at one rate ratio.

pub use types::{BETS, NoScale, Scale};

/// The sizes ρ of the bets.
pub const SIZES: [f64; BETS] = [
    0.015_625, 0.031_25, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0,
];

/// Of 72 coins, so many are bet at each size.
const COINS: [f64; BETS] = [
    1.0, 2.0, 3.0, 5.0, 8.0, 11.0, 12.0, 11.0, 8.0, 5.0, 3.0, 2.0, 1.0,
];
const ALL_COINS: f64 = 72.0;

/// Which way is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// More is worse: errors, milliseconds.
    More,
    /// Less is worse: clicks, revenue.
    Less,
}

/// What a candidate may be worse by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// Its mean may be this many times the control's (or the control's this many times its own), 1 or more. Above 1
    /// only where no value is below 0 and the floor is 0.
    Ratio(f64),
    /// Its mean may differ by so much in units of the scale, 0 or more.
    Margin(f64),
}

impl Tolerance {
    /// Nothing is tolerated.
    pub const NONE: Self = Self::Ratio(1.0);
}

/// The terms of a bet on one unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bet {
    /// Which way is worse.
    pub harm: Harm,
    /// What is tolerated.
    pub tolerance: Tolerance,
    /// The probability that the unit is the candidate's, in (0, 1).
    pub share: f64,
    /// The centre of the scale, from 0 to 1.
    pub centre: f64,
}

impl Bet {
    /// What a unit with the number g wins for a stake of 1: at least −[`Bet::most_lost`], and on average no more than 0
    /// where the candidate is no worse.
    fn won(&self, candidate: bool, g: f64) -> f64 {
        let (e, m) = (self.share, self.centre);
        let (mine, theirs) = match (self.harm, self.tolerance) {
            (Harm::More, Tolerance::Ratio(r)) => (g - r * m, r * (g - m)),
            (Harm::Less, Tolerance::Ratio(r)) => (m - r * g, m - g),
            (Harm::More, Tolerance::Margin(d)) => (g - d - m, g - m),
            (Harm::Less, Tolerance::Margin(d)) => (m - d - g, m - g),
        };
        if candidate {
            (1.0 - e) * mine
        } else {
            -e * theirs
        }
    }

    /// The most that a unit can lose.
    fn most_lost(&self) -> f64 {
        let (e, m) = (self.share, self.centre);
        match (self.harm, self.tolerance) {
            (Harm::More, Tolerance::Ratio(r)) => r * f64::max((1.0 - e) * m, e * (1.0 - m)),
            (Harm::Less, Tolerance::Ratio(r)) => f64::max((1.0 - e) * (r - m), e * m),
            (Harm::More, Tolerance::Margin(d)) => f64::max((1.0 - e) * (m + d), e * (1.0 - m)),
            (Harm::Less, Tolerance::Margin(d)) => f64::max((1.0 - e) * (1.0 + d - m), e * m),
        }
    }
}

/// Bets with their stakes, made ready for many units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Staked {
    bet: Bet,
    /// ρ/(1 + ρb): what each stakes of what it can win or lose.
    stakes: [f64; BETS],
}

impl Staked {
    /// Of bets on these terms.
    pub fn of(bet: &Bet) -> Self {
        let lost = bet.most_lost();
        Self {
            bet: *bet,
            stakes: SIZES.map(|rho| rho / (1.0 + rho * lost)),
        }
    }

    /// ln of what each bet wins on a unit with the number g, from 0 to 1.
    pub fn logs(&self, candidate: bool, g: f64) -> [f64; BETS] {
        let won = self.bet.won(candidate, g);
        // To about 1e-16, as their sums need it; `ln_1p` takes twice as long.
        self.stakes.map(|stake| (1.0 + stake * won).ln())
    }
}

/// ln of what each bet has won: sums that are added over units, stretches of time, epochs and servers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Winnings([f64; BETS]);

impl Winnings {
    /// Of one unit with the number g, from 0 to 1.
    pub fn of(bet: &Bet, candidate: bool, g: f64) -> Self {
        Self(Staked::of(bet).logs(candidate, g))
    }

    /// Of the units of one arm with a binary metric, all under the same terms: counts are enough.
    pub fn of_counts(bet: &Bet, candidate: bool, events: f64, units: f64) -> Self {
        let mut all = Self::of(bet, candidate, 1.0).times(events);
        all.add(&Self::of(bet, candidate, 0.0).times(units - events));
        all
    }

    fn times(mut self, units: f64) -> Self {
        self.0.iter_mut().for_each(|ln| *ln *= units);
        self
    }

    /// What each has won, smallest bet first.
    pub fn logs(&self) -> &[f64; BETS] {
        &self.0
    }

    /// Adds what others have won.
    pub fn add(&mut self, other: &Self) {
        for (ln, more) in self.0.iter_mut().zip(&other.0) {
            *ln += more;
        }
    }

    /// Takes away what was added, for a value that is replaced.
    pub fn take_away(&mut self, other: &Self) {
        for (ln, less) in self.0.iter_mut().zip(&other.0) {
            *ln -= less;
        }
    }

    /// Sums that were made elsewhere, smallest bet first.
    pub fn from_logs(logs: [f64; BETS]) -> Self {
        Self(logs)
    }

    /// ln E = ln Σ w e^L: decides when it reaches ln(1/α).
    pub fn ln_e(&self) -> f64 {
        let top = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // What is below the last digit of the sum costs the most time to work out.
        let coins = self.0.iter().zip(COINS).filter(|(ln, _)| top - **ln < 50.0);
        let sum: f64 = coins.map(|(ln, coins)| coins * (ln - top).exp()).sum();
        top + (sum / ALL_COINS).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bet() -> impl Strategy<Value = Bet> {
        let tolerance = prop_oneof![
            (1.0f64..3.0).prop_map(Tolerance::Ratio),
            (0.0f64..0.5).prop_map(Tolerance::Margin),
        ];
        let harm = prop_oneof![Just(Harm::More), Just(Harm::Less)];
        (harm, tolerance, 0.001f64..0.999, 0.0f64..=1.0).prop_map(
            |(harm, tolerance, share, centre)| Bet {
                harm,
                tolerance,
                share,
                centre,
            },
        )
    }

    proptest! {
        #[test]
        fn no_unit_loses_more_than_the_stake(bet in bet(), g in 0.0f64..=1.0, candidate: bool) {
            prop_assert!(bet.won(candidate, g) >= -bet.most_lost() - 1e-12);
            prop_assert!(Winnings::of(&bet, candidate, g).0.iter().all(|ln| ln.is_finite()));
        }

        #[test]
        fn a_candidate_at_the_edge_of_what_is_tolerated_wins_nothing_on_average(bet in bet(), control in 0.0f64..=1.0) {
            // The mean that is just tolerated, where it is on the scale.
            let candidate = match (bet.harm, bet.tolerance) {
                (Harm::More, Tolerance::Ratio(r)) => control * r,
                (Harm::Less, Tolerance::Ratio(r)) => control / r,
                (Harm::More, Tolerance::Margin(d)) => control + d,
                (Harm::Less, Tolerance::Margin(d)) => control - d,
            };
            prop_assume!((0.0..=1.0).contains(&candidate));
            let mean = bet.share * bet.won(true, candidate) + (1.0 - bet.share) * bet.won(false, control);
            prop_assert!(mean.abs() < 1e-12, "{}", mean);
        }

        #[test]
        fn what_is_taken_away_was_never_there(bet in bet(), g in prop::collection::vec(0.0f64..=1.0, 2..9)) {
            let mut once = Winnings::default();
            let mut replaced = Winnings::of(&bet, true, g[0]);
            for g in &g[1..] {
                once.add(&Winnings::of(&bet, false, *g));
                replaced.add(&Winnings::of(&bet, false, *g));
            }
            replaced.take_away(&Winnings::of(&bet, true, g[0]));
            prop_assert!((once.ln_e() - replaced.ln_e()).abs() < 1e-9);
        }
    }
}
