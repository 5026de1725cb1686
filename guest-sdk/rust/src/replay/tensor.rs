//! Numbers as tensors, and back.

use super::{Dtype, Tensor};

/// Conversions of one type of numbers.
macro_rules! numbers {
    ($($type:ident: $dtype:ident, $to:ident;)*) => {
        impl Tensor {
            $(
                #[doc = concat!("A tensor of `", stringify!($type), "`: of one number for the shape `[]`.")]
                ///
                /// # Panics
                /// If there are not as many numbers as the shape says.
                pub fn $type(shape: &[u32], numbers: &[$type]) -> Self {
                    let data = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                    Self::of(Dtype::$dtype, shape, numbers.len(), data)
                }

                #[doc = concat!("The numbers of a tensor of `", stringify!($type), "`, in rows.")]
                ///
                /// # Panics
                /// If it is a tensor of something else.
                pub fn $to(&self) -> Vec<$type> {
                    assert_eq!(self.dtype, Dtype::$dtype, "the tensor is of another type");
                    let (numbers, _) = self.data.as_chunks();
                    numbers.iter().map(|bytes| $type::from_le_bytes(*bytes)).collect()
                }
            )*
        }
    };
}

numbers! {
    f32: Float32, to_f32;
    f64: Float64, to_f64;
    i8: Int8, to_i8;
    i16: Int16, to_i16;
    i32: Int32, to_i32;
    i64: Int64, to_i64;
    u8: Uint8, to_u8;
    u16: Uint16, to_u16;
    u32: Uint32, to_u32;
    u64: Uint64, to_u64;
}

impl Tensor {
    fn of(dtype: Dtype, shape: &[u32], count: usize, data: Vec<u8>) -> Self {
        let elements: usize = shape.iter().map(|size| *size as usize).product();
        assert_eq!(elements, count, "the shape {shape:?} is of other numbers");
        Self { dtype, shape: shape.to_vec(), data }
    }
}
