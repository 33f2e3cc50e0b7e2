//! What a model means: how an input becomes tensors, and how tensors become a prediction.
//!
//! The files say it themselves where they can: a tokenizer beside the model, labels in `config.json` or in the metadata,
//! outputs that are called as scikit-learn and transformers call them. The specification of the version says the rest.

use super::answer::Answers;
use super::engine::{Port, PortKind, Signature, Value};
use super::features::Features;
use super::tokens::Tokens;
use crate::{RuntimeError, TensorPort};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use types::{DataType, Elements, Input, Json, OnnxSpec, Output, Tensor, TensorForm};

/// The most rows of a request: each has its answer.
const MOST_ROWS: usize = 10_000;

/// What calls the texts of a request that are given as tensors.
const TEXT: &str = "text";
/// The most bytes of a file that says something about a model.
const MOST_SAID: u64 = 64 << 20;

/// A model as it is used.
#[derive(Debug)]
pub(crate) struct Model {
    signature: Signature,
    reads: Reads,
    answers: Answers,
    /// The names of the numbers of a row.
    columns: Option<Vec<String>>,
}

/// What a text becomes.
#[derive(Debug)]
enum Reads {
    /// Rows of a table, for the only input.
    Rows(Features),
    /// Tokens.
    Tokens(Box<Tokens>),
    /// A text, for the only input.
    Text,
    /// Nothing: it reads tensors.
    Tensors,
}

/// An input that is ready to run.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// By input of the model; the first dimension counts rows.
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) rows: usize,
    /// Whether it came as tensors, and is answered so.
    as_tensors: bool,
    /// Whether its tensors are the caller's own: what a model cannot do with them is no fault of the model's.
    pub(crate) is_given: bool,
}

/// Where the files of a model are.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) model: PathBuf,
    /// What stands beside it.
    folder: Option<PathBuf>,
}

impl Files {
    /// Finds the model in what was uploaded: a file, or a folder with `model.onnx`.
    ///
    /// # Errors
    /// When there is none, or which one is meant is not clear.
    pub(crate) fn find(path: &Path) -> Result<Self, String> {
        if path.is_file() {
            let model = path.to_owned();
            return Ok(Self {
                model,
                folder: None,
            });
        }
        let unreadable = |error| format!("the files of the model cannot be read: {error}");
        let mut folder = path.to_owned();
        // Whoever packs a folder packs its name, often.
        loop {
            let entries = std::fs::read_dir(&folder).map_err(unreadable)?;
            let entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(unreadable)?;
            let [only] = entries.as_slice() else { break };
            if !only.path().is_dir() {
                break;
            }
            folder = only.path();
        }
        for model in ["model.onnx", "onnx/model.onnx"] {
            let model = folder.join(model);
            if model.is_file() {
                let folder = Some(folder);
                return Ok(Self { model, folder });
            }
        }
        let entries = std::fs::read_dir(&folder).map_err(unreadable)?;
        let is_model = |path: &PathBuf| path.extension().is_some_and(|end| end == "onnx");
        let models = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let mut models: Vec<PathBuf> = models.filter(is_model).collect();
        match (models.pop(), models.is_empty()) {
            (Some(model), true) => Ok(Self {
                model,
                folder: Some(folder),
            }),
            (None, _) => Err("there is no file model.onnx in it".into()),
            (Some(_), false) => Err(
                "there are several ONNX files in it: name the one that is meant model.onnx".into(),
            ),
        }
    }

    /// A file that stands beside the model, where there is one.
    fn beside(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        let path = folder.join(name);
        let Ok(found) = path.metadata() else {
            return Ok(None);
        };
        if found.len() > MOST_SAID {
            return Err(format!("{name} has more than {MOST_SAID} bytes"));
        }
        let read = std::fs::read(&path);
        read.map(Some)
            .map_err(|error| format!("{name} cannot be read: {error}"))
    }
}

