//! ONNX Runtime: Microsoft's library, loaded into this process when it starts.

use super::engine::{EngineError, Port, PortKind, Session, Signature, Stop, Value};
use half::f16;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{RunOptions, Session as OrtSession, SessionInputValue};
use ort::value::{
    DynMapValueType, DynValue, Outlet, Tensor as OrtTensor, TensorElementType, ValueType,
};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use types::{DataType, Elements, MOST_ELEMENTS, Tensor};

/// The library of this process: it can have one.
static LOADED: OnceLock<(Environment, String)> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// Loads the library, once; says its version.
///
/// # Errors
/// When it is none, or too old.
pub(crate) fn load(library: &Path) -> Result<String, String> {
    let _turn = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, version)) = LOADED.get() {
        return Ok(version.clone());
    }
    let wrong =
        |error: &dyn std::fmt::Display| format!("{} cannot be loaded: {error}", library.display());
    let path = library.canonicalize().map_err(|error| wrong(&error))?;
    let environment = ort::init_from(&path)
        .map_err(|error| wrong(&said(&error)))?
        .with_name("weir")
        .with_telemetry(false)
        .with_logger(Arc::new(|_, _: &str, _: &str, _: &str, said: &str| {
            tracing::debug!(said, "ONNX Runtime")
        }))
        .build()
        .map_err(|error| wrong(&error))?;
    environment.set_log_level(LogLevel::Fatal);
    // "libonnxruntime.so.1.20.0", or the name of the build.
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let version = name
        .split_once(".so.")
        .or_else(|| name.split_once("onnxruntime."))
        .map_or("", |(_, version)| version);
    let version = version.trim_end_matches(".dylib").to_owned();
    LOADED.get_or_init(|| (environment, version.clone()));
    Ok(version)
}

/// What the system has said; the error itself says only that it did not load.
fn said(error: &ort::LoadDynamicError) -> String {
    let mut said = error.to_string();
    if let ort::LoadDynamicError::Dlopen { error, .. } = error
        && let Some(cause) = std::error::Error::source(error)
    {
        said = cause.to_string();
    }
    said
}

struct Runs(OrtSession, Arc<Signature>);

/// Opens a model.
///
/// # Errors
/// When the library does not take it.
pub(crate) fn open(
    path: &Path,
    sessions: usize,
    threads: usize,
) -> Result<(Signature, Vec<Box<dyn Session>>), EngineError> {
    let (environment, _) = LOADED
        .get()
        .ok_or_else(|| EngineError::Failed("no library is loaded".into()))?;
    let session = |environment: &Environment| -> ort::Result<OrtSession> {
        let session = OrtSession::builder(environment)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            .with_parallel_execution(false)?
            // Threads that spin while they wait take the cores from everybody else.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            // Shapes differ from call to call.
            .with_memory_pattern(false)?
            .with_log_level(LogLevel::Fatal)?
            .commit_from_file(path)?;
        Ok(session)
    };
    let wrong = |error: ort::Error| EngineError::failed(&error);
    let first = session(environment).map_err(wrong)?;
    let signature = Arc::new(signature(&first).map_err(wrong)?);
    let mut all: Vec<Box<dyn Session>> = vec![Box::new(Runs(first, Arc::clone(&signature)))];
    while all.len() < sessions {
        let next = session(environment).map_err(wrong)?;
        all.push(Box::new(Runs(next, Arc::clone(&signature))));
    }
    Ok((Signature::clone(&signature), all))
}

fn signature(session: &OrtSession) -> ort::Result<Signature> {
    let metadata = session.metadata()?;
    let mut custom = Vec::new();
    for key in metadata.custom_keys()? {
        if let Some(value) = metadata.custom(&key) {
            custom.push((key, value));
        }
    }
    Ok(Signature {
        inputs: session.inputs().iter().map(port).collect(),
        outputs: session.outputs().iter().map(port).collect(),
        metadata: custom.into_iter().collect(),
    })
}

fn port(outlet: &Outlet) -> Port {
    let (kind, dims) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let dims = shape
                .iter()
                .map(|size| usize::try_from(*size).ok())
                .collect();
            let kind =
                data_type(*ty).map_or_else(|| PortKind::Other(ty.to_string()), PortKind::Tensor);
            (kind, dims)
        }
        ValueType::Sequence(inner) => match &**inner {
            ValueType::Map {
                key: TensorElementType::String | TensorElementType::Int64,
                value: TensorElementType::Float32,
            } => (PortKind::Maps, Vec::new()),
            _ => (PortKind::Other(outlet.dtype().to_string()), Vec::new()),
        },
        other => (PortKind::Other(other.to_string()), Vec::new()),
    };
    Port {
        name: outlet.name().into(),
        kind,
        dims,
    }
}

fn data_type(of: TensorElementType) -> Option<DataType> {
    Some(match of {
        TensorElementType::Bool => DataType::Bool,
        TensorElementType::Int8 => DataType::Int8,
        TensorElementType::Int16 => DataType::Int16,
        TensorElementType::Int32 => DataType::Int32,
        TensorElementType::Int64 => DataType::Int64,
        TensorElementType::Uint8 => DataType::Uint8,
        TensorElementType::Uint16 => DataType::Uint16,
        TensorElementType::Uint32 => DataType::Uint32,
        TensorElementType::Uint64 => DataType::Uint64,
        TensorElementType::Float16 => DataType::Fp16,
        TensorElementType::Float32 => DataType::Fp32,
        TensorElementType::Float64 => DataType::Fp64,
        TensorElementType::String => DataType::Bytes,
        _ => return None,
    })
}

