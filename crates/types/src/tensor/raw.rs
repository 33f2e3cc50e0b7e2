//! Tensors as bytes, as Triton's binary extension of the Open Inference Protocol has them: little-endian, one element after
//! the other; a text is its length (4 bytes) and its bytes.

use super::{DataType, Elements, InvalidTensor, Tensor, elements_of, invalid};

/// The bytes of one element, where they have a fixed size.
fn element_bytes(data_type: DataType) -> Option<usize> {
    Some(match data_type {
        DataType::Bool | DataType::Int8 | DataType::Uint8 => 1,
        DataType::Int16 | DataType::Uint16 | DataType::Fp16 => 2,
        DataType::Int32 | DataType::Uint32 | DataType::Fp32 => 4,
        DataType::Int64 | DataType::Uint64 | DataType::Fp64 => 8,
        DataType::Bytes => return None,
    })
}

impl Tensor {
    /// Reads a tensor of which all bytes are given.
    ///
    /// # Errors
    /// When they are more or fewer than the shape has, or no elements of this type.
    pub fn from_raw(
        data_type: DataType,
        shape: Vec<usize>,
        bytes: &[u8],
    ) -> Result<Self, InvalidTensor> {
        let count = elements_of(&shape)?;
        if let Some(size) = element_bytes(data_type)
            && count * size != bytes.len()
        {
            return invalid(format!(
                "has {} bytes, and {count} elements of {data_type} have {}",
                bytes.len(),
                count * size
            ));
        }
        macro_rules! numbers {
            ($variant:ident, $type:ty) => {{
                let parts = bytes.chunks_exact(size_of::<$type>());
                let number =
                    |part: &[u8]| <$type>::from_le_bytes(part.try_into().unwrap_or_default());
                Elements::$variant(parts.map(number).collect())
            }};
        }
        let elements = match data_type {
            DataType::Bool => {
                if let Some(other) = bytes.iter().find(|byte| **byte > 1) {
                    return invalid(format!(
                        "has the byte {other}, which is no BOOL: 0 and 1 are"
                    ));
                }
                Elements::Bool(bytes.iter().map(|byte| *byte == 1).collect())
            }
            DataType::Int8 => numbers!(Int8, i8),
            DataType::Int16 => numbers!(Int16, i16),
            DataType::Int32 => numbers!(Int32, i32),
            DataType::Int64 => numbers!(Int64, i64),
            DataType::Uint8 => Elements::Uint8(bytes.to_vec()),
            DataType::Uint16 => numbers!(Uint16, u16),
            DataType::Uint32 => numbers!(Uint32, u32),
            DataType::Uint64 => numbers!(Uint64, u64),
            DataType::Fp16 => numbers!(Fp16, u16),
            DataType::Fp32 => numbers!(Fp32, f32),
            DataType::Fp64 => numbers!(Fp64, f64),
            DataType::Bytes => Elements::Bytes(texts(count, bytes)?),
        };
        Self::new(shape, elements)
    }

    /// Writes the elements as bytes.
    pub fn write_raw(&self, bytes: &mut Vec<u8>) {
        macro_rules! numbers {
            ($values:expr) => {
                for value in $values {
                    bytes.extend_from_slice(&value.to_le_bytes());
                }
            };
        }
        match self.elements() {
            Elements::Bool(values) => bytes.extend(values.iter().map(|value| u8::from(*value))),
            Elements::Int8(values) => numbers!(values),
            Elements::Int16(values) => numbers!(values),
            Elements::Int32(values) => numbers!(values),
            Elements::Int64(values) => numbers!(values),
            Elements::Uint8(values) => bytes.extend_from_slice(values),
            Elements::Uint16(values) | Elements::Fp16(values) => numbers!(values),
            Elements::Uint32(values) => numbers!(values),
            Elements::Uint64(values) => numbers!(values),
            Elements::Fp32(values) => numbers!(values),
            Elements::Fp64(values) => numbers!(values),
            Elements::Bytes(texts) => {
                for text in texts {
                    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                    bytes.extend_from_slice(&length.to_le_bytes());
                    bytes.extend_from_slice(text);
                }
            }
        }
    }
}

fn texts(count: usize, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, InvalidTensor> {
    // A shape may promise more than came: nothing is kept ready for it.
    let mut texts = Vec::with_capacity(count.min(bytes.len() / 4));
    while texts.len() < count {
        let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
            let came = texts.len();
            return invalid(format!("ends after {came} of {count} elements"));
        };
        let length = u32::from_le_bytes(*length) as usize;
        let Some((text, rest)) = rest.split_at_checked(length) else {
            return invalid(format!(
                "has an element of {length} bytes, and {} are left",
                rest.len()
            ));
        };
        texts.push(text.to_vec());
        bytes = rest;
    }
    if !bytes.is_empty() {
        return invalid(format!(
            "has {} bytes behind its {count} elements",
            bytes.len()
        ));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(data_type: DataType, bytes: &[u8], shape: &[usize]) {
        if let Ok(tensor) = Tensor::from_raw(data_type, shape.to_vec(), bytes) {
            let mut again = Vec::new();
            tensor.write_raw(&mut again);
            assert_eq!(again, bytes);
            assert_eq!(tensor.shape(), shape);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_as_it_was(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            shape in prop::collection::vec(0usize..9, 0..4),
            kind in 0..DataType::ALL.len(),
        ) {
            let data_type = DataType::ALL[kind];
            round_trip(data_type, &bytes, &shape);
            // The same with a shape that fits.
            if let Some(size) = element_bytes(data_type) {
                round_trip(data_type, &bytes, &[bytes.len() / size]);
            }
        }

        #[test]
        fn texts_are_read_back(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..9)) {
            let tensor = Tensor::new(vec![texts.len()], Elements::Bytes(texts)).unwrap();
            let mut bytes = Vec::new();
            tensor.write_raw(&mut bytes);
            let again = Tensor::from_raw(DataType::Bytes, tensor.shape().to_vec(), &bytes).unwrap();
            prop_assert_eq!(again, tensor);
        }
    }

    #[test]
    fn bytes_that_are_too_many_or_too_few_are_no_tensor() {
        let read = |data_type, shape: &[usize], bytes: &[u8]| {
            Tensor::from_raw(data_type, shape.to_vec(), bytes)
        };
        assert!(read(DataType::Fp32, &[2], &[0; 8]).is_ok());
        for (data_type, shape, bytes) in [
            (DataType::Fp32, &[2usize][..], &[0u8; 7][..]),
            (DataType::Fp32, &[2], &[0; 12]),
            (DataType::Bool, &[1], &[2]),
            (DataType::Bytes, &[1], &[3, 0, 0, 0, 1]),
            (DataType::Bytes, &[1], &[255, 255, 255, 255, 1]),
            (DataType::Bytes, &[1], &[0, 0, 0, 0, 1]),
            (DataType::Bytes, &[1 << 25], &[0, 0, 0, 0]),
            (DataType::Int8, &[usize::MAX, usize::MAX], &[]),
            (DataType::Int8, &[1 << 40], &[]),
        ] {
            assert!(
                read(data_type, shape, bytes).is_err(),
                "{data_type} {shape:?}"
            );
        }
    }
}
