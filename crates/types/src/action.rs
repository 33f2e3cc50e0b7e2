//! What can happen to a model, its experiments and the settings of the server, in a word each.

crate::words! {
    /// What was done: the kind of an event.
    pub enum Action as "Action" {
        /// A snapshot of a model; later events apply to it.
        ModelBaseline = "model.baseline",
        /// A version was registered.
        VersionRegistered = "version.registered",
        /// A version got a weight.
        VersionActivated = "version.activated",
        /// A version takes no more traffic.
        VersionDeactivated = "version.deactivated",
        /// What is said of a version has changed.
        VersionPatched = "version.patched",
        /// A version got its artifact.
        VersionArtifactSet = "version.artifact_set",
        /// A version gets copies of another share of the requests.
        VersionShadowSet = "version.shadow_set",
        /// A version was deleted.
        VersionDeleted = "version.deleted",
        /// Several weights were set at once.
        TrafficSet = "traffic.set",
        /// Who gets a certain version was set.
        RulesSet = "rules.set",
        /// What is kept of predictions was set.
        PrivacySet = "privacy.set",
        /// How long predictions are kept was set.
        RetentionSet = "retention.set",
        /// An alias points at a version.
        AliasSet = "alias.set",
        /// An alias was deleted.
        AliasDeleted = "alias.deleted",
        /// A metric was declared.
        MetricSet = "metric.set",
        /// A metric was deleted.
        MetricDeleted = "metric.deleted",
        /// A draft was made.
        ExperimentCreated = "experiment.created",
        /// A draft got a time to start at.
        ExperimentScheduled = "experiment.scheduled",
        /// A scheduled experiment is a draft again.
        ExperimentUnscheduled = "experiment.unscheduled",
        /// A scheduled experiment could not start.
        ExperimentStartFailed = "experiment.start_failed",
        /// Its weights began to rule.
        ExperimentStarted = "experiment.started",
        /// A draft was deleted.
        ExperimentDeleted = "experiment.deleted",
        /// A rollout took a step.
        ExperimentAdvanced = "experiment.advanced",
        /// A bandit moved the weights, or began a new epoch with the same.
        ExperimentReweighted = "experiment.reweighted",
        /// A new epoch began with the same weights, because a scale of a metric is known now.
        ExperimentRescaled = "experiment.rescaled",
        /// Everything went to the control: a candidate was no good.
        ExperimentRolledBack = "experiment.rolled_back",
        /// Everything went to an arm, and the alias `champion`.
        ExperimentPromoted = "experiment.promoted",
        /// It waits for something.
        ExperimentHeld = "experiment.held",
        /// It waits no more.
        ExperimentReleased = "experiment.released",
        /// A bandit has found the best arm.
        ExperimentWinner = "experiment.winner",
        /// A person has stopped the clock.
        ExperimentPaused = "experiment.paused",
        /// It goes on.
        ExperimentResumed = "experiment.resumed",
        /// It ended with the weights as they were.
        ExperimentStopped = "experiment.stopped",
        /// It ended with everything on the control.
        ExperimentAborted = "experiment.aborted",
        /// Only the verdict has changed.
        ExperimentVerdict = "experiment.verdict",
        /// An effect is not what it was in the beginning.
        ExperimentEffectChanged = "experiment.effect_changed",
        /// A snapshot of the settings of the server; later events apply to it.
        SettingsBaseline = "settings.baseline",
        /// A request that names no model means another one.
        DefaultModelSet = "default_model.set",
        /// Somebody is told of what happens to experiments.
        WebhookCreated = "webhook.created",
        /// Nobody is told there any more.
        WebhookDeleted = "webhook.deleted",
        /// Somebody got a key.
        KeyCreated = "key.created",
        /// A key is refused from now on.
        KeyRevoked = "key.revoked",
        /// A key was replaced by another one.
        KeyRotated = "key.rotated",
        /// Somebody wants all of a unit erased.
        ErasureBegun = "erasure.begun",
        /// All of a unit is erased.
        ErasureEnded = "erasure.ended",
        /// What this release does not know: a later one has written it.
        Unknown = "unknown",
    }
    other = Unknown;
}

impl Action {
    /// Whether it is about an experiment.
    pub fn is_of_experiment(self) -> bool {
        self.as_str().starts_with("experiment.")
    }

    /// Whether the experiment that it is about has ended with it.
    pub fn ends_experiment(self) -> bool {
        matches!(
            self,
            Self::ExperimentStopped
                | Self::ExperimentAborted
                | Self::ExperimentPromoted
                | Self::ExperimentRolledBack
                | Self::ExperimentDeleted
        )
    }
}
