//! Requests and replies of the Open Inference Protocol (version 2), with Triton's extension for binary tensors.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;
use types::{DataType, Json, Tensor};

/// A request to infer.
#[derive(Debug, Deserialize)]
pub(super) struct InferRequest<'a> {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) parameters: Map<String, Value>,
    #[serde(borrow)]
    inputs: Vec<InputForm<'a>>,
    #[serde(default)]
    pub(super) outputs: Option<Vec<OutputForm>>,
}

#[derive(Debug, Deserialize)]
struct InputForm<'a> {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(default, deserialize_with = "or_null")]
    parameters: Map<String, Value>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// An output that is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct OutputForm {
    pub(super) name: String,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) parameters: Map<String, Value>,
}

/// Some clients write what they do not say as null.
fn or_null<'de, D: serde::Deserializer<'de>>(
    parameters: D,
) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(parameters)?.unwrap_or_default())
}

/// A tensor and its name.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) tensor: Tensor,
}

/// Reads a request: JSON, and the bytes of tensors behind it, where a header says how long the JSON is.
///
/// # Errors
/// What is wrong, for whoever sent it.
pub(super) fn read<'a>(
    body: &'a [u8],
    json_length: Option<&str>,
) -> Result<(InferRequest<'a>, Vec<Named>), String> {
    let (json, mut raw) = match json_length {
        None => (body, &[][..]),
        Some(length) => {
            let length: usize = length
                .trim()
                .parse()
                .map_err(|_| "Inference-Header-Content-Length must be a whole number")?;
            let parts = body.split_at_checked(length);
            parts.ok_or_else(|| {
                format!(
                    "Inference-Header-Content-Length is {length}, and the body has {} bytes",
                    body.len()
                )
            })?
        }
    };
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err("the request must be a JSON object".into());
    }
    let request: InferRequest<'_> = serde_json::from_slice(json).map_err(|error| {
        // The most frequent mistake, by the issues of Triton's users.
        match json_length.is_none() && goes_on_behind_json(body) {
            true => "the body has bytes behind its JSON: say with the header Inference-Header-Content-Length how long the JSON is".into(),
            false => format!("the request cannot be read: {error}"),
        }
    })?;
    if request.inputs.is_empty() {
        return Err("inputs is empty".into());
    }
    let mut tensors = Vec::with_capacity(request.inputs.len());
    for input in &request.inputs {
        let tensor = input.tensor(&mut raw, json_length.is_some());
        tensors.push(Named {
            name: input.name.clone(),
            tensor: tensor.map_err(|why| format!("the input {} {why}", input.name))?,
        });
    }
    if !raw.is_empty() {
        return Err(format!(
            "{} bytes stand behind the tensors, and no binary_data_size counts them",
            raw.len()
        ));
    }
    Ok((request, tensors))
}

/// Whether a body that begins with an object of JSON has more behind it.
fn goes_on_behind_json(body: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<IgnoredAny>();
    let first = values.next();
    let rest = body.get(values.byte_offset()..).unwrap_or_default();
    matches!(first, Some(Ok(_))) && !rest.trim_ascii().is_empty()
}

impl InputForm<'_> {
    fn tensor(&self, raw: &mut &[u8], has_raw: bool) -> Result<Tensor, String> {
        if self.datatype == "BF16" {
            return Err("is BF16, which is not taken: send FP32".into());
        }
        let data_type: DataType = self
            .datatype
            .parse()
            .map_err(|error| format!("has a datatype that {error}"))?;
        let size = match self.parameters.get("binary_data_size") {
            None => None,
            Some(size) => Some(
                size.as_u64()
                    .ok_or("has a binary_data_size that is not a whole number")?,
            ),
        };
        if self.parameters.contains_key("shared_memory_region") {
            return Err("is in shared memory, which is not read: send its data".into());
        }
        let read = match (size, self.data) {
            (Some(_), Some(_)) => return Err("has both data and a binary_data_size".into()),
            (Some(_), None) if !has_raw => {
                return Err("has a binary_data_size, and the header Inference-Header-Content-Length is missing".into());
            }
            (Some(size), None) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                let parts = raw.split_at_checked(size);
                let (bytes, rest) = parts.ok_or_else(|| {
                    format!(
                        "has a binary_data_size of {size}, and {} bytes are left",
                        raw.len()
                    )
                })?;
                *raw = rest;
                Tensor::from_raw(data_type, self.shape.clone(), bytes)
            }
            (None, Some(data)) => Tensor::shaped_from_json(data_type, &self.shape, data.get()),
            (None, None) => return Err("has no data".into()),
        };
        let tensor = read.map_err(|error| error.to_string())?;
        // Everything is logged as JSON, which has no bytes.
        if let types::Elements::Bytes(texts) = tensor.elements()
            && texts.iter().any(|text| std::str::from_utf8(text).is_err())
        {
            return Err(
                "has an element that is not UTF-8: send bytes as base64, or as UINT8".into(),
            );
        }
        Ok(tensor)
    }
}

/// Tensors as JSON, as they are logged and given to versions.
pub(super) fn to_json(tensors: &[Named]) -> Json {
    let mut json = String::from("[");
    for (at, Named { name, tensor }) in tensors.iter().enumerate() {
        let name = Value::from(name.as_str());
        let (data_type, shape) = (tensor.elements().data_type(), tensor.shape());
        json.push_str(if at == 0 { "" } else { "," });
        json.push_str(&format!(
            "{{\"name\":{name},\"datatype\":\"{data_type}\",\"shape\":{shape:?},\"data\":"
        ));
        tensor.write_flat(&mut json);
        json.push('}');
    }
    json.push(']');
    Json::parse(json).expect("tensors are JSON")
}

