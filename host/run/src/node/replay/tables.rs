//! The tables of a plan as the service has them.

use std::num::NonZeroI32;

use lp_base::words::{RateLimiter, ReplayTable, Selector, SignatureColumn};
use lp_replay::table::{LimiterSpec, SelectorKind, TableSpec};
use prost::Message as _;

/// What a table of a plan is made with.
pub(super) fn spec(table: &ReplayTable) -> TableSpec {
    let signature = table.signature.as_deref().map(|columns| signature(columns).encode_to_vec().into());
    TableSpec {
        name: table.name.clone(),
        sampler: selector(table.sampler),
        remover: selector(table.remover),
        max_size: table.max_size as usize,
        max_times_sampled: table
            .max_times_sampled
            .and_then(|times| NonZeroI32::new(i32::try_from(times).unwrap_or(i32::MAX))),
        limiter: match table.rate_limiter {
            RateLimiter::MinSize(items) => LimiterSpec::min_size(items.into()),
            RateLimiter::Queue(items) => LimiterSpec::queue(items.into()),
            RateLimiter::Ratio { min_size, samples_per_insert, min_diff, max_diff } => LimiterSpec {
                samples_per_insert: samples_per_insert.0,
                min_size_to_sample: min_size.into(),
                min_diff: min_diff.0,
                max_diff: max_diff.0,
            },
        },
        signature,
    }
}

fn selector(selector: Selector) -> SelectorKind {
    match selector {
        Selector::Uniform => SelectorKind::Uniform,
        Selector::Prioritized(exponent) => SelectorKind::Prioritized { exponent: exponent.0 },
        Selector::Fifo => SelectorKind::Fifo,
        Selector::Lifo => SelectorKind::Lifo,
        Selector::MinHeap => SelectorKind::MinHeap,
        Selector::MaxHeap => SelectorKind::MaxHeap,
    }
}

/// `tensorflow.StructuredValue`, as far as a signature has it.
#[derive(Clone, PartialEq, prost::Message)]
struct StructuredValue {
    #[prost(message, optional, tag = "33")]
    tensor_spec: Option<TensorSpec>,
    #[prost(message, optional, tag = "53")]
    dict: Option<DictValue>,
}

/// `tensorflow.TensorSpecProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct TensorSpec {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShape>,
    #[prost(uint32, tag = "3")]
    dtype: u32,
}

/// `tensorflow.TensorShapeProto`.
#[derive(Clone, PartialEq, prost::Message)]
struct TensorShape {
    #[prost(message, repeated, tag = "2")]
    dim: Vec<Dim>,
}

/// `tensorflow.TensorShapeProto.Dim`.
#[derive(Clone, PartialEq, prost::Message)]
struct Dim {
    /// -1 is any.
    #[prost(int64, tag = "1")]
    size: i64,
}

/// `tensorflow.DictValue`: a map, which is a list of entries.
#[derive(Clone, PartialEq, prost::Message)]
struct DictValue {
    #[prost(message, repeated, tag = "1")]
    fields: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<StructuredValue>,
}

fn signature(columns: &[SignatureColumn]) -> StructuredValue {
    let entry = |column: &SignatureColumn| {
        let dim = column.shape.iter().map(|size| Dim { size: size.map_or(-1, i64::from) }).collect();
        let shape = Some(TensorShape { dim });
        let tensor_spec = Some(TensorSpec { name: column.name.clone(), shape, dtype: column.dtype });
        Entry { key: column.name.clone(), value: Some(StructuredValue { tensor_spec, dict: None }) }
    };
    let fields = columns.iter().map(entry).collect();
    StructuredValue { tensor_spec: None, dict: Some(DictValue { fields }) }
}
