//! `lp:replay` for guests: what they call, from the request's message to that of the response.
//!
//! Guests have plain tensors. What they write is kept as the clients of Reverb write it, and what those wrote is unpacked for
//! guests.

mod messages;
mod sampling;
mod tensor;
#[cfg(test)]
mod tests;
mod writing;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use messages::{
    DeleteRequest, Keys, RateLimiter, ResetRequest, SampleRequest, Samples, SetRateLimiterRequest, TableInfo, Tables,
    UpdateRequest, WriteRequest, ok, ok_text,
};
use prost::Message;
use writing::Streams;

use crate::checkpoint::Checkpointer;
use crate::service::{Progress, Service, ServiceError, Wait, Wanted};
use crate::table::{ItemKey, LimiterSpec, Sample};

/// The most samples of one call.
const SAMPLES_MAX: u32 = 1_000_000;

/// The functions of the interfaces, by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `reader.sample`.
    Sample,
    /// `reader.sample-batch`.
    SampleBatch,
    /// `reader.info`.
    Info,
    /// `writer.write`.
    Write,
    /// `writer.update`.
    Update,
    /// `writer.delete`.
    Delete,
    /// `admin.reset`.
    Reset,
    /// `admin.set-rate-limiter`.
    SetRateLimiter,
    /// `admin.checkpoint`.
    Checkpoint,
}

impl Method {
    /// Every function.
    pub const ALL: [(&'static str, Self); 9] = [
        ("sample", Self::Sample),
        ("sample-batch", Self::SampleBatch),
        ("info", Self::Info),
        ("write", Self::Write),
        ("update", Self::Update),
        ("delete", Self::Delete),
        ("reset", Self::Reset),
        ("set-rate-limiter", Self::SetRateLimiter),
        ("checkpoint", Self::Checkpoint),
    ];

    /// The function of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, method)| method)
    }
}

/// Why a call of a guest was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The time is over.
    TimedOut,
    /// The service ends.
    Closed,
    /// The answer is larger than a message may be.
    TooLarge,
    /// What was asked for can't be done.
    Failed(String),
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::TimedOut => Self::TimedOut,
            ServiceError::Closed => Self::Closed,
            ServiceError::NoTable(name) => Self::Failed(format!("there is no table `{name}`")),
            error => Self::Failed(error.to_string()),
        }
    }
}

/// The calls of guests. A clone serves the same.
#[derive(Clone, Debug)]
pub struct Guests {
    service: Service,
    checkpointer: Option<Checkpointer>,
    bytes_max: usize,
    writing: Arc<Mutex<(Streams, fastrand::Rng)>>,
}

impl Guests {
    /// Serves guests, whose answers may have as many bytes.
    pub fn new(service: Service, checkpointer: Option<Checkpointer>, bytes_max: usize) -> Self {
        let random = service.scheduler().random("replay guests");
        let writing = Arc::new(Mutex::new((Streams::new(service.held_bytes_max()), random)));
        Self { service, checkpointer, bytes_max, writing }
    }

    /// Works on a call by `caller`, and returns its response.
    ///
    /// # Errors
    /// If it can't be done, and the guest is to be told why.
    pub async fn call(&self, caller: Option<u32>, method: Method, request: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let request = Bytes::from(request);
        match method {
            Method::Sample => self.sample(decoded(request)?).await,
            Method::SampleBatch => self.sample_batch(decoded(request)?).await,
            Method::Info => Ok(ok(&Tables { tables: self.info() })),
            Method::Write => self.write(caller, decoded(request)?).await,
            Method::Update => self.update(decoded(request)?),
            Method::Delete => self.delete(decoded(request)?),
            Method::Reset => {
                self.service.reset(&decoded::<ResetRequest>(request)?.table)?;
                Ok(ok(&()))
            }
            Method::SetRateLimiter => self.set_rate_limiter(decoded(request)?),
            Method::Checkpoint => self.checkpoint().await,
        }
    }

    async fn sample(&self, request: SampleRequest) -> Result<Vec<u8>, Refusal> {
        let samples = self.samples(request).await?;
        let samples = samples.iter().map(sampling::sampled).collect::<Result<_, _>>()?;
        self.bounded(&Samples { samples })
    }

    async fn sample_batch(&self, request: SampleRequest) -> Result<Vec<u8>, Refusal> {
        let samples = self.samples(request).await?;
        self.bounded(&sampling::batch(&samples, self.bytes_max)?)
    }

    fn bounded(&self, message: &impl Message) -> Result<Vec<u8>, Refusal> {
        if message.encoded_len() > self.bytes_max { Err(Refusal::TooLarge) } else { Ok(ok(message)) }
    }

