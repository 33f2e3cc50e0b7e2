//! `GET /metrics`: what a Prometheus server scrapes. Counts of predictions come from the roll-ups, so they outlive a restart;
//! what is counted in memory ([`crate::meters`]) begins anew with each.

use crate::access;
use crate::meters::{BOUNDS, Timed};
use crate::state::AppState;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::collections::HashMap;
use std::fmt::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::{AuditFilter, LogStore, ModelStore, Rollup, StoredWebhook};
use types::{ModelState, Progress, TimeRange, Timestamp, VersionKey, VersionStatus};

/// The most versions that have series of their own.
const MOST_VERSIONS: usize = 2000;

/// What Prometheus scrapes: as OpenMetrics text for who accepts it, and else in the older text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses(
        (
            status = 200,
            description = "metrics as text",
            content(
                (String = "application/openmetrics-text"),
                (String = "text/plain"),
            ),
        ),
    ),
)]
pub(crate) async fn scrape(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let seen = Seen::now(&state).await;
    let mut registry = Registry::default();
    registry.register_collector(Box::new(seen));
    let mut body = String::with_capacity(64 << 10);
    text::encode(&mut body, &registry).expect("a text takes what is written");
    let accepted = headers.get_all(ACCEPT).iter();
    let mut accepted = accepted.filter_map(|accept| accept.to_str().ok());
    if accepted.any(accepts_open_metrics) {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        return ([(CONTENT_TYPE, kind)], body).into_response();
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, kind)], older(&body)).into_response()
}

/// Whether a header `Accept` has OpenMetrics among what it takes.
fn accepts_open_metrics(accept: &str) -> bool {
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_meant = parts
            .next()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
        is_meant && !parts.any(|part| matches!(part, "q=0" | "q=0.0"))
    })
}

/// The same in the text format that is older than OpenMetrics (Prometheus, exposition formats, version 0.0.4): a counter is described
/// by the name that its samples have, and there are neither units nor an end.
fn older(text: &str) -> String {
    let mut older = String::with_capacity(text.len());
    let mut help: Option<(&str, &str)> = None;
    for line in text.lines() {
        let described = line
            .strip_prefix("# ")
            .and_then(|rest| rest.split_once(' '));
        match described {
            Some(("HELP", rest)) => help = rest.split_once(' '),
            Some(("TYPE", rest)) => {
                let Some((name, kind)) = rest.split_once(' ') else {
                    continue;
                };
                let (ending, kind) = match kind {
                    "counter" => ("_total", kind),
                    "unknown" => ("", "untyped"),
                    _ => ("", kind),
                };
                if let Some((_, said)) = help.take() {
                    older.push_str(&format!("# HELP {name}{ending} {said}\n"));
                }
                older.push_str(&format!("# TYPE {name}{ending} {kind}\n"));
            }
            Some(("UNIT", _)) => {}
            _ if line == "# EOF" => {}
            _ => {
                older.push_str(line);
                older.push('\n');
            }
        }
    }
    older
}

