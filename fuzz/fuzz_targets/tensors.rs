//! Tensors as JSON and as bytes: what is taken is the same after it was written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::{DataType, Tensor};

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let data_type = DataType::ALL[usize::from(*kind) % DataType::ALL.len()];
    if let Ok(json) = std::str::from_utf8(rest)
        && let Ok(tensor) = Tensor::from_json(data_type, json)
    {
        let mut written = String::new();
        tensor.write_flat(&mut written);
        let again = Tensor::shaped_from_json(data_type, tensor.shape(), &written);
        let mut twice = String::new();
        again.expect("what was written can be read").write_flat(&mut twice);
        assert_eq!(written, twice);
    }
    let Some((ranks, bytes)) = rest.split_first() else {
        return;
    };
    let Some((shape, bytes)) = bytes.split_at_checked(usize::from(ranks % 5)) else {
        return;
    };
    let shape: Vec<usize> = shape.iter().map(|size| usize::from(*size)).collect();
    if let Ok(tensor) = Tensor::from_raw(data_type, shape, bytes) {
        let mut written = Vec::new();
        tensor.write_raw(&mut written);
        assert_eq!(written, bytes);
    }
});
