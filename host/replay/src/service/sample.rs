//! Samples for one who asks.

use std::time::Duration;

use super::shared::{Request, Sampled, Shared};
use super::{Service, ServiceError};
use crate::table::Sample;

/// Samples that came together.
#[derive(Debug)]
pub struct Batch {
    /// At least one.
    pub samples: Vec<Sample>,
    /// Whether whoever asked had to wait for the limiter.
    pub was_limited: bool,
}

impl Service {
    /// 1 to `count` samples: as many as there can be when there can be one. Waits for that for as long as `timeout`, or for
    /// ever without one.
    ///
    /// # Errors
    /// If there is no such table, the time is over, or the service ends.
    pub async fn sample(&self, table: &str, count: usize, timeout: Option<Duration>) -> Result<Batch, ServiceError> {
        self.request(table, Request { count, is_distinct: false }, timeout).await
    }

    /// The same without any item twice. How many there are depends on the table's items and its limiter.
    ///
    /// # Errors
    /// As [`Self::sample`].
    pub async fn sample_distinct(
        &self,
        table: &str,
        count: usize,
        timeout: Option<Duration>,
    ) -> Result<Batch, ServiceError> {
        self.request(table, Request { count, is_distinct: true }, timeout).await
    }

    async fn request(&self, table: &str, wanted: Request, timeout: Option<Duration>) -> Result<Batch, ServiceError> {
        let shared = self.table(table)?;
        let is_patient = timeout != Some(Duration::ZERO);
        let (number, mut get) = match shared.sample((self.now(), self.wall_nanos()), wanted, is_patient)? {
            Sampled::Now(samples) => return Ok(Batch { samples, was_limited: false }),
            Sampled::Later(number, get) => (number, get),
        };
        let _waiter = Waiter { shared, number };
        let given = match timeout {
            None => (&mut get).await.ok(),
            Some(timeout) => match self.0.scheduler.timeout(timeout, &mut get).await {
                Ok(given) => given.ok(),
                Err(_) => {
                    shared.forget_sample(number);
                    // They may have come at the last moment.
                    Some(get.try_recv().unwrap_or(Err(ServiceError::TimedOut)))
                }
            },
        };
        let samples = given.unwrap_or(Err(ServiceError::Closed))?;
        Ok(Batch { samples, was_limited: true })
    }
}

/// Stops waiting when it is dropped.
struct Waiter<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.shared.forget_sample(self.number);
    }
}