impl Model {
    /// Reads what the files say.
    ///
    /// # Errors
    /// What does not fit.
    pub(crate) fn new(
        files: &Files,
        signature: Signature,
        spec: &OnnxSpec,
    ) -> Result<Self, String> {
        if let Some(port) = signature
            .inputs
            .iter()
            .find(|port| !matches!(port.kind, PortKind::Tensor(_)))
        {
            return Err(format!(
                "its input {} is no tensor of numbers or texts",
                port.name
            ));
        }
        let config = match files.beside("config.json")? {
            Some(json) => serde_json::from_slice(&json)
                .map_err(|error| format!("config.json cannot be read: {error}"))?,
            None => serde_json::Value::Null,
        };
        let reads = match (
            signature.metadata.get("weir.features"),
            files.beside("tokenizer.json")?,
        ) {
            (Some(features), _) => {
                let features = Features::parse(features);
                let features =
                    features.map_err(|error| format!("weir.features of its metadata: {error}"))?;
                only(&signature, DataType::Int64)
                    .ok_or("it has weir.features, and not one input of 64-bit integers")?;
                Reads::Rows(features)
            }
            (None, Some(json)) => Reads::Tokens(Box::new(Tokens::new(
                &json,
                &config,
                &signature,
                spec.max_tokens,
            )?)),
            (None, None) => match only(&signature, DataType::Bytes) {
                Some(_) => Reads::Text,
                None => Reads::Tensors,
            },
        };
        let answers = Answers::new(&signature, &config, spec)?;
        if spec.columns.is_some() && signature.inputs.len() != 1 {
            return Err(format!(
                "`columns` are for a model with one input, and it has {}",
                signature.inputs.len()
            ));
        }
        if let (Some(columns), Some(Some(width))) = (&spec.columns, signature.inputs[0].dims.get(1))
            && columns.len() != *width
        {
            let (count, names) = (columns.len(), names(&signature.inputs));
            return Err(format!(
                "`columns` names {count} columns, and its input is {names}"
            ));
        }
        Ok(Self {
            signature,
            reads,
            answers,
            columns: spec.columns.clone(),
        })
    }

    /// Whether it reads texts.
    pub(crate) fn reads_text(&self) -> bool {
        !matches!(self.reads, Reads::Tensors)
    }

    /// What it does, for people.
    pub(crate) fn describe(&self) -> String {
        let reads = match &self.reads {
            Reads::Rows(_) => "texts, as hashed n-grams",
            Reads::Tokens(_) => "texts, as tokens",
            Reads::Text => "texts",
            Reads::Tensors => "tensors",
        };
        format!("it reads {reads} and answers {}", self.answers.describe())
    }

    /// What it takes and gives, for clients of the Open Inference Protocol. Texts come as texts, whatever the model makes of
    /// them.
    pub(crate) fn ports(&self) -> (Vec<TensorPort>, Vec<TensorPort>) {
        let port = |name: &str, datatype: &str, shape: &[i64]| TensorPort {
            name: name.into(),
            datatype: datatype.into(),
            shape: shape.to_vec(),
        };
        if matches!(self.reads, Reads::Rows(_) | Reads::Tokens(_)) {
            let outputs = vec![
                port("prediction", "BYTES", &[-1]),
                port("confidence", "FP64", &[-1]),
            ];
            return (vec![port(TEXT, "BYTES", &[-1])], outputs);
        }
        let tensors = |ports: &[Port]| {
            let tensors = ports.iter().filter_map(|known| match &known.kind {
                PortKind::Tensor(data_type) => {
                    let size = |size: &Option<usize>| size.map_or(-1, |size| size as i64);
                    let shape: Vec<i64> = known.dims.iter().map(size).collect();
                    Some(port(&known.name, data_type.as_str(), &shape))
                }
                PortKind::Maps | PortKind::Other(_) => None,
            });
            tensors.collect()
        };
        (
            tensors(&self.signature.inputs),
            tensors(&self.signature.outputs),
        )
    }