/// A reply.
#[derive(Debug, Serialize)]
pub(super) struct InferReply<'a> {
    pub(super) model_name: Cow<'a, str>,
    pub(super) model_version: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    pub(super) parameters: Map<String, Value>,
    outputs: Vec<OutputReply>,
}

#[derive(Debug, Serialize)]
struct OutputReply {
    name: String,
    shape: Vec<usize>,
    datatype: &'static str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    parameters: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

/// A reply as it is sent: its bytes, and how long its JSON is where tensors stand behind that.
pub(super) struct Written {
    pub(super) bytes: Vec<u8>,
    pub(super) json_length: Option<usize>,
}

/// Writes a reply with the outputs that were asked for, or all.
///
/// # Errors
/// When one that was asked for is not there.
pub(super) fn write(
    mut reply: InferReply<'_>,
    mut tensors: Vec<Named>,
    request: &Asked<'_>,
) -> Result<Written, String> {
    let mut raw = Vec::new();
    let mut any_binary = false;
    let all = request.outputs.is_none_or(<[OutputForm]>::is_empty);
    for form in request.outputs.into_iter().flatten() {
        if !tensors.iter().any(|named| named.name == form.name) {
            let known: Vec<&str> = tensors.iter().map(|named| named.name.as_str()).collect();
            return Err(format!(
                "the model has no output {}; it has {}",
                form.name,
                known.join(", ")
            ));
        }
    }
    if let Some(outputs) = request.outputs.filter(|_| !all) {
        // In the order in which they were asked for.
        tensors.sort_by_key(|named| outputs.iter().position(|form| form.name == named.name));
    }
    for Named { name, tensor } in tensors {
        let form = request
            .outputs
            .into_iter()
            .flatten()
            .find(|form| form.name == name);
        if form.is_none() && !all {
            continue;
        }
        let parameters = form.map(|form| &form.parameters);
        let tensor = match parameters.and_then(|parameters| parameters.get("classification")) {
            None => tensor,
            Some(count) => {
                classified(&tensor, count).map_err(|why| format!("the output {name} {why}"))?
            }
        };
        let binary = parameters
            .and_then(|parameters| parameters.get("binary_data"))
            .and_then(Value::as_bool);
        let binary = binary.unwrap_or(request.binary);
        let mut output = OutputReply {
            name,
            shape: tensor.shape().to_vec(),
            datatype: tensor.elements().data_type().as_str(),
            parameters: Map::new(),
            data: None,
        };
        // Numbers of 16 bits have no form in JSON that clients read.
        if binary {
            let before = raw.len();
            tensor.write_raw(&mut raw);
            output
                .parameters
                .insert("binary_data_size".into(), Value::from(raw.len() - before));
            any_binary = true;
        } else {
            let mut json = String::new();
            tensor.write_flat(&mut json);
            output.data = RawValue::from_string(json).ok();
        }
        reply.outputs.push(output);
    }
    let mut bytes = serde_json::to_vec(&reply).map_err(|error| error.to_string())?;
    let json_length = any_binary.then_some(bytes.len());
    bytes.extend_from_slice(&raw);
    Ok(Written { bytes, json_length })
}

/// What a request asks of the form of its reply.
pub(super) struct Asked<'a> {
    pub(super) outputs: Option<&'a [OutputForm]>,
    /// Whether tensors come as bytes where nothing else is said of them.
    pub(super) binary: bool,
}

impl<'a> InferReply<'a> {
    pub(super) fn new(
        model_name: Cow<'a, str>,
        model_version: Cow<'a, str>,
        id: Option<String>,
        parameters: Map<String, Value>,
    ) -> Self {
        Self {
            model_name,
            model_version,
            id,
            parameters,
            outputs: Vec::new(),
        }
    }
}

/// The greatest elements of each row, as Triton's classification extension has them: `value:index`.
fn classified(tensor: &Tensor, count: &Value) -> Result<Tensor, String> {
    let count = count
        .as_u64()
        .filter(|count| *count > 0)
        .ok_or("has a classification that is not a whole number of 1 or more")?;
    let (rows, width) = match tensor.shape() {
        [] => (1, 1),
        [width] => (1, *width),
        [rows, inner @ ..] => (*rows, inner.iter().product()),
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(width);
    let mut texts = Vec::with_capacity(rows * count);
    for row in 0..rows {
        let score = |at: usize| {
            tensor
                .elements()
                .number(row * width + at)
                .ok_or("contains texts, which cannot be ranked")
        };
        let mut scores = (0..width)
            .map(|at| Ok((at, score(at)?)))
            .collect::<Result<Vec<_>, &str>>()?;
        scores.sort_by(|one, other| other.1.total_cmp(&one.1));
        texts.extend(
            scores
                .iter()
                .take(count)
                .map(|(at, score)| format!("{score:.6}:{at}").into_bytes()),
        );
    }
    let shape = if tensor.shape().len() < 2 {
        vec![count]
    } else {
        vec![rows, count]
    };
    Tensor::new(shape, types::Elements::Bytes(texts)).map_err(|error| error.to_string())
}