/// Predictions of a version.
#[derive(Debug)]
struct OfVersion {
    labels: [(&'static str, String); 2],
    share: f64,
    is_called: bool,
    /// What the database knows of it, where that can be read.
    counted: Option<Counted>,
    unlike_labels: Option<u64>,
}

/// Counts of predictions.
#[derive(Debug)]
struct Counted {
    statuses: [(&'static str, u64); 4],
    latency: Timed,
}

impl Counted {
    fn of(rollup: &Rollup) -> Self {
        let others = rollup.errors + rollup.fallbacks + rollup.rejected;
        Self {
            statuses: [
                ("ok", rollup.count.saturating_sub(others)),
                ("fallback", rollup.fallbacks),
                ("error", rollup.errors),
                ("rejected", rollup.rejected),
            ],
            latency: Timed {
                seconds: rollup.latency_sum_ns as f64 / 1e9,
                buckets: rollup
                    .latency
                    .counts_within(&BOUNDS.map(|bound| bound * 1e9)),
            },
        }
    }
}

/// The most of a backlog that is counted.
const MOST_BEHIND: u32 = 100;

/// What a webhook is still to be told, up to a hundred entries.
async fn backlog(state: &AppState, hook: &StoredWebhook) -> u64 {
    let filter = AuditFilter {
        name: hook.webhook.definition.name.clone(),
        experiments_only: true,
        limit: MOST_BEHIND,
        ..AuditFilter::default()
    };
    let behind = state.store.audit_after(filter, hook.delivery.delivered);
    behind.await.map_or(0, |behind| behind.len() as u64)
}

/// A running experiment.
#[derive(Debug)]
struct OfExperiment {
    labels: [(&'static str, String); 3],
    step: u64,
    held: bool,
    paused: bool,
}

/// Everything at one moment.
#[derive(Debug)]
struct Seen {
    state: Handle,
    versions: Vec<OfVersion>,
    left_out: u64,
    experiments: Vec<OfExperiment>,
    webhooks: Vec<(String, u64, u64)>,
    log: Option<store::LogState>,
}

/// The state, which says nothing of itself.
struct Handle(AppState);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle")
    }
}

impl Seen {
    async fn now(state: &AppState) -> Self {
        // A database that is away takes its own figures along, and no others.
        let totals = state.store.totals(TimeRange::ALL).await.ok();
        let totals: Option<HashMap<VersionKey, _>> = totals.map(|totals| {
            let each = totals.into_iter();
            each.map(|totals| (totals.version, totals.rollup)).collect()
        });
        let since = Timestamp::from_micros(0);
        let mismatches = state.store.label_mismatches(since).await.ok();
        let unlike = mismatches.map(|found| {
            let mut unlike: HashMap<VersionKey, u64> = HashMap::new();
            for found in found {
                *unlike.entry(found.version).or_default() += found.count;
            }
            unlike
        });
        let mut states = state.catalogue.all();
        states.retain(|model| access::covers(model.name.as_str()));
        states.sort_by(|a, b| a.name.cmp(&b.name));
        let (mut versions, mut left_out) = (Vec::new(), 0);
        for model in &states {
            let published = state.snapshot.model(model.name.as_str());
            let traffic = model.traffic();
            let total = traffic.total_weight();
            for version in &traffic.versions {
                if versions.len() == MOST_VERSIONS {
                    left_out += 1;
                    continue;
                }
                let known = totals.as_ref();
                let rollup =
                    known.map(|totals| totals.get(&version.key).cloned().unwrap_or_default());
                let active = version.status == VersionStatus::Active && total > 0.0;
                let is_called = published.as_ref().is_some_and(|published| {
                    published.broken(version.key).is_none()
                        && published.refusing(version.key).is_none()
                });
                versions.push(OfVersion {
                    labels: [
                        ("name", model.name.to_string()),
                        ("version", version.version.to_string()),
                    ],
                    share: if active {
                        version.weight.get() / total
                    } else {
                        0.0
                    },
                    is_called: is_called && version.status.answers(),
                    counted: rollup.map(|rollup| Counted::of(&rollup)),
                    unlike_labels: unlike
                        .as_ref()
                        .map(|unlike| unlike.get(&version.key).copied().unwrap_or(0)),
                });
            }
        }
        let mut webhooks = Vec::new();
        if access::check_option(None).is_ok() {
            for hook in state.store.webhooks().await.unwrap_or_default() {
                let behind = backlog(state, &hook).await;
                webhooks.push((hook.webhook.id.to_string(), behind, hook.delivery.given_up));
            }
        }
        Self {
            versions,
            left_out,
            experiments: states.iter().filter_map(of_experiment).collect(),
            webhooks,
            log: state.store.log_state().await.ok(),
            state: Handle(state.clone()),
        }
    }
}

fn of_experiment(model: &Arc<ModelState>) -> Option<OfExperiment> {
    let running = model.running()?;
    let (step, held) = match &running.progress {
        Some(Progress::Rollout(progress)) => (progress.step as u64 + 1, progress.held.is_some()),
        Some(Progress::Bandit(progress)) => (0, progress.held.is_some()),
        None => (0, false),
    };
    Some(OfExperiment {
        labels: [
            ("name", model.name.to_string()),
            ("experiment", running.id.to_string()),
            ("policy", running.definition.policy.as_str().to_owned()),
        ],
        step,
        held,
        paused: running.progress.as_ref().is_some_and(Progress::is_paused),
    })
}

/// Begins a metric: its name, and what it says.
fn family<'e>(
    to: &'e mut DescriptorEncoder<'_>,
    (name, help): (&'static str, &'static str),
    kind: MetricType,
) -> Result<MetricEncoder<'e>, Error> {
    to.encode_descriptor(name, help, None, kind)
}

fn counter(to: &mut MetricEncoder<'_>, value: u64) -> Result<(), Error> {
    to.encode_counter::<NoLabelSet, _, u64>(&value, None)
}

fn gauge(
    to: &mut DescriptorEncoder<'_>,
    about: (&'static str, &'static str),
    value: f64,
) -> Result<(), Error> {
    family(to, about, MetricType::Gauge)?.encode_gauge(&value)
}

fn histogram(to: &mut MetricEncoder<'_>, timed: &Timed) -> Result<(), Error> {
    let bounds = BOUNDS.into_iter().chain([f64::MAX]);
    let buckets: Vec<(f64, u64)> = bounds.zip(timed.buckets.iter().copied()).collect();
    to.encode_histogram::<NoLabelSet>(timed.seconds, timed.count(), &buckets, None)
}

impl Collector for Seen {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), Error> {
        self.server(&mut to)?;
        self.models(&mut to)?;
        self.log(&mut to)?;
        self.work(&mut to)
    }
}

impl Seen {
    fn server(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let meters = &self.state.0.meters;
        let build = [("version", env!("CARGO_PKG_VERSION"))];
        family(
            to,
            ("weir_build", "The release that runs"),
            MetricType::Gauge,
        )?
        .encode_family(&build)?
        .encode_gauge(&1i64)?;
        let about = (
            "weir_http_requests",
            "Requests by route and class of status",
        );
        let mut requests = family(to, about, MetricType::Counter)?;
        for (method, route, meter) in meters.routes() {
            for (status, count) in meter.statuses() {
                let labels = [("method", method), ("route", route), ("status", status)];
                counter(&mut requests.encode_family(&labels)?, count)?;
            }
        }
        let about = (
            "weir_http_request_duration_seconds",
            "How long requests take until their reply begins, by route",
        );
        let mut times = family(to, about, MetricType::Histogram)?;
        for (method, route, meter) in meters.routes() {
            let labels = [("method", method), ("route", route)];
            histogram(&mut times.encode_family(&labels)?, &meter.time.read())?;
        }
        let about = (
            "weir_problems",
            "Requests that were refused or failed, by the code of their problem",
        );
        let mut problems = family(to, about, MetricType::Counter)?;
        for (code, count) in meters.refusals() {
            counter(
                &mut problems.encode_family(&[("code", code.as_str())])?,
                count,
            )?;
        }
        gauge(
            to,
            ("weir_connections", "Connections that are open"),
            meters.connections.load(Ordering::Relaxed) as f64,
        )?;
        let config = &self.state.0.config;
        let free = self.state.0.permits.available_permits();
        let busy = config.max_predictions.saturating_sub(free);
        gauge(
            to,
            (
                "weir_predictions_under_way",
                "Predictions that are being made",
            ),
            busy as f64,
        )?;
        gauge(
            to,
            (
                "weir_predictions_under_way_most",
                "The most that are made at a time; more get 429",
            ),
            config.max_predictions as f64,
        )?;
        counter(
            &mut family(
                to,
                ("weir_panics", "Panics that were caught"),
                MetricType::Counter,
            )?,
            self.state.0.panics(),
        )?;
        process(to)
    }

