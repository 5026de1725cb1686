//! What a replica may use at most: every limit by its name, with its unit, its range and what holds without it.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::units::{format_bytes, format_millis};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The largest message of a program whose file says nothing of it.
pub const MESSAGE_BYTES_MAX: u64 = 64 * MIB;

/// A limit that every node has, under the name that it has in `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The linear memories of the guest together, in bytes.
    Memory,
    /// The elements of the guest's tables together.
    TableElements,
    /// The stack of the guest, in bytes.
    Stack,
    /// The component handles that the guest holds: resources, calls under way, streams, futures.
    Handles,
    /// The files and directories that the guest has open.
    OpenFiles,
    /// The sockets that the guest has.
    Sockets,
    /// The HTTP requests that the guest has under way.
    HttpRequests,
    /// The headers of one HTTP request or response, in bytes.
    HttpHeaders,
    /// The body of one HTTP request or response, in bytes.
    HttpBody,
    /// The largest call or result, encoded, in bytes; and the most that the guest hands to the host at once.
    Message,
    /// The calls that wait for the replica.
    CallsQueued,
    /// The bytes of the calls that wait for the replica.
    QueuedBytes,
    /// The bytes of the calls that the guest has made and that are not answered.
    MadeBytes,
    /// The calls to `async` functions that the replica works on at once.
    CallsConcurrent,
    /// The unanswered calls that the replica accepts over one connection from another process.
    CallsPerConnection,
    /// The time that the guest computes in one call, in milliseconds.
    CallCpu,
    /// The time that one call takes from its start to its result, in milliseconds.
    CallTime,
    /// The time that the guest computes from its start to its end, in milliseconds.
    Cpu,
    /// The instructions that the guest executes, roughly: wasmtime's fuel.
    Fuel,
    /// The output of one second, in bytes.
    OutputRate,
    /// The output from the start to the end, in bytes.
    Output,
}

/// How the values of a limit are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `"64MiB"`
    Bytes,
    /// `"5s"`
    Millis,
    /// `100`
    Count,
}

impl Limit {
    /// Every limit, in the order of the reference.
    pub const ALL: [Limit; 21] = [
        Limit::Memory,
        Limit::TableElements,
        Limit::Stack,
        Limit::Handles,
        Limit::OpenFiles,
        Limit::Sockets,
        Limit::HttpRequests,
        Limit::HttpHeaders,
        Limit::HttpBody,
        Limit::Message,
        Limit::CallsQueued,
        Limit::QueuedBytes,
        Limit::MadeBytes,
        Limit::CallsConcurrent,
        Limit::CallsPerConnection,
        Limit::CallCpu,
        Limit::CallTime,
        Limit::Cpu,
        Limit::Fuel,
        Limit::OutputRate,
        Limit::Output,
    ];

