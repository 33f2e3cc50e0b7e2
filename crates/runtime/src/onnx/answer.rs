//! What the outputs of a model mean: a label and how sure it is, a number, or whatever they are.

use super::engine::{Port, PortKind, Signature, Value};
use std::borrow::Cow;
use std::fmt::Write;
use types::{DataType, Elements, Json, OnnxSpec, Output, Tensor};

/// So many classes have their probabilities in an answer; a model with more gives its label and how sure it is.
const MOST_CLASSES: usize = 1000;

/// Some models do not answer the class that they call most probable: by so much at most.
const MAY_DIFFER: f64 = 0.2;

/// How outputs become an answer.
#[derive(Debug)]
pub(crate) struct Answers {
    /// The output that is the prediction.
    prediction: Option<usize>,
    /// The output that has what is said of each class.
    classes: Option<(usize, Scores)>,
    /// What the classes are called, as JSON.
    labels: Option<Vec<String>>,
}

/// What a model says of each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scores {
    Probabilities,
    /// They become probabilities by the softmax.
    Logits,
}

impl Answers {
    /// Finds out which output is what.
    ///
    /// # Errors
    /// When an output that is named is not there, or labels cannot be read.
    pub(crate) fn new(
        signature: &Signature,
        config: &serde_json::Value,
        spec: &OnnxSpec,
    ) -> Result<Self, String> {
        let outputs = &signature.outputs;
        let named = |name: &Option<String>| match name {
            None => Ok(None),
            Some(name) => {
                let at = outputs.iter().position(|port| port.name == *name);
                let known: Vec<&str> = outputs.iter().map(|port| port.name.as_str()).collect();
                let missing = || {
                    format!(
                        "the model has no output {name}; it has {}",
                        known.join(", ")
                    )
                };
                at.map(Some).ok_or_else(missing)
            }
        };
        let labels = labels(signature, config, spec)?;
        let (prediction, scores) = (
            named(&spec.prediction_output)?,
            named(&spec.probabilities_output)?,
        );
        let called =
            |what: &'static str| move |port: &Port| port.name.to_ascii_lowercase().contains(what);
        let of_classes = |port: &Port| match &port.kind {
            PortKind::Maps => true,
            PortKind::Tensor(DataType::Fp16 | DataType::Fp32 | DataType::Fp64) => {
                port.dims.len() == 2 && port.dims[1] != Some(1)
            }
            _ => false,
        };
        let find = |fits: &dyn Fn(&Port) -> bool| outputs.iter().position(fits);
        let prob = called("prob");
        let logits = called("logit");
        let guessed = find(&|port| of_classes(port) && (port.kind == PortKind::Maps || prob(port)))
            .or_else(|| find(&|port| of_classes(port) && logits(port)))
            // Without labels, numbers in two dimensions may mean anything.
            .or_else(|| labels.as_ref().and_then(|_| find(&|port| of_classes(port))));
        let scores = scores.or(guessed);
        let classes = scores.map(|at| {
            let means = match logits(&outputs[at])
                || !(prob(&outputs[at]) || outputs[at].kind == PortKind::Maps)
            {
                true => Scores::Logits,
                false => Scores::Probabilities,
            };
            (at, means)
        });
        let label = called("label");
        let is_label = |port: &Port| {
            label(port) && matches!(port.kind, PortKind::Tensor(_)) && port.dims.len() <= 2
        };
        let prediction = prediction.or_else(|| find(&is_label));
        Ok(Self {
            prediction,
            classes,
            labels: labels.map(|labels| labels.iter().map(|label| text(label)).collect()),
        })
    }

    /// What it answers, for people.
    pub(crate) fn describe(&self) -> String {
        match (&self.labels, self.classes, self.prediction) {
            (Some(labels), ..) => format!("one of {} labels", labels.len()),
            (None, Some(_), _) => "a class".into(),
            (None, None, Some(_)) => "a value".into(),
            (None, None, None) => "its outputs".into(),
        }
    }

