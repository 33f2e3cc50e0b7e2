//! Versions that run on a server of the Open Inference Protocol (version 2).

use crate::http::{HttpClient, HttpRuntime};
use crate::{Calling, RuntimeError};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::time::Duration;
use types::{DataType, Input, Json, OipSpec, Output, Tensor, TensorForm};

/// A model on such a server.
#[derive(Debug)]
pub struct OipRuntime {
    http: HttpRuntime,
    spec: OipSpec,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    outputs: Vec<&'a RawValue>,
}

impl OipRuntime {
    pub(crate) fn new(spec: &OipSpec, client: &HttpClient) -> Result<Self, RuntimeError> {
        let invalid = |error| RuntimeError::not_loaded(format!("the runtime cannot work: {error}"));
        Ok(Self {
            http: HttpRuntime::to(spec.endpoint().map_err(invalid)?, client)?,
            spec: spec.clone(),
        })
    }

    pub(crate) fn http(&self) -> &HttpRuntime {
        &self.http
    }

    pub(crate) async fn call(&self, input: &Input, how: Calling) -> Result<Output, RuntimeError> {
        let body = self.body(input).map_err(RuntimeError::rejected)?;
        let as_tensors = matches!(input, Input::Json(_));
        let read = |reply: Json| self.answer(&reply, as_tensors);
        self.http.call_with(&Input::Json(body), how, read).await
    }

    pub(crate) async fn probe(&self) -> Result<(), RuntimeError> {
        let probe = match &self.spec.remote.probe {
            None => Input::Text("This is a probe.".into()),
            Some(probe) => Input::from(probe),
        };
        let body = self.body(&probe).map_err(RuntimeError::rejected)?;
        let reply = self.http.ask(&Input::Json(body), Duration::MAX).await?;
        self.answer(&reply, true).map(drop)
    }

    /// A text is one element of BYTES; tensors go on as they came.
    fn body(&self, input: &Input) -> Result<Json, String> {
        let inputs = match input {
            Input::Text(text) => format!(
                "[{{\"name\":{},\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[{}]}}]",
                Value::from(self.spec.text_input.as_str()),
                Value::from(text.as_str())
            ),
            Input::Json(json) => {
                // Which model takes which is known to its server; here it is seen that they are tensors.
                let forms = serde_json::from_str::<Vec<TensorForm<'_>>>(json.as_str());
                forms.map_err(|error| {
                    format!("`inputs` must be an array of tensors with name, datatype, shape and data: {error}")
                })?;
                json.as_str().to_owned()
            }
        };
        Json::parse(format!("{{\"inputs\":{inputs}}}")).map_err(|error| error.to_string())
    }

    fn answer(&self, reply: &Json, as_tensors: bool) -> Result<Output, RuntimeError> {
        let bad = |why: String| RuntimeError::bad_reply(why);
        let read: Reply<'_> = serde_json::from_str(reply.as_str())
            .map_err(|error| bad(format!("the reply does not follow the protocol: {error}")))?;
        let mut outputs = Vec::with_capacity(read.outputs.len());
        for output in &read.outputs {
            let form: TensorForm<'_> = serde_json::from_str(output.get())
                .map_err(|error| bad(format!("an output cannot be read: {error}")))?;
            let tensor = form.tensor().map_err(|error| bad(error.to_string()))?;
            outputs.push((form.name, tensor));
        }
        let named = |name: &str| {
            let found = outputs.iter().find(|(known, _)| known == name);
            found
                .map(|(_, tensor)| tensor)
                .ok_or_else(|| bad(format!("the reply has no output {name}")))
        };
        let prediction = match &self.spec.prediction_output {
            Some(name) => named(name)?,
            None => outputs
                .first()
                .map(|(_, tensor)| tensor)
                .ok_or_else(|| bad("the reply has no outputs".into()))?,
        };
        let confidence = match &self.spec.confidence_output {
            Some(name) => named(name)?
                .elements()
                .number(0)
                .filter(|number| number.is_finite()),
            None => None,
        };
        let forms: Vec<&str> = read.outputs.iter().map(|output| output.get()).collect();
        let outputs =
            as_tensors.then(|| Json::parse(format!("{{\"tensors\":[{}]}}", forms.join(","))).ok());
        Ok(Output {
            prediction: value(prediction)?,
            confidence,
            outputs: outputs.flatten(),
        })
    }
}

/// One element as it is, several as an array.
fn value(tensor: &Tensor) -> Result<Json, RuntimeError> {
    let mut json = String::new();
    if tensor.elements().len() == 1 {
        tensor.elements().write_json(0, &mut json);
    } else {
        tensor.write_nested(&mut json);
    }
    if json == "null" && tensor.elements().data_type() != DataType::Bytes {
        return Err(RuntimeError::bad_reply(
            "the model has answered NaN or infinity, which is not a usable number".into(),
        ));
    }
    Json::parse(json).map_err(|error| RuntimeError::bad_reply(error.to_string()))
}