    /// The name as messages give it, such as `limits.call-cpu`.
    pub fn name(self) -> &'static str {
        match self {
            Limit::Memory => "limits.memory",
            Limit::TableElements => "limits.table-elements",
            Limit::Stack => "limits.stack",
            Limit::Handles => "limits.handles",
            Limit::OpenFiles => "limits.open-files",
            Limit::Sockets => "limits.sockets",
            Limit::HttpRequests => "limits.http-requests",
            Limit::HttpHeaders => "limits.http-headers",
            Limit::HttpBody => "limits.http-body",
            Limit::Message => "limits.message",
            Limit::CallsQueued => "limits.calls-queued",
            Limit::QueuedBytes => "limits.queued-bytes",
            Limit::MadeBytes => "limits.made-bytes",
            Limit::CallsConcurrent => "limits.calls-concurrent",
            Limit::CallsPerConnection => "limits.calls-per-connection",
            Limit::CallCpu => "limits.call-cpu",
            Limit::CallTime => "limits.call-time",
            Limit::Cpu => "limits.cpu",
            Limit::Fuel => "limits.fuel",
            Limit::OutputRate => "limits.output-rate",
            Limit::Output => "limits.output",
        }
    }

    /// What holds for a node that says nothing; `None` is no limit.
    pub const fn default(self) -> Option<u64> {
        match self {
            Limit::Memory | Limit::QueuedBytes => Some(256 * MIB),
            Limit::MadeBytes | Limit::HttpBody => Some(GIB),
            Limit::TableElements | Limit::Handles => Some(100_000),
            Limit::Stack => Some(512 * KIB),
            Limit::OpenFiles | Limit::Sockets => Some(1000),
            Limit::HttpRequests => Some(64),
            Limit::HttpHeaders => Some(64 * KIB),
            Limit::Message => Some(MESSAGE_BYTES_MAX),
            Limit::CallsQueued | Limit::CallsPerConnection => Some(1024),
            Limit::CallsConcurrent => Some(256),
            Limit::OutputRate => Some(16 * MIB),
            Limit::CallCpu | Limit::CallTime | Limit::Cpu | Limit::Fuel | Limit::Output => None,
        }
    }

    /// The values that can be kept.
    pub fn range(self) -> RangeInclusive<u64> {
        match self {
            // One page of WebAssembly, and more than an address space of 32 bits has use for.
            Limit::Memory => 64 * KIB..=64 * GIB,
            Limit::TableElements => 1..=10_000_000,
            // The host sets an address range of this size and more aside for every call under way.
            Limit::Stack => 64 * KIB..=16 * MIB,
            Limit::Handles | Limit::CallsQueued | Limit::CallsConcurrent | Limit::CallsPerConnection => 1..=1_000_000,
            Limit::OpenFiles | Limit::Sockets => 0..=1_000_000,
            Limit::HttpRequests => 0..=1_000_000,
            // The buffer that headers are read into has no less, and each header takes more memory than bytes.
            Limit::HttpHeaders => 8 * KIB..=MIB,
            // Offsets in a message are 32 bits with room to spare.
            Limit::Message => KIB..=GIB,
            Limit::QueuedBytes | Limit::MadeBytes => KIB..=64 * GIB,
            // Time is counted in ticks of 10 ms.
            Limit::CallCpu | Limit::Cpu => 10..=u64::MAX,
            Limit::CallTime | Limit::Fuel => 1..=u64::MAX,
            Limit::HttpBody | Limit::OutputRate | Limit::Output => KIB..=u64::MAX,
        }
    }

    /// The unit of its values.
    pub fn unit(self) -> Unit {
        match self {
            Limit::Memory
            | Limit::Stack
            | Limit::HttpHeaders
            | Limit::HttpBody
            | Limit::Message
            | Limit::QueuedBytes
            | Limit::MadeBytes
            | Limit::OutputRate
            | Limit::Output => Unit::Bytes,
            Limit::CallCpu | Limit::CallTime | Limit::Cpu => Unit::Millis,
            Limit::TableElements
            | Limit::Handles
            | Limit::OpenFiles
            | Limit::Sockets
            | Limit::HttpRequests
            | Limit::CallsQueued
            | Limit::CallsConcurrent
            | Limit::CallsPerConnection
            | Limit::Fuel => Unit::Count,
        }
    }

    /// A value of this limit as program.toml writes it.
    pub fn literal(self, value: u64) -> String {
        match self.unit() {
            Unit::Count => value.to_string(),
            Unit::Bytes | Unit::Millis => format!("\"{}\"", self.show(value)),
        }
    }

    /// A value of this limit as people write it.
    pub fn show(self, value: u64) -> String {
        match self.unit() {
            Unit::Bytes => format_bytes(value),
            Unit::Millis => format_millis(value),
            Unit::Count => value.to_string(),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Values of some limits: what a node asks for, or the ceilings that no node may exceed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits([Option<u64>; Limit::ALL.len()]);

impl Limits {
    /// The value of `limit`, in its unit, where one is given.
    pub fn get(&self, limit: Limit) -> Option<u64> {
        self.0[limit as usize]
    }

    /// Gives `limit` a value.
    pub fn set(&mut self, limit: Limit, value: u64) {
        self.0[limit as usize] = Some(value);
    }

    /// Those with a value.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().filter_map(|limit| Some((limit, self.get(limit)?)))
    }

    /// The smaller value of each limit that either of both gives.
    pub fn lower_of(&self, other: &Limits) -> Limits {
        let mut lower = *self;
        for (limit, value) in other.iter() {
            lower.set(limit, lower.get(limit).map_or(value, |own| own.min(value)));
        }
        lower
    }
}

#[cfg(test)]
mod tests {
    use super::Limit;

    #[test]
    fn every_limit_is_at_its_place_and_its_default_in_its_range() {
        for (place, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, place);
            assert!(limit.default().is_none_or(|default| limit.range().contains(&default)), "{limit}");
        }
    }
}
