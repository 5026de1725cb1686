//! What a replica may use at most, as a worker enforces it.

use serde::{Deserialize, Serialize};

use crate::words::Limit;

/// What a replica may use at most; what may be missing has no limit then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitsPlan {
    /// The linear memories of the guest together.
    pub memory_bytes: u64,
    /// The elements of the guest's tables together.
    pub table_elements: u64,
    /// The stack of the guest.
    pub stack_bytes: u64,
    /// The component handles that the guest holds.
    pub handles: u64,
    /// The files and directories that the guest has open.
    pub open_files: u64,
    /// The sockets that the guest has.
    pub sockets: u64,
    /// The HTTP requests that the guest has under way.
    pub http_requests: u32,
    /// The headers of one HTTP request or response.
    pub http_header_bytes: u64,
    /// The body of one HTTP request or response.
    pub http_body_bytes: u64,
    /// The largest call or result of the guest, and the most that it hands to the host at once.
    pub message_bytes: u64,
    /// The calls that wait for the replica.
    pub calls_queued: u32,
    /// The bytes of the calls that wait for the replica.
    pub queued_bytes: u64,
    /// The bytes of the calls that the guest has made and that are not answered.
    pub made_bytes: u64,
    /// The calls to `async` functions that the replica works on at once.
    pub calls_concurrent: u32,
    /// The unanswered calls that the replica accepts over one connection from another process.
    pub calls_per_connection: u32,
    /// The time that the guest computes in one call.
    pub call_cpu_ms: Option<u64>,
    /// The time that one call takes from its start to its result.
    pub call_time_ms: Option<u64>,
    /// The time that the guest computes from its start to its end.
    pub cpu_ms: Option<u64>,
    /// The fuel that the guest has.
    pub fuel: Option<u64>,
    /// The output of one second.
    pub output_bytes_per_second: u64,
    /// The output from the start to the end.
    pub output_bytes: Option<u64>,
}

impl LimitsPlan {
    /// The limits that `given` gives, each in its unit; those that have a default must be given.
    ///
    /// # Panics
    /// If one that has a default is not given, or a count of 32 bits is larger than that.
    pub fn of(given: impl Fn(Limit) -> Option<u64>) -> Self {
        let has = |limit| given(limit).expect("this limit has a default");
        let count = |limit| u32::try_from(has(limit)).expect("a program is checked to have no more than a million");
        Self {
            memory_bytes: has(Limit::Memory),
            table_elements: has(Limit::TableElements),
            stack_bytes: has(Limit::Stack),
            handles: has(Limit::Handles),
            open_files: has(Limit::OpenFiles),
            sockets: has(Limit::Sockets),
            http_requests: count(Limit::HttpRequests),
            http_header_bytes: has(Limit::HttpHeaders),
            http_body_bytes: has(Limit::HttpBody),
            message_bytes: has(Limit::Message),
            calls_queued: count(Limit::CallsQueued),
            queued_bytes: has(Limit::QueuedBytes),
            made_bytes: has(Limit::MadeBytes),
            calls_concurrent: count(Limit::CallsConcurrent),
            calls_per_connection: count(Limit::CallsPerConnection),
            call_cpu_ms: given(Limit::CallCpu),
            call_time_ms: given(Limit::CallTime),
            cpu_ms: given(Limit::Cpu),
            fuel: given(Limit::Fuel),
            output_bytes_per_second: has(Limit::OutputRate),
            output_bytes: given(Limit::Output),
        }
    }
}

impl Default for LimitsPlan {
    fn default() -> Self {
        Self::of(Limit::default)
    }
}
