//! How a call ended, as gRPC says it.

use http::{HeaderMap, HeaderValue};

use crate::service::ServiceError;
use crate::table::ItemKey;

/// Why a call failed: a code of gRPC and a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    code: u8,
    message: String,
}

const CANCELLED: u8 = 1;
const INVALID_ARGUMENT: u8 = 3;
const DEADLINE_EXCEEDED: u8 = 4;
const NOT_FOUND: u8 = 5;
const RESOURCE_EXHAUSTED: u8 = 8;
const FAILED_PRECONDITION: u8 = 9;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;

impl Status {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(super) fn no_method(path: &str) -> Self {
        Self::new(UNIMPLEMENTED, format!("there is no method {path}"))
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(INVALID_ARGUMENT, message)
    }

    pub(super) fn malformed(error: impl std::fmt::Display) -> Self {
        Self::new(INVALID_ARGUMENT, format!("the request is malformed: {error}"))
    }

    pub(super) fn failed_precondition(message: impl Into<String>) -> Self {
        Self::new(FAILED_PRECONDITION, message)
    }

    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::new(RESOURCE_EXHAUSTED, message)
    }

    pub(super) fn compressed() -> Self {
        Self::new(UNIMPLEMENTED, "compressed messages are not supported")
    }

    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(INTERNAL, message)
    }

    /// Nobody hears of it: the client has gone.
    pub(super) fn lost() -> Self {
        Self::new(CANCELLED, "the client has gone")
    }

    pub(super) fn of_item(error: ServiceError, key: ItemKey) -> Self {
        let mut status = Self::from(error);
        if status.code == INVALID_ARGUMENT {
            status.message = format!("{} (item {key})", status.message);
        }
        status
    }

    /// The trailers of a call that ended with this.
    pub(super) fn trailers(result: &Result<(), Self>) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers
            .insert("grpc-status", HeaderValue::from(result.as_ref().err().map_or(0, |status| u16::from(status.code))));
        if let Err(status) = result
            && let Ok(message) = HeaderValue::from_str(&percent_encoded(&status.message))
        {
            trailers.insert("grpc-message", message);
        }
        trailers
    }
}

impl From<ServiceError> for Status {
    fn from(error: ServiceError) -> Self {
        let code = match error {
            ServiceError::NoTable(_) => NOT_FOUND,
            ServiceError::TimedOut => DEADLINE_EXCEEDED,
            ServiceError::Closed => CANCELLED,
            ServiceError::Priority(_) | ServiceError::Trajectory(_) => INVALID_ARGUMENT,
            ServiceError::NoChunk(_) => INTERNAL,
            ServiceError::TooLarge { .. } | ServiceError::HeldTooMuch { .. } => RESOURCE_EXHAUSTED,
        };
        Self::new(code, error.to_string())
    }
}

/// A text as a header has it.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
