//! What can be wrong with a value or with a message, and where in it.

use std::fmt;

use lp_base::protobuf::FormatError;

/// A message that is no value of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// Where in the value it is wrong, such as `steps[2].by`; empty if it is the whole.
    pub path: String,
    /// What is wrong there.
    pub problem: DecodeProblem,
}

/// What is wrong with a message. The texts are those of `docs/encoding.md`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeProblem {
    /// The message breaks the protobuf wire format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A number is outside of the range of its type.
    #[error("{value} does not fit the type `{ty}`")]
    Range {
        /// The number.
        value: i128,
        /// The integer type.
        ty: &'static str,
    },
    /// A number is no Unicode scalar value.
    #[error("{value:#x} is not a char")]
    Char {
        /// The number.
        value: u64,
    },
    /// An enum has no case of this number.
    #[error("{value} is not a case of a type with {cases} cases")]
    Case {
        /// The number.
        value: u64,
        /// How many cases the enum has.
        cases: usize,
    },
    /// A bit is set that is no flag.
    #[error("flags {value:#b} are set of a type with {flags} flags")]
    Flags {
        /// The bits.
        value: u64,
        /// How many flags the type has.
        flags: usize,
    },
    /// A string is not UTF-8.
    #[error("a string is not valid UTF-8")]
    Utf8,
    /// The value takes so much more than its message that it is not made.
    #[error(
        "the value takes more than {bytes_max} bytes; its message is much smaller, since it leaves out what is zero"
    )]
    TooLarge {
        /// The most that it may take.
        bytes_max: usize,
    },
}

/// Text that is no value of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeError {
    /// Where the value is, such as `steps[2].by`; empty if it is the whole.
    pub path: String,
    /// What is wrong with it.
    pub problem: EncodeProblem,
}

/// What is wrong with a value. It is shown as JSON, also if it was written in another way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeProblem {
    /// It is something else than its type asks for.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What the type asks for, such as "a `u8` from 0 to 255".
        expected: String,
        /// What there is, such as "`300`" or "an array of 2".
        found: String,
    },
    /// A field or a parameter that is no option is missing.
    #[error("`{name}` is missing")]
    Missing {
        /// The name of the field.
        name: String,
    },
    /// A field, parameter, case or flag is not one of the type's.
    #[error("there is no `{name}`; there {}", known(names))]
    Unknown {
        /// The name that was given.
        name: String,
        /// The names that the type has.
        names: Vec<String>,
    },
}

fn known(names: &[String]) -> String {
    match names {
        [] => "are none".to_owned(),
        [name] => format!("is only `{name}`"),
        names => format!("are {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

impl std::error::Error for DecodeError {}

impl std::error::Error for EncodeError {}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_at(f, &self.path, &self.problem)
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_at(f, &self.path, &self.problem)
    }
}

fn fmt_at(f: &mut fmt::Formatter<'_>, path: &str, problem: &dyn fmt::Display) -> fmt::Result {
    match path {
        "" => problem.fmt(f),
        path => write!(f, "`{path}`: {problem}"),
    }
}

impl<P: Into<DecodeProblem>> From<P> for DecodeError {
    fn from(problem: P) -> DecodeError {
        DecodeError { path: String::new(), problem: problem.into() }
    }
}

impl DecodeError {
    /// The error as one of the value that has this one at the field, parameter or case `name`.
    pub(super) fn within(self, name: &str) -> DecodeError {
        DecodeError { path: joined(name, &self.path), ..self }
    }

    /// The error as one of the list or tuple that has this one at `index`.
    pub(super) fn at(self, index: usize) -> DecodeError {
        DecodeError { path: joined(&format!("[{index}]"), &self.path), ..self }
    }
}

/// A path with a step in front.
fn joined(step: &str, rest: &str) -> String {
    let dot = if rest.is_empty() || rest.starts_with('[') { "" } else { "." };
    format!("{step}{dot}{rest}")
}
