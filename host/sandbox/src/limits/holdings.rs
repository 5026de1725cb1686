//! How much the host keeps for a guest, counted in the table where WASI keeps most of it.

use std::any::Any;

use lp_base::plan::LimitsPlan;
use lp_base::words::Limit;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream};
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::bindings::http::types::{Method, Scheme};
use wasmtime_wasi_http::p2::body::{HostFutureTrailers, HostIncomingBody, HostOutgoingBody};
use wasmtime_wasi_http::p2::types::{
    HostFutureIncomingResponse, HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};
use wasmtime_wasi_http::p3::{Request, Response};

use super::{Aside, Breach, LimitHit};
use crate::streams::STREAM_BYTES;

/// What a header takes beside its name and its value, near enough.
const HEADER_BYTES: usize = 72;
/// The texts of a request that are no headers: its method, scheme, authority and path.
const TEXTS: u64 = 4;

/// Counts what a guest has made or been given and has not dropped, no more often than its limits need.
pub struct Holdings {
    header_bytes_max_each: u64,
    header_bytes_max: u64,
    bytes_max: u64,
    /// The functions that can be called until a limit may have been gone beyond.
    unseen: u64,
    aside: Aside,
    breach: Breach,
}

/// What is kept of one resource.
#[derive(Default)]
struct Kept {
    /// The headers of an HTTP message, and the texts that stand beside them.
    header_bytes: u64,
    /// What is buffered for it, and everything else.
    buffer_bytes: u64,
}

impl Holdings {
    /// Counts headers up to what as many requests and responses as there may be at once have, and all together up to
    /// `host-memory`.
    pub fn new(limits: &LimitsPlan, aside: Aside, breach: Breach) -> Self {
        let header_bytes_max_each = limits.http_header_bytes;
        let header_bytes_max = 2 * header_bytes_max_each * u64::from(limits.http_requests.max(1));
        Self { header_bytes_max_each, header_bytes_max, bytes_max: limits.host_memory_bytes, unseen: 0, aside, breach }
    }

    /// Looks at the `table` if it may have too much in it by now. Called before each function of WASI, which adds the
    /// headers and the buffer of one message or the buffers of one socket at most. Has the replica fail if there is too
    /// much, and no more be added.
    pub fn look(&mut self, table: &mut ResourceTable) {
        if let Some(unseen) = self.unseen.checked_sub(1) {
            self.unseen = unseen;
            return;
        }
        let (mut header_bytes, mut bytes) = (0, self.aside.bytes());
        for entry in table.iter_mut() {
            let kept = kept(entry, self.header_bytes_max_each);
            header_bytes += kept.header_bytes;
            bytes += kept.header_bytes + kept.buffer_bytes;
        }
        let each = self.header_bytes_max_each;
        let headers_left = self.header_bytes_max.checked_sub(header_bytes);
        let left = self.bytes_max.checked_sub(bytes);
        match (headers_left, left) {
            (Some(headers), Some(bytes)) => {
                self.unseen = (headers / (each * TEXTS)).min(bytes / (each * TEXTS + 2 * STREAM_BYTES));
            }
            (None, _) => self.exceed(LimitHit::new(Limit::HttpHeaders, each), table),
            (_, None) => self.exceed(LimitHit::new(Limit::HostMemory, self.bytes_max), table),
        }
    }

    fn exceed(&self, hit: LimitHit, table: &mut ResourceTable) {
        self.breach.note(hit);
        table.set_max_capacity(0);
    }
}

/// What the host keeps of a resource, at most. A response that is on its way may have come, with all its headers.
fn kept(entry: &dyn Any, header_bytes_max: u64) -> Kept {
    if let Some(headers) = entry.downcast_ref::<FieldMap>() {
        return Kept { header_bytes: headers_bytes(headers), buffer_bytes: 0 };
    }
    if let Some(request) = entry.downcast_ref::<HostOutgoingRequest>() {
        let header_bytes = headers_bytes(&request.headers) + texts_bytes(request);
        return Kept { header_bytes, buffer_bytes: request.body.as_ref().map_or(0, |_| STREAM_BYTES) };
    }
    if let Some(request) = entry.downcast_ref::<Request>() {
        let texts = [
            request.method.as_str().len(),
            request.scheme.as_ref().map_or(0, |scheme| scheme.as_str().len()),
            request.authority.as_ref().map_or(0, |authority| authority.as_str().len()),
            request.path_with_query.as_ref().map_or(0, |path| path.as_str().len()),
        ];
        let texts: usize = texts.iter().sum();
        return Kept { header_bytes: headers_bytes(&request.headers) + texts as u64, buffer_bytes: 0 };
    }
    if let Some(response) = entry.downcast_ref::<HostOutgoingResponse>() {
        return Kept { header_bytes: headers_bytes(&response.headers), buffer_bytes: STREAM_BYTES };
    }
    if let Some(response) = entry.downcast_ref::<HostIncomingResponse>() {
        return Kept { header_bytes: headers_bytes(&response.headers), buffer_bytes: STREAM_BYTES };
    }
    if let Some(response) = entry.downcast_ref::<Response>() {
        return Kept { header_bytes: headers_bytes(&response.headers), buffer_bytes: 0 };
    }
    if let Some(response) = entry.downcast_ref::<HostFutureIncomingResponse>() {
        return match response {
            HostFutureIncomingResponse::Consumed => Kept::default(),
            _ => Kept { header_bytes: 0, buffer_bytes: header_bytes_max + STREAM_BYTES },
        };
    }
    if entry.is::<HostFutureTrailers>() {
        return Kept { header_bytes: 0, buffer_bytes: header_bytes_max + STREAM_BYTES };
    }
    let is_stream = entry.is::<DynInputStream>() || entry.is::<DynOutputStream>();
    let is_body = entry.is::<HostIncomingBody>() || entry.is::<HostOutgoingBody>();
    Kept { header_bytes: 0, buffer_bytes: if is_stream || is_body { STREAM_BYTES } else { 0 } }
}

fn headers_bytes(headers: &FieldMap) -> u64 {
    let bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_BYTES);
    bytes.sum::<usize>() as u64
}

fn texts_bytes(request: &HostOutgoingRequest) -> u64 {
    let method = match &request.method {
        Method::Other(method) => method.len(),
        _ => 0,
    };
    let scheme = match &request.scheme {
        Some(Scheme::Other(scheme)) => scheme.len(),
        _ => 0,
    };
    let authority = request.authority.as_ref().map_or(0, String::len);
    let path = request.path_with_query.as_ref().map_or(0, String::len);
    (method + scheme + authority + path) as u64
}