    fn models(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let about = (
            "weir_predictions",
            "Predictions by the version that was chosen and how they ended",
        );
        let mut predictions = family(to, about, MetricType::Counter)?;
        for version in &self.versions {
            for (status, count) in version.counted.iter().flat_map(|counted| counted.statuses) {
                let [name, of] = &version.labels;
                let labels = [
                    (name.0, name.1.as_str()),
                    (of.0, of.1.as_str()),
                    ("status", status),
                ];
                counter(&mut predictions.encode_family(&labels)?, count)?;
            }
        }
        let about = (
            "weir_prediction_latency_seconds",
            "How long the chosen version took, fallbacks included; within 1 %",
        );
        let mut times = family(to, about, MetricType::Histogram)?;
        for version in &self.versions {
            if let Some(counted) = &version.counted {
                histogram(&mut times.encode_family(&version.labels)?, &counted.latency)?;
            }
        }
        let about = (
            "weir_version_share",
            "The share of the traffic of its model that a version has",
        );
        let mut shares = family(to, about, MetricType::Gauge)?;
        for version in &self.versions {
            shares
                .encode_family(&version.labels)?
                .encode_gauge(&version.share)?;
        }
        let about = (
            "weir_version_called",
            "1 where a version that is active or testing is called; 0 where it is not loaded, or keeps failing",
        );
        let mut called = family(to, about, MetricType::Gauge)?;
        for version in &self.versions {
            called
                .encode_family(&version.labels)?
                .encode_gauge(&i64::from(version.is_called))?;
        }
        let about = (
            "weir_labels_never_match",
            "Labels of a type that can never equal what the version answered, and that no other label has replaced",
        );
        let mut unlike = family(to, about, MetricType::Gauge)?;
        for version in &self.versions {
            if let Some(count) = version.unlike_labels {
                unlike
                    .encode_family(&version.labels)?
                    .encode_gauge(&(count as i64))?;
            }
        }
        gauge(
            to,
            (
                "weir_versions_left_out",
                "Versions beyond the 2,000 that have series",
            ),
            self.left_out as f64,
        )?;
        let about = (
            "weir_experiment_step",
            "The step of a running rollout, from 1; 0 of other experiments",
        );
        let mut steps = family(to, about, MetricType::Gauge)?;
        for experiment in &self.experiments {
            steps
                .encode_family(&experiment.labels)?
                .encode_gauge(&(experiment.step as i64))?;
        }
        let about = (
            "weir_experiment_held",
            "1 where a running experiment waits for something that is wrong",
        );
        let mut held = family(to, about, MetricType::Gauge)?;
        for experiment in &self.experiments {
            held.encode_family(&experiment.labels)?
                .encode_gauge(&i64::from(experiment.held))?;
        }
        let about = (
            "weir_experiment_paused",
            "1 where a person has paused a running experiment",
        );
        let mut paused = family(to, about, MetricType::Gauge)?;
        for experiment in &self.experiments {
            paused
                .encode_family(&experiment.labels)?
                .encode_gauge(&i64::from(experiment.paused))?;
        }
        Ok(())
    }