    /// The answer to rows of what was run.
    ///
    /// # Errors
    /// When the outputs are not what was agreed.
    pub(crate) fn answer(
        &self,
        signature: &Signature,
        outputs: &[Value],
        (from, rows): (usize, usize),
        as_tensors: bool,
    ) -> Result<Output, String> {
        let mut predictions = Vec::with_capacity(rows);
        for row in from..from + rows {
            predictions.push(match self.row(outputs, row) {
                // Who asked in tensors gets them as they are.
                Err(_) if as_tensors => Row {
                    prediction: "null".into(),
                    confidence: None,
                    probabilities: None,
                },
                row => row?,
            });
        }
        let tensors = || tensors(signature, outputs, (from, rows), &predictions);
        let tensors = as_tensors.then(tensors);
        let one = if rows == 1 { predictions.pop() } else { None };
        let Some(one) = one else {
            let predictions: Vec<&str> = predictions
                .iter()
                .map(|row| row.prediction.as_str())
                .collect();
            return Ok(Output {
                prediction: json(format!("[{}]", predictions.join(","))),
                confidence: None,
                outputs: tensors,
            });
        };
        Ok(Output {
            prediction: json(one.prediction),
            confidence: one.confidence,
            outputs: tensors.or_else(|| one.probabilities.map(json)),
        })
    }

    fn row(&self, outputs: &[Value], row: usize) -> Result<Row, String> {
        let classes = match self.classes {
            Some((at, means)) => Some(self.class_scores(&outputs[at], means, row)?),
            None => None,
        };
        let prediction = self
            .prediction
            .map(|at| self.label(&outputs[at], row))
            .transpose()?;
        let Some(classes) = classes else {
            let whatever = || whatever(outputs, row);
            return Ok(Row {
                prediction: prediction.map_or_else(whatever, Ok)?,
                confidence: None,
                probabilities: None,
            });
        };
        let best = classes.iter().enumerate().fold(
            None,
            |best: Option<(usize, f64)>, (at, (_, score))| match best {
                Some((_, most)) if *score <= most => best,
                _ => Some((at, *score)),
            },
        );
        let (best, most) = best.ok_or("the model has said nothing of any class")?;
        let prediction = prediction.unwrap_or_else(|| classes[best].0.clone().into_owned());
        let of_prediction = classes.iter().find(|(class, _)| *class == prediction);
        Ok(Row {
            confidence: Some(of_prediction.map_or(most, |(_, score)| *score)),
            probabilities: self.probabilities(&classes),
            prediction,
        })
    }