    /// An input that it is tried with where nobody says one: texts, or zeros.
    pub(crate) fn probe(&self) -> Input {
        if self.reads_text() {
            return Input::Text("This is a probe.".into());
        }
        let tensors = self.signature.inputs.iter().map(|port| {
            let PortKind::Tensor(data_type) = port.kind else {
                return "null".into();
            };
            let shape: Vec<usize> = port.dims.iter().map(|size| size.unwrap_or(1)).collect();
            let count = shape.iter().product::<usize>().min(types::MOST_ELEMENTS);
            let mut form = format!(
                "{{\"name\":{},\"datatype\":\"{data_type}\",\"shape\":{shape:?},\"data\":",
                serde_json::Value::from(port.name.as_str())
            );
            let zeros = Tensor::new(vec![count], Elements::zeros(data_type, count));
            zeros.expect("as many as are counted").write_flat(&mut form);
            form.push('}');
            form
        });
        let tensors = format!("[{}]", tensors.collect::<Vec<_>>().join(","));
        Input::Json(Json::parse(tensors).expect("tensors are JSON"))
    }

    /// Makes tensors of an input.
    ///
    /// # Errors
    /// Why it does not fit: that is for the caller.
    pub(crate) fn prepare(&self, input: &Input) -> Result<Prepared, String> {
        match input {
            Input::Text(text) => self.prepare_texts(&[text.as_str()], false),
            Input::Json(json) => self.prepare_json(json.as_str()),
        }
    }

    fn prepare_texts(&self, texts: &[&str], as_tensors: bool) -> Result<Prepared, String> {
        let rows = texts.len();
        if rows > MOST_ROWS {
            return Err(format!(
                "has {rows} texts, and {MOST_ROWS} are the most of a request"
            ));
        }
        let tensors = match &self.reads {
            Reads::Tensors => {
                let names: Vec<&str> = self
                    .signature
                    .inputs
                    .iter()
                    .map(|port| port.name.as_str())
                    .collect();
                return Err(format!(
                    "this version reads `inputs` ({}), not `text`",
                    names.join(", ")
                ));
            }
            Reads::Rows(features) => {
                let of_each: Vec<Vec<i64>> = texts.iter().map(|text| features.rows(text)).collect();
                vec![padded(&of_each, 0)]
            }
            Reads::Tokens(tokens) => tokens.tensors(texts)?,
            Reads::Text => {
                let texts = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
                let texts = Elements::Bytes(texts);
                without_zeros(&texts).map_err(|why| format!("the input {why}"))?;
                let mut shape = vec![1; self.signature.inputs[0].dims.len().max(1)];
                shape[0] = rows;
                vec![tensor(shape, texts)]
            }
        };
        Ok(Prepared {
            tensors,
            rows,
            as_tensors,
            is_given: matches!(self.reads, Reads::Text),
        })
    }

    fn prepare_json(&self, json: &str) -> Result<Prepared, String> {
        let start = json.trim_start().as_bytes().first();
        if start == Some(&b'[') && self.looks_like_tensors(json) {
            return self.prepare_forms(json);
        }
        if start == Some(&b'"') && self.reads_text() {
            let text: String = serde_json::from_str(json).map_err(|error| error.to_string())?;
            return self.prepare_texts(&[&text], false);
        }
        if start == Some(&b'{') {
            let members: HashMap<Cow<'_, str>, &serde_json::value::RawValue> =
                serde_json::from_str(json).map_err(|error| error.to_string())?;
            return self.prepare_members(&members);
        }
        match self.signature.inputs.as_slice() {
            [port] if !matches!(self.reads, Reads::Rows(_) | Reads::Tokens(_)) => {
                self.prepare_values(&[(port, json)], false)
            }
            inputs => Err(format!(
                "must be an object with the inputs of the model: {}",
                names(inputs)
            )),
        }
    }

    /// Whether an array is one of named tensors, and not one of values.
    fn looks_like_tensors(&self, json: &str) -> bool {
        #[derive(serde::Deserialize)]
        struct Named {
            #[serde(rename = "name")]
            _name: serde::de::IgnoredAny,
            #[serde(rename = "datatype")]
            _datatype: serde::de::IgnoredAny,
        }
        let first = json.trim_start().strip_prefix('[').map(str::trim_start);
        first.is_some_and(|first| first.starts_with('{'))
            && serde_json::from_str::<Vec<Named>>(json).is_ok()
    }