    fn log(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let state = &self.state.0;
        let log = &state.log;
        let lag = log.lag();
        gauge(
            to,
            (
                "weir_log_position",
                "The position of the newest entry of the journal",
            ),
            log.position() as f64,
        )?;
        gauge(
            to,
            (
                "weir_log_lag_entries",
                "Entries that are in the journal and not in the database yet",
            ),
            lag.map_or(0.0, |lag| lag.entries as f64),
        )?;
        gauge(
            to,
            (
                "weir_log_lag_seconds",
                "For how long entries have been waiting to be stored in the database",
            ),
            lag.map_or(0.0, |lag| lag.micros as f64 / 1e6),
        )?;
        gauge(
            to,
            (
                "weir_journal_bytes",
                "The disk space that the journal takes",
            ),
            log.bytes() as f64,
        )?;
        gauge(
            to,
            (
                "weir_journal_most_bytes",
                "The most disk space that the journal may take",
            ),
            state.config.journal_max_bytes as f64,
        )?;
        let writable = log.failure().is_none();
        gauge(
            to,
            (
                "weir_log_writable",
                "1 where predictions can be logged, and so answered",
            ),
            f64::from(u8::from(writable)),
        )?;
        let stored = state.store.failure().is_none();
        gauge(
            to,
            (
                "weir_database_writable",
                "1 where the database takes entries",
            ),
            f64::from(u8::from(stored)),
        )?;
        if let Some(log) = &self.log {
            known(to, log)?;
        }
        let about = (
            "weir_journal_write_seconds",
            "How long it takes to hand entries to the system",
        );
        histogram(
            &mut family(to, about, MetricType::Histogram)?,
            &state.meters.commit.read(),
        )?;
        let about = (
            "weir_ingest_seconds",
            "How long it takes to store a group of entries",
        );
        histogram(
            &mut family(to, about, MetricType::Histogram)?,
            &state.meters.ingest.read(),
        )
    }