fn given(tensor: Tensor) -> ort::Result<DynValue> {
    let (shape, elements) = tensor.into_parts();
    // The library takes the elements over where it can.
    Ok(match elements {
        Elements::Bool(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Int8(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Int16(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Int32(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Int64(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Uint8(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Uint16(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Uint32(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Uint64(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Fp16(values) => {
            let halves: Vec<f16> = values.into_iter().map(f16::from_bits).collect();
            OrtTensor::from_array((shape, halves))?.into_dyn()
        }
        Elements::Fp32(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Fp64(values) => OrtTensor::from_array((shape, values))?.into_dyn(),
        Elements::Bytes(values) => {
            let texts: Result<Vec<String>, _> = values.into_iter().map(String::from_utf8).collect();
            let texts = texts.map_err(|_| ort::Error::new("a text is no UTF-8"))?;
            OrtTensor::from_string_array((shape, texts.as_slice()))?.into_dyn()
        }
    })
}

fn answered(value: &DynValue) -> ort::Result<Value> {
    macro_rules! tensor {
        ($variant:ident, $type:ty) => {{
            let (shape, values) = value.try_extract_tensor::<$type>()?;
            (shape.to_vec(), Elements::$variant(values.to_vec()))
        }};
    }
    let unknown = |what: &dyn std::fmt::Display| {
        ort::Error::new(format!("it gives {what}, which cannot be read"))
    };
    let (shape, elements) = match value.dtype() {
        ValueType::Tensor { ty, .. } => match ty {
            TensorElementType::Bool => tensor!(Bool, bool),
            TensorElementType::Int8 => tensor!(Int8, i8),
            TensorElementType::Int16 => tensor!(Int16, i16),
            TensorElementType::Int32 => tensor!(Int32, i32),
            TensorElementType::Int64 => tensor!(Int64, i64),
            TensorElementType::Uint8 => tensor!(Uint8, u8),
            TensorElementType::Uint16 => tensor!(Uint16, u16),
            TensorElementType::Uint32 => tensor!(Uint32, u32),
            TensorElementType::Uint64 => tensor!(Uint64, u64),
            TensorElementType::Float32 => tensor!(Fp32, f32),
            TensorElementType::Float64 => tensor!(Fp64, f64),
            TensorElementType::Float16 => {
                let (shape, values) = value.try_extract_tensor::<f16>()?;
                let bits = values.iter().map(|half| half.to_bits()).collect();
                (shape.to_vec(), Elements::Fp16(bits))
            }
            TensorElementType::String => {
                let (shape, texts) = value.try_extract_strings()?;
                let bytes = texts.into_iter().map(String::into_bytes).collect();
                (shape.to_vec(), Elements::Bytes(bytes))
            }
            other => return Err(unknown(other)),
        },
        ValueType::Sequence(inner) => {
            let maps = value.try_extract_sequence::<DynMapValueType>()?;
            return match &**inner {
                ValueType::Map {
                    key: TensorElementType::String,
                    value: TensorElementType::Float32,
                } => {
                    let row = |map: &ort::value::DynMap| {
                        let pairs = map.try_extract_key_values::<String, f32>()?;
                        let json = |text: String| serde_json::Value::from(text).to_string();
                        Ok(pairs
                            .into_iter()
                            .map(|(class, score)| (json(class), score))
                            .collect())
                    };
                    let rows = maps.iter().map(row).collect::<ort::Result<_>>();
                    rows.map(Value::Maps)
                }
                ValueType::Map {
                    key: TensorElementType::Int64,
                    value: TensorElementType::Float32,
                } => {
                    let row = |map: &ort::value::DynMap| {
                        let pairs = map.try_extract_key_values::<i64, f32>()?;
                        Ok(pairs
                            .into_iter()
                            .map(|(class, score)| (class.to_string(), score))
                            .collect())
                    };
                    let rows = maps.iter().map(row).collect::<ort::Result<_>>();
                    rows.map(Value::Maps)
                }
                other => Err(unknown(other)),
            };
        }
        other => return Err(unknown(other)),
    };
    let shape: Vec<usize> = shape.into_iter().map(|size| size as usize).collect();
    if elements.len() > MOST_ELEMENTS {
        return Err(ort::Error::new(format!(
            "an output has more than {MOST_ELEMENTS} elements"
        )));
    }
    Tensor::new(shape, elements)
        .map(Value::Tensor)
        .map_err(|error| ort::Error::new(error.to_string()))
}

impl Session for Runs {
    fn run(&mut self, inputs: Vec<Tensor>, stop: Option<&Stop>) -> Result<Vec<Value>, EngineError> {
        let wrong = |error: ort::Error| EngineError::failed(&error);
        let Self(session, signature) = self;
        let named = signature.inputs.iter().zip(inputs);
        let named = named.map(|(port, tensor)| {
            let value = SessionInputValue::from(given(tensor)?);
            Ok((port.name.as_str(), value))
        });
        let named: Vec<(&str, SessionInputValue<'_>)> =
            named.collect::<ort::Result<_>>().map_err(wrong)?;
        let read = |outputs: ort::session::SessionOutputs<'_>| {
            outputs.iter().map(|(_, value)| answered(&value)).collect()
        };
        let Some(stop) = stop else {
            return session.run(named).and_then(read).map_err(wrong);
        };
        let options = Arc::new(RunOptions::new().map_err(wrong)?);
        let stops = Arc::clone(&options);
        if !stop.begins(move || drop(stops.terminate())) {
            return Err(EngineError::Stopped);
        }
        let outputs = session.run_with_options(named, &*options).and_then(read);
        outputs.map_err(|error| match stop.is_stopped() {
            true => EngineError::Stopped,
            false => wrong(error),
        })
    }
}