    /// Of tensors in the form of the Open Inference Protocol.
    fn prepare_forms(&self, json: &str) -> Result<Prepared, String> {
        let forms: Vec<TensorForm<'_>> =
            serde_json::from_str(json).map_err(|error| error.to_string())?;
        let mut tensors = Vec::with_capacity(forms.len());
        for form in &forms {
            let tensor = form.tensor().map_err(|error| error.to_string())?;
            if tensors.iter().any(|(name, _)| *name == form.name.as_str()) {
                return Err(format!("has the tensor {} twice", form.name));
            }
            tensors.push((form.name.as_str(), tensor));
        }
        if let [(TEXT, tensor)] = tensors.as_slice()
            && self.reads_text()
            && self.signature.inputs.iter().all(|port| port.name != TEXT)
        {
            let Elements::Bytes(texts) = tensor.elements() else {
                return Err("the tensor text must have the datatype BYTES".into());
            };
            let texts = texts.iter().map(|text| {
                std::str::from_utf8(text).map_err(|_| "the tensor text has bytes that are no UTF-8")
            });
            let texts: Vec<&str> = texts.collect::<Result<_, _>>()?;
            if texts.is_empty() {
                return Err("the tensor text is empty".into());
            }
            return self.prepare_texts(&texts, true);
        }
        let mut in_order = Vec::with_capacity(tensors.len());
        for port in &self.signature.inputs {
            let at = tensors.iter().position(|(name, _)| *name == port.name);
            let at = at.ok_or_else(|| format!("the input {} is missing", port.name))?;
            in_order.push(fitting(port, tensors.swap_remove(at).1)?);
        }
        if let Some((name, _)) = tensors.first() {
            return Err(format!(
                "the model has no input {name}; it has {}",
                names(&self.signature.inputs)
            ));
        }
        together(in_order, true)
    }

    fn prepare_members(
        &self,
        members: &HashMap<Cow<'_, str>, &serde_json::value::RawValue>,
    ) -> Result<Prepared, String> {
        let inputs = &self.signature.inputs;
        let given = |port: &Port| members.get(port.name.as_str()).map(|json| json.get());
        if let (Some(columns), [port]) = (&self.columns, inputs.as_slice())
            && given(port).is_none()
        {
            return self.prepare_row(members, columns, port);
        }
        if let (Some(text), 1, true) = (members.get(TEXT), members.len(), self.reads_text())
            && inputs.iter().all(|port| port.name != TEXT)
        {
            let text: String =
                serde_json::from_str(text.get()).map_err(|_| "text must be a text")?;
            return self.prepare_texts(&[&text], false);
        }
        if let Some(unknown) = members
            .keys()
            .find(|name| inputs.iter().all(|port| port.name != **name))
        {
            return Err(format!(
                "the model has no input {unknown}; it has {}",
                names(inputs)
            ));
        }
        let missing = |port: &Port| format!("the input {} is missing", port.name);
        let values = inputs.iter().map(|port| {
            let json = given(port).ok_or_else(|| missing(port))?;
            Ok((port, json))
        });
        self.prepare_values(&values.collect::<Result<Vec<_>, String>>()?, false)
    }

    /// A row by the names of its columns.
    fn prepare_row(
        &self,
        members: &HashMap<Cow<'_, str>, &serde_json::value::RawValue>,
        columns: &[String],
        port: &Port,
    ) -> Result<Prepared, String> {
        if let Some(unknown) = members
            .keys()
            .find(|name| !columns.iter().any(|column| *column == **name))
        {
            return Err(format!("no column is called {unknown}"));
        }
        let mut row = String::from("[[");
        for (at, column) in columns.iter().enumerate() {
            let value = members.get(column.as_str());
            let value = value.ok_or_else(|| format!("the column {column} is missing"))?;
            row.push_str(if at == 0 { "" } else { "," });
            row.push_str(value.get());
        }
        row.push_str("]]");
        self.prepare_values(&[(port, &row)], false)
    }

    fn prepare_values(
        &self,
        values: &[(&Port, &str)],
        as_tensors: bool,
    ) -> Result<Prepared, String> {
        let mut tensors = Vec::with_capacity(values.len());
        for (port, json) in values {
            let PortKind::Tensor(data_type) = port.kind else {
                return Err(format!("the input {} is no tensor", port.name));
            };
            let tensor = Tensor::from_json(data_type, json);
            let tensor = tensor.map_err(|error| format!("the input {} {error}", port.name))?;
            tensors.push(fitting(port, tensor)?);
        }
        together(tensors, as_tensors)
    }

