//! Call errors as gRPC statuses and back, in one table.

use tonic::{Code, Status};

use crate::CallError;

/// The status that tells of `error`.
pub fn to_status(error: &CallError) -> Status {
    match error {
        CallError::Unavailable => Status::new(Code::Unavailable, "the node is not running"),
        CallError::DeadlineExceeded => {
            Status::new(Code::DeadlineExceeded, "the deadline passed before the result came")
        }
        CallError::Cancelled => {
            Status::new(Code::Cancelled, "the caller or the program stopped before the result came")
        }
        CallError::Denied => Status::new(Code::PermissionDenied, "the caller holds no handle of the node"),
        CallError::Overloaded => {
            Status::new(Code::ResourceExhausted, "the node has as many calls waiting as it accepts")
        }
        CallError::TooLarge => {
            Status::new(Code::OutOfRange, "the request or the response is larger than the program's message limit")
        }
        CallError::Failed(message) => Status::new(Code::Internal, message),
    }
}

/// The error that `status` tells of; one that no host sends is a failure with its text.
pub fn from_status(status: &Status) -> CallError {
    match status.code() {
        Code::Unavailable => CallError::Unavailable,
        Code::DeadlineExceeded => CallError::DeadlineExceeded,
        Code::Cancelled => CallError::Cancelled,
        Code::PermissionDenied => CallError::Denied,
        Code::ResourceExhausted => CallError::Overloaded,
        Code::OutOfRange => CallError::TooLarge,
        Code::Internal => CallError::Failed(status.message().to_owned()),
        code => CallError::Failed(format!("{code}: {}", status.message())),
    }
}

#[cfg(test)]
mod tests {
    use super::{CallError, from_status, to_status};

    #[test]
    fn every_call_error_survives_the_way_through_a_status() {
        let errors = [
            CallError::Unavailable,
            CallError::DeadlineExceeded,
            CallError::Cancelled,
            CallError::Denied,
            CallError::Overloaded,
            CallError::TooLarge,
            CallError::Failed("`producer/0` failed while it worked on the call".to_owned()),
        ];
        assert_eq!(errors.len(), CallError::CASES.len());
        for error in errors {
            assert_eq!(from_status(&to_status(&error)), error);
        }
    }
}
