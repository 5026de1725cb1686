//! What becomes of a call at once: most are answered by the time that their caller could wait for them.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::{CallError, Message};

/// A call that was made.
pub enum Called {
    /// It is over.
    Answered(Result<Message, CallError>),
    /// It goes on. Dropping the future leaves the callee to finish for nobody.
    UnderWay(UnderWay),
}

/// The rest of a call, which borrows nothing.
pub type UnderWay = Pin<Box<dyn Future<Output = Result<Message, CallError>> + Send>>;

impl Called {
    /// Takes the first step of `call`, which reads what its caller may change once it goes on.
    pub fn first_step(call: impl Future<Output = Result<Message, CallError>> + Send + 'static) -> Self {
        let mut call = Box::pin(call);
        // Whoever waits for the rest polls it again and is woken then.
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Self::Answered(result),
            Poll::Pending => Self::UnderWay(call),
        }
    }

    /// Waits for the answer.
    pub async fn answer(self) -> Result<Message, CallError> {
        match self {
            Self::Answered(result) => result,
            Self::UnderWay(call) => call.await,
        }
    }
}