    /// The classes, as JSON, with a probability each.
    fn class_scores<'a>(
        &'a self,
        output: &'a Value,
        means: Scores,
        row: usize,
    ) -> Result<Vec<(Cow<'a, str>, f64)>, String> {
        let mut scores: Vec<f64> = Vec::new();
        let mut classes: Vec<Cow<'a, str>> = Vec::new();
        match output {
            Value::Maps(maps) => {
                for (class, score) in maps
                    .get(row)
                    .ok_or("the model has answered fewer rows than it was given")?
                {
                    let place = class.parse::<usize>().ok();
                    let label = self
                        .labels
                        .as_ref()
                        .zip(place)
                        .and_then(|(labels, place)| labels.get(place));
                    classes.push(Cow::Borrowed(label.unwrap_or(class).as_str()));
                    scores.push(f64::from(*score));
                }
            }
            Value::Tensor(tensor) => {
                let (width, begin) = place(tensor, row)?;
                let number = |at| {
                    tensor
                        .elements()
                        .number(begin + at)
                        .ok_or("what it says of the classes is no number")
                };
                for at in 0..width {
                    scores.push(number(at)?);
                    classes.push(match &self.labels {
                        Some(labels) => match labels.get(at) {
                            Some(label) if labels.len() == width => Cow::Borrowed(label.as_str()),
                            _ => {
                                return Err(format!(
                                    "the model knows {width} classes, and {} labels are said",
                                    labels.len()
                                ));
                            }
                        },
                        None => Cow::Owned(at.to_string()),
                    });
                }
            }
        }
        if let (Some(labels), Value::Maps(_)) = (&self.labels, output)
            && labels.len() != classes.len()
        {
            let (known, said) = (classes.len(), labels.len());
            return Err(format!(
                "the model knows {known} classes, and {said} labels are said"
            ));
        }
        if scores.iter().any(|score| !score.is_finite()) {
            return Err("the model has answered a number that is none (NaN or infinite)".into());
        }
        if means == Scores::Logits {
            softmax(&mut scores);
        }
        Ok(classes.into_iter().zip(scores).collect())
    }

    /// Whether a prediction goes with what is said of the classes: labels in another order than the model's would call each
    /// probability by the name of another class.
    pub(crate) fn fits(&self, outputs: &[Value]) -> Result<(), String> {
        let (Some((at, means)), Some(label), Some(_)) =
            (self.classes, self.prediction, &self.labels)
        else {
            return Ok(());
        };
        let scores = self.class_scores(&outputs[at], means, 0)?;
        let label = self.label(&outputs[label], 0)?;
        let most = scores
            .iter()
            .fold(0.0f64, |most, (_, score)| most.max(*score));
        match scores.iter().find(|(class, _)| *class == label) {
            Some((_, score)) if *score >= most - MAY_DIFFER => Ok(()),
            Some((_, score)) => Err(format!(
                "it answers {label} and says that this is {score:.3} probable: `labels` must be in the order of the model's classes \
                 (in scikit-learn `classes_`, which is sorted)"
            )),
            None => Err(format!("it answers {label}, which `labels` does not have")),
        }
    }

    fn probabilities(&self, classes: &[(Cow<'_, str>, f64)]) -> Option<String> {
        if classes.len() > MOST_CLASSES {
            return None;
        }
        let mut json = String::with_capacity(32 + 24 * classes.len());
        json.push_str("{\"probabilities\":{");
        for (at, (class, score)) in classes.iter().enumerate() {
            json.push_str(if at == 0 { "" } else { "," });
            match class.starts_with('"') {
                true => json.push_str(class),
                false => drop(write!(json, "\"{class}\"")),
            }
            // As precise as the numbers of 32 bits that they come from.
            json.push(':');
            Elements::Fp32(vec![*score as f32]).write_json(0, &mut json);
        }
        json.push_str("}}");
        Some(json)
    }

    /// The prediction in an output, as JSON: a label where it counts labels.
    fn label(&self, output: &Value, row: usize) -> Result<String, String> {
        let Value::Tensor(tensor) = output else {
            return Err("the output that is the prediction is no tensor".into());
        };
        let (width, begin) = place(tensor, row)?;
        let whole = matches!(tensor.elements(), Elements::Int64(_) | Elements::Int32(_));
        if let (1, true, Some(labels)) = (width, whole, &self.labels) {
            let number = tensor.elements().number(begin).unwrap_or(-1.0);
            let label = labels.get(number as usize).filter(|_| number >= 0.0);
            let label = label.ok_or_else(|| {
                format!(
                    "the model has answered class {number}, and {} labels are said",
                    labels.len()
                )
            })?;
            return Ok(label.clone());
        }
        values(tensor, begin, width)
    }
}

/// The answer to one row, as JSON.
struct Row {
    prediction: String,
    confidence: Option<f64>,
    probabilities: Option<String>,
}

fn json(text: String) -> Json {
    Json::parse(text).expect("what is written here is JSON")
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn labels(
    signature: &Signature,
    config: &serde_json::Value,
    spec: &OnnxSpec,
) -> Result<Option<Vec<String>>, String> {
    if spec.labels.is_some() {
        return Ok(spec.labels.clone());
    }
    if let Some(labels) = signature.metadata.get("weir.labels") {
        let labels = serde_json::from_str(labels);
        return labels
            .map(Some)
            .map_err(|error| format!("weir.labels of its metadata cannot be read: {error}"));
    }
    let Some(by_id) = config
        .get("id2label")
        .and_then(serde_json::Value::as_object)
    else {
        return Ok(None);
    };
    let label = |id: usize| {
        by_id
            .get(&id.to_string())
            .and_then(|label| label.as_str())
            .map(str::to_owned)
    };
    let labels: Option<Vec<String>> = (0..by_id.len()).map(label).collect();
    labels
        .map(Some)
        .ok_or_else(|| "id2label of config.json must name classes from 0 on, without a gap".into())
}

/// How many elements a row has, and where they begin.
fn place(tensor: &Tensor, row: usize) -> Result<(usize, usize), String> {
    let Some((rows, inner)) = tensor.shape().split_first() else {
        return Ok((1, 0));
    };
    if row >= *rows {
        return Err("the model has answered fewer rows than it was given".into());
    }
    let width: usize = inner.iter().product();
    Ok((width, row * width))
}

/// Elements as JSON: one alone, or an array.
fn values(tensor: &Tensor, begin: usize, width: usize) -> Result<String, String> {
    let mut json = String::new();
    let number = |at| tensor.elements().number(at);
    // What is no number cannot be anybody's prediction. Among others, infinity may be: the logarithm of a probability of 0.
    let fits = |at: usize| match number(at) {
        Some(number) if width == 1 => number.is_finite(),
        Some(number) => !number.is_nan(),
        None => true,
    };
    if !(begin..begin + width).all(fits) {
        return Err("the model has answered a number that is none (NaN or infinite)".into());
    }
    if width == 1 {
        tensor.elements().write_json(begin, &mut json);
        return Ok(json);
    }
    let inner = tensor.shape().get(1..).unwrap_or_default().to_vec();
    let row = Tensor::new(inner, tensor.elements().slice(begin, width))
        .map_err(|error| error.to_string())?;
    row.write_nested(&mut json);
    Ok(json)
}

/// A row of all outputs: what the only one says, or each by its place.
fn whatever(outputs: &[Value], row: usize) -> Result<String, String> {
    let of = |output: &Value| match output {
        Value::Tensor(tensor) => {
            let (width, begin) = place(tensor, row)?;
            values(tensor, begin, width)
        }
        Value::Maps(maps) => {
            let map = maps
                .get(row)
                .ok_or("the model has answered fewer rows than it was given")?;
            let members = map.iter().map(|(class, score)| {
                let mut member = if class.starts_with('"') {
                    class.clone()
                } else {
                    format!("\"{class}\"")
                };
                member.push(':');
                Elements::Fp32(vec![*score]).write_json(0, &mut member);
                member
            });
            Ok::<_, String>(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
        }
    };
    match outputs {
        [only] => of(only),
        several => {
            let each: Vec<String> = several.iter().map(of).collect::<Result<_, _>>()?;
            Ok(format!("[{}]", each.join(",")))
        }
    }
}

/// Rows of all outputs in the form of the Open Inference Protocol.
fn tensors(
    signature: &Signature,
    outputs: &[Value],
    (from, rows): (usize, usize),
    each: &[Row],
) -> Json {
    let mut all = String::from("{\"tensors\":[");
    let mut first = true;
    for (port, output) in signature.outputs.iter().zip(outputs) {
        let Value::Tensor(tensor) = output else {
            continue;
        };
        let mut shape = tensor.shape().to_vec();
        let (mut begin, mut count) = (0, tensor.elements().len());
        if let Some((size, inner)) = shape.split_first_mut()
            && *size >= from + rows
        {
            let width: usize = inner.iter().product();
            (begin, count, *size) = (from * width, rows * width, rows);
        }
        let Ok(part) = Tensor::new(shape, tensor.elements().slice(begin, count)) else {
            continue;
        };
        all.push_str(if first { "" } else { "," });
        first = false;
        let _ = write!(
            all,
            "{{\"name\":{},\"datatype\":\"{}\",\"shape\":{:?},\"data\":",
            text(&port.name),
            part.elements().data_type(),
            part.shape()
        );
        part.write_flat(&mut all);
        all.push('}');
    }
    all.push(']');
    if each.iter().any(|row| row.confidence.is_some()) {
        let each = each
            .iter()
            .map(|row| serde_json::Value::from(row.confidence).to_string());
        let each: Vec<String> = each.collect();
        let _ = write!(all, ",\"confidences\":[{}]", each.join(","));
    }
    all.push('}');
    json(all)
}

fn softmax(scores: &mut [f64]) {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - most).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}
