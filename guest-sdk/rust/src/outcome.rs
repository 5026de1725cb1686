//! What a test may return.

use std::fmt::Display;

/// What a test may return: nothing, or a `Result` whose error can be shown.
pub trait TestResult {
    /// The same as `lp:test/tests` has it.
    ///
    /// # Errors
    /// If the test failed, with what was not as expected.
    fn into_result(self) -> Result<(), String>;
}

impl TestResult for () {
    fn into_result(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> TestResult for Result<(), E> {
    fn into_result(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}
