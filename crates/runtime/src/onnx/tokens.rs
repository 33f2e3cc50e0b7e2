//! Texts as tokens, by the tokenizer that stands beside a model (`tokenizer.json` of Hugging Face).

use super::engine::{PortKind, Signature};
use serde_json::Value;
use tokenizers::{Tokenizer, TruncationParams};
use types::{DataType, Elements, Tensor};

/// How many tokens a model takes that does not say it.
const USUAL: usize = 512;

/// What an input of a model gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gets {
    Ids,
    /// 1 for a token, 0 for padding.
    Mask,
    /// Which text of a pair a token is of: 0.
    Types,
    /// Its place.
    Positions,
}

/// A tokenizer, and what the inputs of a model get of it.
#[derive(Debug)]
pub(crate) struct Tokens {
    tokenizer: Tokenizer,
    inputs: Vec<(Gets, DataType)>,
    pad: i64,
}

impl Tokens {
    /// Reads a tokenizer for a model.
    ///
    /// # Errors
    /// What does not fit.
    pub(crate) fn new(
        json: &[u8],
        config: &Value,
        signature: &Signature,
        most: Option<u64>,
    ) -> Result<Self, String> {
        let tokenizer = Tokenizer::from_bytes(json);
        let mut tokenizer =
            tokenizer.map_err(|error| format!("tokenizer.json cannot be read: {error}"))?;
        let mut inputs = Vec::with_capacity(signature.inputs.len());
        for port in &signature.inputs {
            let gets = match port.name.as_str() {
                "input_ids" | "ids" => Gets::Ids,
                "attention_mask" | "mask" => Gets::Mask,
                "token_type_ids" => Gets::Types,
                "position_ids" => Gets::Positions,
                other => {
                    return Err(format!(
                        "it has a tokenizer, and an input {other} that no tokenizer gives"
                    ));
                }
            };
            match port.kind {
                PortKind::Tensor(kind @ (DataType::Int64 | DataType::Int32)) => {
                    inputs.push((gets, kind))
                }
                _ => return Err(format!("its input {} is not of integers", port.name)),
            }
        }
        if !inputs.iter().any(|(gets, _)| *gets == Gets::Ids) {
            return Err("it has a tokenizer, and no input input_ids".into());
        }
        let number = |name: &str| config.get(name).and_then(Value::as_u64);
        let pad = number("pad_token_id").or_else(|| {
            let padding = tokenizer
                .get_padding()
                .map(|padding| u64::from(padding.pad_id));
            padding.or_else(|| {
                tokenizer
                    .token_to_id("[PAD]")
                    .or(tokenizer.token_to_id("<pad>"))
                    .map(u64::from)
            })
        });
        // RoBERTa counts places from behind its padding.
        let places = number("max_position_embeddings").map(|places| {
            match config.get("model_type").and_then(Value::as_str) {
                Some("roberta" | "xlm-roberta" | "camembert" | "longformer") => {
                    places.saturating_sub(2)
                }
                _ => places,
            }
        });
        let own = tokenizer
            .get_truncation()
            .map(|truncation| truncation.max_length);
        let takes = places.map_or(USUAL, |places| places as usize).max(1);
        let most = match most {
            Some(most) => (most as usize).min(places.map_or(usize::MAX, |places| places as usize)),
            None => own.unwrap_or(takes).min(takes),
        };
        let truncation = TruncationParams {
            max_length: most.max(1),
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|error| format!("texts cannot be cut after {most} tokens: {error}"))?;
        tokenizer.with_padding(None);
        Ok(Self {
            tokenizer,
            inputs,
            pad: pad.unwrap_or(0) as i64,
        })
    }

    /// What an input is padded with.
    pub(crate) fn pad(&self, input: usize) -> i64 {
        match self.inputs[input].0 {
            Gets::Ids => self.pad,
            Gets::Mask | Gets::Types | Gets::Positions => 0,
        }
    }

    /// The tensors of texts, each as long as the longest.
    ///
    /// # Errors
    /// When a text cannot be read.
    pub(crate) fn tensors(&self, texts: &[&str]) -> Result<Vec<Tensor>, String> {
        let encode = |text: &&str| {
            let encoded = self.tokenizer.encode(*text, true);
            encoded.map_err(|error| format!("the text cannot be cut into tokens: {error}"))
        };
        let encodings: Vec<_> = texts.iter().map(encode).collect::<Result<_, _>>()?;
        let longest = encodings
            .iter()
            .map(|encoding| encoding.get_ids().len())
            .max()
            .unwrap_or(0);
        // A text may have no tokens; a tensor without any is nothing that models expect.
        let longest = longest.max(1);
        let each = self.inputs.iter().enumerate().map(|(input, (gets, kind))| {
            let mut values = Vec::with_capacity(longest * texts.len());
            for encoding in &encodings {
                let count = encoding.get_ids().len();
                match gets {
                    Gets::Ids => values.extend(encoding.get_ids().iter().map(|id| i64::from(*id))),
                    Gets::Mask => values.extend(
                        encoding
                            .get_attention_mask()
                            .iter()
                            .map(|one| i64::from(*one)),
                    ),
                    Gets::Types => {
                        values.extend(encoding.get_type_ids().iter().map(|of| i64::from(*of)))
                    }
                    Gets::Positions => values.extend(0..count as i64),
                }
                values.resize(values.len() + longest - count, self.pad(input));
            }
            let elements = match kind {
                DataType::Int32 => {
                    Elements::Int32(values.iter().map(|value| *value as i32).collect())
                }
                _ => Elements::Int64(values),
            };
            Tensor::new(vec![texts.len(), longest], elements).map_err(|error| error.to_string())
        });
        each.collect()
    }
}
