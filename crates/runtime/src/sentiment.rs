//! English sentiment by word lists, in process: AFINN (plain weights) and VADER (with rules).

mod afinn;
mod vader;

pub use afinn::afinn_score;
pub use vader::vader_compound;

use crate::RuntimeError;
use foldhash::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::Semaphore;
use types::{Failure, Input, Json, Output, SentimentMethod};

/// Scores closer to 0 than this are neutral: the threshold of the authors of VADER.
const NEUTRAL: f64 = 0.05;

/// Longer texts, in bytes, are read on a thread that may be kept busy: they take milliseconds.
const LONG: usize = 16 << 10;

/// How many long texts are read at a time: one per core. A caller that goes away leaves its text to
/// be read to the end, so more would pile up unseen.
static READERS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new(cores))
});

pub(crate) async fn answer(
    method: SentimentMethod,
    input: &Input,
    within: Duration,
) -> Result<Output, RuntimeError> {
    let Input::Text(text) = input else {
        return Err(RuntimeError::rejected(
            "the sentiment runtime reads one text (`text`; as a tensor BYTES [1] with the name text), not other inputs",
        ));
    };
    if text.len() <= LONG {
        return Ok(read(method, text));
    }
    let reading = read_long(method, text.clone());
    let late = |_| RuntimeError::Timeout(within.as_millis());
    tokio::time::timeout(within, reading).await.map_err(late)?
}

async fn read_long(method: SentimentMethod, text: String) -> Result<Output, RuntimeError> {
    let place = Arc::clone(&READERS).acquire_owned().await;
    let reading = tokio::task::spawn_blocking(move || {
        let _place = place;
        read(method, &text)
    });
    let failed = |error| {
        RuntimeError::Failed(
            Failure::Panicked,
            format!("reading the text failed: {error}"),
        )
    };
    reading.await.map_err(failed)
}

fn read(method: SentimentMethod, text: &str) -> Output {
    let score = match method {
        SentimentMethod::Afinn => compound_of_sum(afinn_score(text)),
        SentimentMethod::Vader => vader_compound(text),
    };
    Output {
        prediction: label(score),
        confidence: Some(confidence(score)),
        outputs: None,
    }
}

fn label(score: f64) -> Json {
    static LABELS: LazyLock<[Json; 3]> =
        LazyLock::new(|| ["negative", "neutral", "positive"].map(Json::text));
    let [negative, neutral, positive] = &*LABELS;
    let label = if score >= NEUTRAL {
        positive
    } else if score <= -NEUTRAL {
        negative
    } else {
        neutral
    };
    label.clone()
}

/// How far the score is from the border of its label, as a share of the farthest it could be,
/// mapped to 0.5 (on the border) ... 1 (farthest): monotone, and no probability.
///
/// * positive and negative: 0.5 + 0.5 (|score| − 0.05) / 0.95
/// * neutral: 0.5 + 0.5 (0.05 − |score|) / 0.05
fn confidence(score: f64) -> f64 {
    let size = score.abs();
    let share = if size >= NEUTRAL {
        (size - NEUTRAL) / (1.0 - NEUTRAL)
    } else {
        (NEUTRAL - size) / NEUTRAL
    };
    0.5 + 0.5 * share
}

/// Maps a sum of valences to −1 ... 1, as VADER does: s / √(s² + 15).
pub fn compound_of_sum(sum: f64) -> f64 {
    (sum / (sum * sum + 15.0).sqrt()).clamp(-1.0, 1.0)
}

/// Reads a list of `key TAB value` lines.
fn read_list<T>(list: &'static str, value: impl Fn(&'static str) -> T) -> HashMap<&'static str, T> {
    let lines = list.lines().filter_map(|line| line.split_once('\t'));
    lines.map(|(key, text)| (key, value(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_grows_with_the_distance_from_the_border() {
        for (score, want) in [
            (0.05, 0.5),
            (1.0, 1.0),
            (-1.0, 1.0),
            (0.0, 1.0),
            (-0.05, 0.5),
        ] {
            assert!((confidence(score) - want).abs() < 1e-12, "{score}");
        }
        let steps: Vec<f64> = (0..=95)
            .map(|i| confidence(0.05 + f64::from(i) / 100.0))
            .collect();
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn methods_really_differ() {
        let label = |method| read(method, "This is not good at all.").prediction.value();
        assert_eq!(label(SentimentMethod::Afinn), "positive");
        assert_eq!(label(SentimentMethod::Vader), "negative");
    }

    #[tokio::test]
    async fn other_inputs_are_refused() {
        let input = Input::Json((&serde_json::json!([1])).into());
        assert!(matches!(
            answer(SentimentMethod::Vader, &input, Duration::MAX).await,
            Err(RuntimeError::Rejected(_))
        ));
    }

    #[tokio::test]
    async fn the_longest_text_is_read_like_a_short_one() {
        let text = format!("it was bad but {}", "good ".repeat((1 << 20) / 5));
        let text = Input::Text(text);
        let minute = Duration::from_secs(60);
        let output = answer(SentimentMethod::Vader, &text, minute).await;
        assert_eq!(output.unwrap().prediction.value(), "positive");
        let late = answer(SentimentMethod::Vader, &text, Duration::ZERO).await;
        assert_eq!(late, Err(RuntimeError::Timeout(0)));
    }
}
