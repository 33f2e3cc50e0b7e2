//! tract: an engine in Rust, within this program. It runs fewer models than ONNX Runtime, and needs nothing beside it.

use super::engine::{EngineError, Port, PortKind, Session, Signature, Stop, Value};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tract_onnx::prelude::tract_ndarray::ArrayD;
use tract_onnx::prelude::{
    DatumType, Framework, InferenceModelExt, IntoRunnable, IntoTValue, TVec, TractError,
    TractResult, TypedRunnableModel,
};
use tract_onnx::prelude::{TValue, Tensor as TractTensor};
use tract_onnx::tract_core::plan::{SimpleState, eval};
use tract_onnx::tract_hir::internal::{DimLike, Factoid, TDim, bail, format_err};
use types::{DataType, Elements, MOST_ELEMENTS, Tensor};

struct Runs(Arc<TypedRunnableModel>);

/// Opens a model. The sessions share it.
///
/// # Errors
/// When tract does not take it.
pub(crate) fn open(
    path: &Path,
    sessions: usize,
    _threads: usize,
) -> Result<(Signature, Vec<Box<dyn Session>>), EngineError> {
    let opened = std::panic::catch_unwind(|| read(path));
    let opened = opened.unwrap_or_else(|_| Err(format_err!("it panicked while it read the file")));
    let (signature, plan) = opened.map_err(|error| EngineError::failed(&format!("{error:#}")))?;
    let session = |_| Box::new(Runs(Arc::clone(&plan))) as Box<dyn Session>;
    Ok((signature, (0..sessions).map(session).collect()))
}

fn read(path: &Path) -> TractResult<(Signature, Arc<TypedRunnableModel>)> {
    let mut model = tract_onnx::onnx().model_for_path(path)?;
    // Dimensions without a size or a name need a name, or nothing is known of what follows from them.
    for input in 0..model.input_outlets()?.len() {
        let mut fact = model.input_fact(input)?.clone();
        let dims: Vec<_> = fact.shape.dims().map(|dim| dim.concretize()).collect();
        for (at, dim) in dims.into_iter().enumerate() {
            if dim.is_none() {
                let symbol = model.symbols.sym(&format!("unnamed_{input}_{at}"));
                fact.shape.set_dim(at, TDim::from(symbol));
            }
        }
        model.set_input_fact(input, fact)?;
    }
    let mut signature = Signature::default();
    for (key, value) in &model.properties {
        if let Some(key) = key.strip_prefix("onnx.metadata_props.")
            && let Ok(text) = value
                .try_as_plain_ram()
                .and_then(|plain| plain.to_scalar::<String>().cloned())
        {
            signature.metadata.insert(key.into(), text);
        }
    }
    for outlet in model.input_outlets()? {
        let fact = model.outlet_fact(*outlet)?;
        let size = |dim: Option<TDim>| dim.and_then(|dim| dim.to_usize().ok());
        signature.inputs.push(Port {
            name: model.node(outlet.node).name.clone(),
            kind: kind(fact.datum_type.concretize()),
            dims: fact
                .shape
                .dims()
                .map(|dim| size(dim.concretize()))
                .collect(),
        });
    }
    let name = |outlet: &_| {
        let label: Option<&str> = model.outlet_label(*outlet);
        label.unwrap_or(&model.node(outlet.node).name).to_owned()
    };
    let names: Vec<String> = model.output_outlets()?.iter().map(name).collect();
    let model = model.into_optimized()?;
    for (name, outlet) in names.into_iter().zip(model.output_outlets()?) {
        let fact = model.outlet_fact(*outlet)?;
        signature.outputs.push(Port {
            name,
            kind: kind(Some(fact.datum_type)),
            dims: fact.shape.iter().map(|dim| dim.to_usize().ok()).collect(),
        });
    }
    Ok((signature, model.into_runnable()?))
}

fn kind(of: Option<DatumType>) -> PortKind {
    PortKind::Tensor(match of {
        Some(DatumType::Bool) => DataType::Bool,
        Some(DatumType::I8) => DataType::Int8,
        Some(DatumType::I16) => DataType::Int16,
        Some(DatumType::I32) => DataType::Int32,
        Some(DatumType::I64 | DatumType::TDim) => DataType::Int64,
        Some(DatumType::U8) => DataType::Uint8,
        Some(DatumType::U16) => DataType::Uint16,
        Some(DatumType::U32) => DataType::Uint32,
        Some(DatumType::U64) => DataType::Uint64,
        Some(DatumType::F32 | DatumType::F16) => DataType::Fp32,
        Some(DatumType::F64) => DataType::Fp64,
        Some(DatumType::String) => DataType::Bytes,
        other => return PortKind::Other(format!("{other:?}")),
    })
}

