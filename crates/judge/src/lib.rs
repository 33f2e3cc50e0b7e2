//! What the evidence says, and what to do next. Pure: no IO, no async, no clock, no randomness.
//!
//! The statistics come with feedback and experiments. Until then there is one honest sentence.
#![warn(missing_docs)]

/// What can be said about a model whose predictions nobody has labelled: that nothing can be said,
/// and what is missing.
pub fn recommendation_without_feedback(name: &str, predictions: u64) -> String {
    format!(
        "No recommendation for {name}: {predictions} predictions are logged, but without feedback \
         nothing says which of them were right."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_claimed_without_feedback() {
        let text = recommendation_without_feedback("sentiment", 7);
        assert!(text.starts_with("No recommendation for sentiment: 7 predictions"));
    }
}