    fn work(&self, to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let meters = &self.state.0.meters;
        let about = (
            "weir_controller_tick_seconds",
            "How long a look at all running experiments takes",
        );
        histogram(
            &mut family(to, about, MetricType::Histogram)?,
            &meters.tick.read(),
        )?;
        let ticked = meters.ticked_at.load(Ordering::Relaxed) as f64 / 1e6;
        gauge(
            to,
            (
                "weir_controller_ticked_timestamp_seconds",
                "When the last look at all running experiments ended",
            ),
            ticked,
        )?;
        gauge(
            to,
            (
                "weir_controller_overdue",
                "Decisions that are due for experiments and could not be written",
            ),
            self.state.0.overdue().len() as f64,
        )?;
        let about = (
            "weir_webhook_backlog",
            "Entries of the audit that a webhook was not told of yet",
        );
        let mut backlog = family(to, about, MetricType::Gauge)?;
        for (webhook, behind, _) in &self.webhooks {
            backlog
                .encode_family(&[("webhook", webhook.as_str())])?
                .encode_gauge(&(*behind as i64))?;
        }
        let about = (
            "weir_webhook_given_up",
            "Entries that were given up because a webhook never took them",
        );
        let mut given_up = family(to, about, MetricType::Counter)?;
        for (webhook, _, count) in &self.webhooks {
            counter(
                &mut given_up.encode_family(&[("webhook", webhook.as_str())])?,
                *count,
            )?;
        }
        Ok(())
    }
}

/// What the database knows of the log.
fn known(to: &mut DescriptorEncoder<'_>, log: &store::LogState) -> Result<(), Error> {
    let missing = (
        "weir_log_missing_entries",
        "Entries of the journal that could not be read",
    );
    gauge(to, missing, log.missing as f64)?;
    let set_aside = (
        "weir_log_set_aside_entries",
        "Entries that the database did not take",
    );
    gauge(to, set_aside, log.set_aside as f64)?;
    let waiting = (
        "weir_feedback_waiting",
        "Values that wait for their prediction",
    );
    gauge(to, waiting, log.feedback_waiting as f64)?;
    let dropped = (
        "weir_feedback_dropped",
        "Values that were dropped because their prediction never came",
    );
    counter(
        &mut family(to, dropped, MetricType::Counter)?,
        log.feedback_dropped,
    )
}

/// What the system says of this process, in the names that everybody uses.
#[cfg(target_os = "linux")]
fn process(to: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return Ok(());
    };
    // The name in front may have blanks and brackets.
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    // In ticks, of which Linux shows 100 a second, and in pages.
    if let Some((user, system)) = number(11).zip(number(12)) {
        let about = ("process_cpu_seconds", "CPU time that the process has used");
        let seconds = (user + system) / 100.0;
        family(to, about, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, f64>(&seconds, None)?;
    }
    if let Some(pages) = number(21) {
        let page = rustix::param::page_size() as f64;
        gauge(
            to,
            (
                "process_resident_memory_bytes",
                "Memory that the process takes",
            ),
            pages * page,
        )?;
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        gauge(
            to,
            ("process_open_fds", "Files and connections that are open"),
            open.count() as f64,
        )?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn process(_: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
    Ok(())
}
