//! The words of results.

crate::words! {
    /// What the evidence of an experiment says, in a word.
    pub enum VerdictKind as "Verdict" {
        /// The evidence does not decide yet.
        KeepGoing = "keep_going",
        /// A candidate is better than the control on the primary metric.
        Winner = "winner",
        /// Every candidate is worse than the control.
        ControlBetter = "control_better",
        /// No candidate differs by as much as matters.
        NoRelevantDifference = "no_relevant_difference",
        /// A guardrail is worse in a candidate.
        GuardrailHarmed = "guardrail_harmed",
        /// The arms did not get the units that their weights promise: nothing can be concluded.
        SampleRatioMismatch = "sample_ratio_mismatch",
        /// Feedback came more often for one arm: outcomes cannot be compared.
        DifferentialFeedback = "differential_feedback",
        /// Many labels are of a type that can never equal what a version answers: nothing can be said of `correct`.
        LabelsNeverMatch = "labels_never_match",
    }
}

crate::words! {
    /// What a metric is for.
    pub enum MetricRole as "MetricRole" {
        /// It decides.
        Primary = "primary",
        /// It informs.
        Secondary = "secondary",
        /// It must not get worse.
        Guardrail = "guardrail",
    }
}

crate::words! {
    /// What can be said of a candidate on a metric.
    pub enum Finding as "Finding" {
        /// It is better.
        Better = "better",
        /// It is worse.
        Worse = "worse",
        /// Neither is shown.
        Unclear = "unclear",
        /// There is too little to say anything.
        TooLittle = "too_little",
    }
}

crate::words! {
    /// How an always-valid interval was made.
    pub enum SequenceMethod as "SequenceMethod" {
        /// The asymptotic confidence sequence, epoch by epoch: of earlier releases.
        Asymptotic = "asymptotic",
        /// Exact sequences of both shares: of earlier releases.
        ExactBernoulli = "exact_bernoulli",
        /// Bets on units whose arm was left to chance.
        Betting = "betting",
        /// These, and asymptotic evidence beside them.
        Mixture = "mixture",
        /// Nothing can be said yet.
        None = "none",
    }
}

crate::words! {
    /// A version's part in an experiment.
    pub enum ArmRole as "ArmRole" {
        /// What the others are compared with.
        Control = "control",
        /// What is compared with it.
        Candidate = "candidate",
    }
}

impl ArmRole {
    /// Of the arm at a place of the definition: the control is first.
    pub fn of(place: usize) -> Self {
        match place {
            0 => Self::Control,
            _ => Self::Candidate,
        }
    }
}
