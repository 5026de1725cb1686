//! How many bytes of HTTP headers the host keeps for a guest, counted in the table where WASI keeps them.

use std::any::Any;

use lp_base::plan::LimitsPlan;
use lp_base::words::Limit;
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::types::{HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse};
use wasmtime_wasi_http::p3::{Request, Response};

use super::{Breach, LimitHit};

/// What a header takes beside its name and its value, near enough.
const HEADER_BYTES: usize = 72;
/// The longest path of a URI.
const PATH_BYTES_MAX: u64 = 1 << 16;

/// Counts the headers that a guest has made or been given and has not dropped, no more often than their limit needs.
pub struct Headers {
    bytes_max_each: u64,
    bytes_max: u64,
    /// The functions that can be called until the limit may have been gone beyond.
    unseen: u64,
    breach: Breach,
}

impl Headers {
    /// Counts up to what as many requests and responses as there may be at once have.
    pub fn new(limits: &LimitsPlan, breach: Breach) -> Self {
        let bytes_max_each = limits.http_header_bytes;
        let bytes_max = 2 * bytes_max_each * u64::from(limits.http_requests.max(1));
        Self { bytes_max_each, bytes_max, unseen: 0, breach }
    }

    /// Looks at the `table` if it may have too many in it by now. Called before each function of `wasi:http`, which adds
    /// those of one request or response at most. Has the replica fail if there are too many, and no more be added.
    pub fn look(&mut self, table: &mut ResourceTable) {
        if let Some(unseen) = self.unseen.checked_sub(1) {
            self.unseen = unseen;
            return;
        }
        let bytes: u64 = table.iter_mut().map(|entry| header_bytes(entry)).sum();
        match self.bytes_max.checked_sub(bytes) {
            Some(left) => self.unseen = left / (self.bytes_max_each + PATH_BYTES_MAX),
            None => {
                self.breach.note(LimitHit::new(Limit::HttpHeaders, self.bytes_max_each));
                table.set_max_capacity(0);
            }
        }
    }
}

/// The bytes of the headers and the path in a resource of `wasi:http`.
fn header_bytes(entry: &dyn Any) -> u64 {
    let request = entry.downcast_ref::<HostOutgoingRequest>();
    let headers = request.map(|request| &request.headers);
    let headers = headers
        .or_else(|| entry.downcast_ref::<FieldMap>())
        .or_else(|| Some(&entry.downcast_ref::<HostOutgoingResponse>()?.headers))
        .or_else(|| Some(&entry.downcast_ref::<HostIncomingResponse>()?.headers))
        .or_else(|| Some(&entry.downcast_ref::<Request>()?.headers))
        .or_else(|| Some(&entry.downcast_ref::<Response>()?.headers));
    let of_headers = headers.into_iter().flat_map(|headers| headers.iter());
    let of_headers = of_headers.map(|(name, value)| name.as_str().len() + value.len() + HEADER_BYTES);
    let of_path = request.and_then(|request| request.path_with_query.as_ref()).map_or(0, String::len);
    (of_headers.sum::<usize>() + of_path) as u64
}