fn given(tensor: Tensor) -> TractResult<TractTensor> {
    let (shape, elements) = tensor.into_parts();
    let shape = shape.as_slice();
    match elements {
        Elements::Bool(values) => TractTensor::from_shape(shape, &values),
        Elements::Int8(values) => TractTensor::from_shape(shape, &values),
        Elements::Int16(values) => TractTensor::from_shape(shape, &values),
        Elements::Int32(values) => TractTensor::from_shape(shape, &values),
        Elements::Int64(values) => TractTensor::from_shape(shape, &values),
        Elements::Uint8(values) => TractTensor::from_shape(shape, &values),
        Elements::Uint16(values) => TractTensor::from_shape(shape, &values),
        Elements::Uint32(values) => TractTensor::from_shape(shape, &values),
        Elements::Uint64(values) => TractTensor::from_shape(shape, &values),
        Elements::Fp32(values) => TractTensor::from_shape(shape, &values),
        Elements::Fp64(values) => TractTensor::from_shape(shape, &values),
        Elements::Fp16(_) => bail!("it takes no numbers of 16 bits"),
        Elements::Bytes(values) => {
            let texts: Result<Vec<String>, _> = values.into_iter().map(String::from_utf8).collect();
            let texts = texts.map_err(|_| format_err!("a text is no UTF-8"))?;
            Ok(ArrayD::from_shape_vec(shape, texts)?.into())
        }
    }
}

fn answered(tensor: &TractTensor) -> TractResult<Value> {
    macro_rules! elements {
        ($variant:ident, $type:ty) => {
            Elements::$variant(tensor.try_as_plain_ram()?.as_slice::<$type>()?.to_vec())
        };
    }
    if tensor.len() > MOST_ELEMENTS {
        bail!("an output has more than {MOST_ELEMENTS} elements");
    }
    let elements = match tensor.datum_type() {
        DatumType::Bool => elements!(Bool, bool),
        DatumType::I8 => elements!(Int8, i8),
        DatumType::I16 => elements!(Int16, i16),
        DatumType::I32 => elements!(Int32, i32),
        DatumType::I64 => elements!(Int64, i64),
        DatumType::U8 => elements!(Uint8, u8),
        DatumType::U16 => elements!(Uint16, u16),
        DatumType::U32 => elements!(Uint32, u32),
        DatumType::U64 => elements!(Uint64, u64),
        DatumType::F32 => elements!(Fp32, f32),
        DatumType::F64 => elements!(Fp64, f64),
        DatumType::F16 => return answered(&*tensor.cast_to::<f32>()?),
        DatumType::TDim => return answered(&*tensor.cast_to::<i64>()?),
        DatumType::String => {
            let plain = tensor.try_as_plain_ram()?;
            let texts = plain.as_slice::<String>()?.iter();
            Elements::Bytes(texts.map(|text| text.clone().into_bytes()).collect())
        }
        other => bail!("it gives {other:?}, which cannot be read"),
    };
    Ok(Value::Tensor(Tensor::new(
        tensor.shape().to_vec(),
        elements,
    )?))
}

impl Session for Runs {
    fn run(&mut self, inputs: Vec<Tensor>, stop: Option<&Stop>) -> Result<Vec<Value>, EngineError> {
        let Self(plan) = self;
        let wrong = |error: TractError| EngineError::failed(&format!("{error:#}"));
        let inputs = inputs
            .into_iter()
            .map(|tensor| Ok(given(tensor)?.into_tvalue()));
        let inputs: TVec<TValue> = inputs.collect::<TractResult<_>>().map_err(wrong)?;
        let read = |outputs: TVec<TValue>| {
            let read = outputs.iter().map(|output| answered(output));
            read.collect::<TractResult<Vec<_>>>()
        };
        let Some(stop) = stop else {
            return self.0.run(inputs).and_then(read).map_err(wrong);
        };
        let stopped = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&stopped);
        if !stop.begins(move || stops.store(true, Ordering::Relaxed)) {
            return Err(EngineError::Stopped);
        }
        let run = || {
            let mut state = SimpleState::new(plan)?;
            // It can be stopped between two operations, and not within one.
            let outputs = state.run_plan_with_eval(
                inputs,
                |context, state, node, inputs| -> TractResult<TVec<TValue>> {
                    if stopped.load(Ordering::Relaxed) {
                        bail!("stopped");
                    }
                    eval(context, state, node, inputs)
                },
            )?;
            outputs
                .iter()
                .map(|output| answered(output))
                .collect::<TractResult<Vec<_>>>()
        };
        run().map_err(|error| {
            if stop.is_stopped() {
                EngineError::Stopped
            } else {
                wrong(error)
            }
        })
    }
}