    /// Whether two inputs could run together.
    pub(crate) fn fit_together(&self, one: &Prepared, other: &Prepared) -> bool {
        let same = |(one, other): (&Tensor, &Tensor)| {
            let alike = one.elements().data_type() == other.elements().data_type()
                && one.shape().len() == other.shape().len();
            // Texts are made as long as the longest by padding; other tensors are what they are.
            let pads =
                matches!(self.reads, Reads::Rows(_) | Reads::Tokens(_)) && one.shape().len() == 2;
            alike && (pads || one.shape()[1..] == other.shape()[1..])
        };
        one.tensors.iter().zip(&other.tensors).all(same)
    }

    /// The longest second dimension: how long a text is, or how wide a row.
    pub(crate) fn length(prepared: &Prepared) -> usize {
        let second = |tensor: &Tensor| tensor.shape().get(1).copied().unwrap_or(1);
        prepared.tensors.iter().map(second).max().unwrap_or(1)
    }

    /// Whether its inputs and outputs count rows in their first dimension, as far as it says.
    pub(crate) fn takes_batches(&self) -> bool {
        let open = |port: &Port| port.dims.first().is_some_and(Option::is_none);
        let inputs = self.signature.inputs.iter().all(open);
        let outputs = self.signature.outputs.iter();
        inputs
            && outputs
                .filter(|port| matches!(port.kind, PortKind::Tensor(_)))
                .all(open)
    }

    /// Puts inputs together that fit.
    pub(crate) fn stack(&self, batch: &[&Prepared]) -> Vec<Tensor> {
        let [first, others @ ..] = batch else {
            return Vec::new();
        };
        if others.is_empty() {
            return first.tensors.clone();
        }
        let of_input = |input: usize| {
            let parts: Vec<&Tensor> = batch
                .iter()
                .map(|prepared| &prepared.tensors[input])
                .collect();
            let pad = match &self.reads {
                Reads::Tokens(tokens) => tokens.pad(input),
                Reads::Rows(_) | Reads::Text | Reads::Tensors => 0,
            };
            stacked(&parts, pad)
        };
        (0..first.tensors.len()).map(of_input).collect()
    }

    /// The answer to one input of a batch, whose rows begin at one of the outputs.
    pub(crate) fn answer(
        &self,
        outputs: &[Value],
        from: usize,
        of: &Prepared,
    ) -> Result<Output, RuntimeError> {
        let answer = self
            .answers
            .answer(&self.signature, outputs, (from, of.rows), of.as_tensors);
        answer.map_err(|why| match of.is_given {
            // A root of a number below zero is the caller's.
            true => RuntimeError::rejected(why),
            false => RuntimeError::bad_reply(why),
        })
    }

    /// Whether what it says of itself goes together.
    pub(crate) fn fits(&self, outputs: &[Value]) -> Result<(), String> {
        self.answers.fits(outputs)
    }

    /// Whether outputs have a row for each row of what was run.
    pub(crate) fn are_by_row(outputs: &[Value], rows: usize) -> bool {
        outputs.iter().all(|output| match output {
            Value::Tensor(tensor) => tensor.shape().first() == Some(&rows),
            Value::Maps(maps) => maps.len() == rows,
        })
    }
}

fn names(ports: &[Port]) -> String {
    let each: Vec<String> = ports
        .iter()
        .map(|port| {
            let dims: Vec<String> = port
                .dims
                .iter()
                .map(|size| size.map_or("any".into(), |size| size.to_string()))
                .collect();
            let kind = match &port.kind {
                PortKind::Tensor(data_type) => data_type.as_str(),
                PortKind::Maps => "maps",
                PortKind::Other(other) => other,
            };
            format!("{} ({kind} [{}])", port.name, dims.join(", "))
        })
        .collect();
    each.join(", ")
}

