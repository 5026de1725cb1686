//! The messages of `lp:replay`, as `docs/encoding.md` derives them from its WIT. A test holds them to that.

#![allow(missing_docs, reason = "the fields are those of the WIT")]

use bytes::Bytes;
use prost::Message;

/// `tensor`.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// A `dtype`: the place of the case.
    #[prost(uint32, tag = "1")]
    pub dtype: u32,
    #[prost(fixed32, repeated, tag = "2")]
    pub shape: Vec<u32>,
    #[prost(bytes = "bytes", tag = "3")]
    pub data: Bytes,
}

/// An `option<tensor>` in a list.
#[derive(Clone, PartialEq, Message)]
pub struct Column {
    #[prost(message, optional, tag = "1")]
    pub value: Option<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    #[prost(message, optional, tag = "1")]
    pub to: Option<Stream>,
    #[prost(message, repeated, tag = "2")]
    pub columns: Vec<Column>,
    #[prost(message, repeated, tag = "3")]
    pub items: Vec<NewItem>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Stream {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(uint64, tag = "2")]
    pub episode: u64,
    #[prost(uint64, tag = "3")]
    pub first: u64,
    #[prost(uint32, tag = "4")]
    pub keep: u32,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Span {
    #[prost(uint64, tag = "1")]
    pub first: u64,
    #[prost(uint32, tag = "2")]
    pub count: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct ItemColumn {
    #[prost(uint32, tag = "1")]
    pub source: u32,
    #[prost(message, repeated, tag = "2")]
    pub spans: Vec<Span>,
    #[prost(bool, tag = "3")]
    pub squeeze: bool,
}

#[derive(Clone, PartialEq, Message)]
pub struct NewItem {
    #[prost(string, tag = "1")]
    pub table: String,
    #[prost(double, tag = "2")]
    pub priority: f64,
    #[prost(message, repeated, tag = "3")]
    pub columns: Vec<ItemColumn>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct Priority {
    #[prost(uint64, tag = "1")]
    pub key: u64,
    #[prost(double, tag = "2")]
    pub priority: f64,
}

#[derive(Clone, PartialEq, Message)]
pub struct UpdateRequest {
    #[prost(string, tag = "1")]
    pub table: String,
    #[prost(message, repeated, tag = "2")]
    pub updates: Vec<Priority>,
}

#[derive(Clone, PartialEq, Message)]
pub struct DeleteRequest {
    #[prost(string, tag = "1")]
    pub table: String,
    #[prost(fixed64, repeated, tag = "2")]
    pub keys: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct ResetRequest {
    #[prost(string, tag = "1")]
    pub table: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct SetRateLimiterRequest {
    #[prost(string, tag = "1")]
    pub table: String,
    #[prost(message, optional, tag = "2")]
    pub limiter: Option<RateLimiter>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct RateLimiter {
    #[prost(double, tag = "1")]
    pub samples_per_insert: f64,
    #[prost(uint64, tag = "2")]
    pub min_size: u64,
    #[prost(double, tag = "3")]
    pub min_diff: f64,
    #[prost(double, tag = "4")]
    pub max_diff: f64,
}

/// The parameters of `sample` and `sample-batch`.
#[derive(Clone, PartialEq, Message)]
pub struct SampleRequest {
    #[prost(message, optional, tag = "1")]
    pub request: Option<Request>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Request {
    #[prost(string, tag = "1")]
    pub table: String,
    #[prost(uint32, tag = "2")]
    pub count: u32,
    #[prost(uint64, optional, tag = "3")]
    pub timeout_ms: Option<u64>,
    #[prost(bool, tag = "4")]
    pub distinct: bool,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct SampleInfo {
    #[prost(uint64, tag = "1")]
    pub key: u64,
    #[prost(double, tag = "2")]
    pub priority: f64,
    #[prost(double, tag = "3")]
    pub probability: f64,
    #[prost(uint32, tag = "4")]
    pub times_sampled: u32,
    #[prost(uint64, tag = "5")]
    pub table_size: u64,
    #[prost(uint64, tag = "6")]
    pub inserted_at: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Sampled {
    #[prost(message, optional, tag = "1")]
    pub info: Option<SampleInfo>,
    #[prost(message, repeated, tag = "2")]
    pub columns: Vec<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Samples {
    #[prost(message, repeated, tag = "1")]
    pub samples: Vec<Sampled>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Batch {
    #[prost(message, repeated, tag = "1")]
    pub infos: Vec<SampleInfo>,
    #[prost(message, repeated, tag = "2")]
    pub columns: Vec<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
pub struct TableInfo {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(uint64, tag = "2")]
    pub size: u64,
    #[prost(uint64, tag = "3")]
    pub max_size: u64,
    #[prost(uint32, optional, tag = "4")]
    pub max_times_sampled: Option<u32>,
    #[prost(message, optional, tag = "5")]
    pub rate_limiter: Option<RateLimiter>,
    #[prost(uint64, tag = "6")]
    pub inserts: u64,
    #[prost(uint64, tag = "7")]
    pub samples: u64,
    #[prost(uint64, tag = "8")]
    pub episodes: u64,
    #[prost(message, repeated, tag = "9")]
    pub waits: Vec<Wait>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Wait {
    #[prost(string, tag = "1")]
    pub what: String,
    #[prost(uint32, tag = "2")]
    pub count: u32,
    #[prost(uint64, tag = "3")]
    pub milliseconds: u64,
    #[prost(string, tag = "4")]
    pub reason: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Tables {
    #[prost(message, repeated, tag = "1")]
    pub tables: Vec<TableInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Keys {
    #[prost(fixed64, repeated, tag = "1")]
    pub keys: Vec<u64>,
}

/// The response that is `ok` with a message: the result is field 1, and so is its case.
pub fn ok(message: &impl Message) -> Vec<u8> {
    let mut response = opened(message.encoded_len());
    message.encode(&mut response).expect("a vector grows");
    response
}

/// The response that is `ok` with a text.
pub fn ok_text(text: &str) -> Vec<u8> {
    let mut response = opened(text.len());
    response.extend_from_slice(text.as_bytes());
    response
}

/// The response that is `ok` with a payload of that length, up to the payload.
fn opened(length: usize) -> Vec<u8> {
    let case = 1 + prost::length_delimiter_len(length) + length;
    let mut response = Vec::with_capacity(case + 12);
    for length in [case, length] {
        response.push(0x0a);
        prost::encode_length_delimiter(length, &mut response).expect("a vector grows");
    }
    response
}
