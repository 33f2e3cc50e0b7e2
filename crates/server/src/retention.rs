//! Says what is kept no longer: the store removes it, piece by piece.

use crate::state::AppState;
use std::time::Duration;
use store::{Retain, StoreError};
use types::{ModelState, PredictionId, Timestamp};

/// How often it is said.
const EVERY: Duration = Duration::from_secs(60);

/// Says it until the end; at once where somebody has set how long something is kept.
pub(crate) async fn run(state: &AppState) {
    let mut ticks = tokio::time::interval(EVERY.min(state.config.tick));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = state.retaining.notified() => {}
        }
        // A clock that is ahead would have everything removed.
        let steady = state.clock.is_steady_for(state.config.steady_for);
        let now = steady.then(|| state.clock.now());
        let mut all = Vec::new();
        for model in state.catalogue.all() {
            if model.retention.is_for_ever() {
                continue;
            }
            match wanted(state, &model, now).await {
                Ok(retain) => all.push(retain),
                Err(error) => {
                    tracing::warn!(%error, name = %model.name, "what is kept no longer cannot be told now");
                }
            }
        }
        state.store.retain(all);
    }
}

/// What of a model is kept no longer. Without a time that can be trusted ages are not looked at.
async fn wanted(
    state: &AppState,
    model: &ModelState,
    now: Option<Timestamp>,
) -> Result<Retain, StoreError> {
    let before = |seconds: u64| {
        let micros = i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        let at = now.map(|now| now.micros().saturating_sub(micros).max(0));
        at.map_or(0, |at| PredictionId::order_at(Timestamp::from_micros(at)))
    };
    let retention = &model.retention;
    let by_age = retention.max_age_seconds.map_or(0, before);
    let by_number = match retention.max_rows {
        None => 0,
        Some(rows) => {
            let found = state
                .store
                .order_of_newest(model.name.clone(), rows)
                .await?;
            found.unwrap_or(0).min(waited_for(model, state.clock.now()))
        }
    };
    Ok(Retain {
        name: model.name.clone(),
        rows_until: by_age.max(by_number),
        content_until: retention.content_max_age_seconds.map_or(0, before),
    })
}

/// Predictions from this order on may still get values that a running experiment waits for.
fn waited_for(model: &ModelState, now: Timestamp) -> u64 {
    let running = model.running().into_iter();
    let windows = running
        .flat_map(|running| &running.definition.metrics)
        .map(|metric| metric.window_seconds);
    match windows.max() {
        None => u64::MAX,
        Some(window) => {
            let micros = i64::try_from(window.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
            let at = now.micros().saturating_sub(micros).max(0);
            PredictionId::order_at(Timestamp::from_micros(at))
        }
    }
}