/// The only input, where it has this type.
fn only(signature: &Signature, data_type: DataType) -> Option<&Port> {
    match signature.inputs.as_slice() {
        [port] if port.kind == PortKind::Tensor(data_type) => Some(port),
        _ => None,
    }
}

/// Texts end at a zero byte in the languages of the engines.
fn without_zeros(elements: &Elements) -> Result<(), String> {
    let zero = match elements {
        Elements::Bytes(texts) => texts.iter().any(|text| text.contains(&0)),
        _ => false,
    };
    (!zero)
        .then_some(())
        .ok_or_else(|| "has a text with a zero byte, which the model does not take".into())
}

fn tensor(shape: Vec<usize>, elements: Elements) -> Tensor {
    Tensor::new(shape, elements).expect("as many elements as the shape has")
}

/// Lists of ids as one tensor, each as long as the longest.
fn padded(of_each: &[Vec<i64>], pad: i64) -> Tensor {
    let longest = of_each.iter().map(Vec::len).max().unwrap_or(0);
    let mut ids = Vec::with_capacity(longest * of_each.len());
    for row in of_each {
        ids.extend_from_slice(row);
        ids.resize(ids.len() + longest - row.len(), pad);
    }
    tensor(vec![of_each.len(), longest], Elements::Int64(ids))
}

/// Tensors one below the other; of texts, each as wide as the widest.
fn stacked(parts: &[&Tensor], pad: i64) -> Tensor {
    let rows: usize = parts.iter().map(|part| part.shape()[0]).sum();
    let mut shape = parts[0].shape().to_vec();
    shape[0] = rows;
    let mut elements = Elements::none(parts[0].elements().data_type());
    let width = |part: &Tensor| part.shape()[1..].iter().product::<usize>();
    if shape.len() != 2 || parts.iter().all(|part| width(part) == width(parts[0])) {
        for part in parts {
            elements.extend_from(part.elements(), 0, part.elements().len());
        }
        return tensor(shape, elements);
    }
    let widest = parts.iter().map(|part| width(part)).max().unwrap_or(0);
    shape[1] = widest;
    for part in parts {
        let width = width(part);
        for row in 0..part.shape()[0] {
            elements.extend_from(part.elements(), row * width, width);
            if let Elements::Int64(ids) = &mut elements {
                ids.resize(ids.len() + widest - width, pad);
            }
        }
    }
    tensor(shape, elements)
}

/// A tensor in the shape that an input takes: one row may come without the dimension that counts rows.
fn fitting(port: &Port, given: Tensor) -> Result<Tensor, String> {
    let PortKind::Tensor(data_type) = port.kind else {
        return Err(format!("the input {} is no tensor", port.name));
    };
    let is = given.elements().data_type();
    if is != data_type {
        return Err(format!("the input {} is {data_type}, not {is}", port.name));
    }
    let mut shape = given.shape().to_vec();
    let rank = port.dims.len();
    if shape.is_empty() && rank > 0 {
        shape = vec![1; rank];
    } else if shape.len() + 1 == rank {
        shape.insert(0, 1);
    }
    let fits = shape.len() == rank
        && port
            .dims
            .iter()
            .zip(&shape)
            .all(|(dim, size)| dim.is_none_or(|dim| dim == *size));
    if !fits {
        return Err(format!(
            "the shape {:?} does not fit the input {}",
            given.shape(),
            names(std::slice::from_ref(port))
        ));
    }
    without_zeros(given.elements()).map_err(|why| format!("the input {} {why}", port.name))?;
    given
        .reshaped(shape)
        .map_err(|error| format!("the input {} {error}", port.name))
}

/// Tensors of one request: where all count rows, they count the same.
fn together(tensors: Vec<Tensor>, as_tensors: bool) -> Result<Prepared, String> {
    let rows = tensors
        .first()
        .and_then(|tensor| tensor.shape().first())
        .copied();
    let rows = rows.unwrap_or(1);
    if rows > MOST_ROWS {
        return Err(format!(
            "has {rows} rows, and {MOST_ROWS} are the most of a request"
        ));
    }
    Ok(Prepared {
        rows,
        tensors,
        as_tensors,
        is_given: true,
    })
}