    /// As many samples as are asked for, or those that there were when the time was over.
    async fn samples(&self, request: SampleRequest) -> Result<Vec<Sample>, Refusal> {
        let request = request.request.unwrap_or_default();
        if !(1..=SAMPLES_MAX).contains(&request.count) {
            return Err(Refusal::Failed(format!("`count` must be from 1 to {SAMPLES_MAX}, not {}", request.count)));
        }
        let timeout = request.timeout_ms.map(Duration::from_millis);
        let count = request.count as usize;
        if request.distinct {
            return Ok(self.service.sample_distinct(&request.table, count, timeout).await?.samples);
        }
        let begun = self.service.scheduler().now();
        let mut samples = Vec::new();
        while samples.len() < count {
            let now = self.service.scheduler().now();
            let left = timeout.map(|timeout| timeout.saturating_sub(now.saturating_duration_since(begun)));
            match self.service.sample(&request.table, count - samples.len(), left).await {
                Ok(batch) => samples.extend(batch.samples),
                Err(ServiceError::TimedOut) if !samples.is_empty() => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(samples)
    }

    async fn write(&self, caller: Option<u32>, request: WriteRequest) -> Result<Vec<u8>, Refusal> {
        for item in &request.items {
            self.service.check(&item.table, item.priority)?;
        }
        let ready = {
            let (streams, random) = &mut *self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            streams.write(caller, request, self.service.gauge(), random)?
        };
        let mut inserts = self.service.inserts();
        let mut keys = Vec::with_capacity(ready.len());
        let mut waiting = 0;
        for ready in ready {
            keys.push(ready.item.key().0);
            waiting += usize::from(inserts.insert(&ready.table, ready.item, ready.priority)? == Progress::Waits);
        }
        for _ in 0..waiting {
            std::future::poll_fn(|cx| inserts.poll_done(cx)).await?;
        }
        Ok(ok(&Keys { keys }))
    }

    fn update(&self, request: UpdateRequest) -> Result<Vec<u8>, Refusal> {
        let updates: Vec<_> = request.updates.iter().map(|update| (ItemKey(update.key), update.priority)).collect();
        self.service.mutate(&request.table, &updates, &[])?;
        Ok(ok(&()))
    }

    fn delete(&self, request: DeleteRequest) -> Result<Vec<u8>, Refusal> {
        let keys: Vec<_> = request.keys.into_iter().map(ItemKey).collect();
        self.service.mutate(&request.table, &[], &keys)?;
        Ok(ok(&()))
    }

    fn set_rate_limiter(&self, request: SetRateLimiterRequest) -> Result<Vec<u8>, Refusal> {
        let limiter = request.limiter.unwrap_or_default();
        let spec = LimiterSpec {
            samples_per_insert: limiter.samples_per_insert,
            min_size_to_sample: i64::try_from(limiter.min_size).unwrap_or(i64::MAX),
            min_diff: limiter.min_diff,
            max_diff: limiter.max_diff,
        };
        let set = self.service.set_limiter(&request.table, spec)?;
        set.map_err(|error| Refusal::Failed(error.to_string()))?;
        Ok(ok(&()))
    }

    async fn checkpoint(&self) -> Result<Vec<u8>, Refusal> {
        let Some(checkpointer) = &self.checkpointer else {
            let message = "the node has no folder for checkpoints: give it one by `checkpoint = { dir = \"…\" }`";
            return Err(Refusal::Failed(message.to_owned()));
        };
        let path = checkpointer.write().await.map_err(|error| Refusal::Failed(error.to_string()))?;
        Ok(ok_text(&path.to_string_lossy()))
    }

    fn info(&self) -> Vec<TableInfo> {
        let waits = self.service.waits();
        let count = |value: i64| u64::try_from(value).unwrap_or(0);
        let info = |info: crate::table::TableInfo| {
            let limiter = info.spec.limiter;
            TableInfo {
                size: info.size as u64,
                max_size: info.spec.max_size as u64,
                max_times_sampled: info.spec.max_times_sampled.and_then(|times| u32::try_from(times.get()).ok()),
                rate_limiter: Some(RateLimiter {
                    samples_per_insert: limiter.samples_per_insert,
                    min_size: count(limiter.min_size_to_sample),
                    min_diff: limiter.min_diff,
                    max_diff: limiter.max_diff,
                }),
                inserts: count(info.counts.inserts),
                samples: count(info.counts.samples),
                episodes: info.num_episodes as u64,
                waits: waits.iter().filter(|wait| wait.table == info.spec.name).map(wait).collect(),
                name: info.spec.name,
            }
        };
        self.service.info().into_iter().map(info).collect()
    }
}

fn wait(wait: &Wait) -> messages::Wait {
    let what = match wait.wanted {
        Wanted::Insert => "insert",
        Wanted::Sample => "sample",
    };
    messages::Wait {
        what: what.to_owned(),
        count: u32::try_from(wait.count).unwrap_or(u32::MAX),
        milliseconds: u64::try_from(wait.time.as_millis()).unwrap_or(u64::MAX),
        reason: wait.reason.clone(),
    }
}

fn decoded<T: Message + Default>(request: Bytes) -> Result<T, Refusal> {
    T::decode(request).map_err(|error| Refusal::Failed(format!("the request is malformed: {error}")))
}
