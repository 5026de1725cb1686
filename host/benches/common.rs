//! What the benchmarks share: the echo node reached from another node, from the host, by typed bindings and by `Val`.
#![allow(dead_code, unused_imports, reason = "every benchmark uses a part of it")]

pub mod criteria;
pub mod direct;
pub mod guests;
pub mod nodes;
pub mod report;
mod requests;
pub mod start;

/// The allocator of the `lp-host` binary: with the system's, page faults of fresh buffers are most of a large call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Which method of the echo node is called, in the order of `kind` in WIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Empty,
    Bytes,
    Floats,
    Mixed,
    Strings,
    Points,
    Options,
    Shapes,
}

impl Kind {
    /// The name of the method in WIT.
    pub fn method(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Bytes => "bytes",
            Self::Floats => "floats",
            Self::Mixed => "mixed",
            Self::Strings => "strings",
            Self::Points => "points",
            Self::Options => "options",
            Self::Shapes => "shapes",
        }
    }
}

/// A call to measure: a method, and the number of elements of the value that goes there and back.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The name in reports.
    pub name: &'static str,
    /// The method.
    pub kind: Kind,
    /// The number of elements, where the method takes a list.
    pub size: u32,
}

/// An empty call.
pub const EMPTY: Case = Case { name: "empty", kind: Kind::Empty, size: 0 };
/// 1 MiB as one block of bytes.
pub const MIB_BYTES: Case = Case { name: "1 MiB list<u8>", kind: Kind::Bytes, size: 1 << 20 };
/// 1 MiB as numbers.
pub const MIB_FLOATS: Case = Case { name: "1 MiB list<f32>", kind: Kind::Floats, size: 1 << 18 };

/// The calls whose latency is of interest, with `async` and without.
pub const SIZES: [Case; 5] = [
    EMPTY,
    Case { name: "1 KiB list<u8>", kind: Kind::Bytes, size: 1 << 10 },
    MIB_BYTES,
    MIB_FLOATS,
    Case { name: "record", kind: Kind::Mixed, size: 1 },
];

/// One call per class of types, with enough elements that the call itself is a small part.
pub const CLASSES: [Case; 6] = [
    Case { name: "64 KiB list<u8>", kind: Kind::Bytes, size: 1 << 16 },
    Case { name: "64 KiB list<f32>", kind: Kind::Floats, size: 1 << 14 },
    Case { name: "1000 strings", kind: Kind::Strings, size: 1000 },
    Case { name: "1000 records", kind: Kind::Points, size: 1000 },
    Case { name: "1000 nested options", kind: Kind::Options, size: 1000 },
    Case { name: "1000 variants", kind: Kind::Shapes, size: 1000 },
];
