//! What can be wrong with a value that a guest hands over or that a message carries.

use lp_base::protobuf::FormatError;

/// A value that breaks the canonical ABI or the encoding. It traps the guest that is reading or writing it.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    #[error("the {what} at {offset:#x} with {length} bytes is out of bounds of a memory of {memory} bytes")]
    OutOfBounds { what: &'static str, offset: usize, length: usize, memory: usize },
    #[error("the {what} at {offset:#x} is not aligned to {align} bytes")]
    Unaligned { what: &'static str, offset: usize, align: u32 },
    #[error("a list of {count} elements of {size} bytes is longer than a memory can be")]
    ListTooLong { count: usize, size: usize },
    #[error("{value:#x} is not a char")]
    Char { value: u64 },
    #[error("a string is not valid {encoding}")]
    String { encoding: &'static str },
    #[error("{value} is not a case of a type with {cases} cases")]
    Discriminant { value: u64, cases: usize },
    #[error("flags {value:#b} are set of a type with {flags} flags")]
    Flags { value: u64, flags: usize },
    #[error("{value} does not fit the type `{ty}`")]
    Range { value: i128, ty: &'static str },
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("a call of this function failed with `{0}`, which its result has no case for")]
    NoErrorCase(String),
    #[error("the message is larger than its limit")]
    TooLarge,
    #[error("couriers do not carry values of this type")]
    Type,
}
