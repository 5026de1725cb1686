//! How much of a stream of WASI 0.2 the host holds.

use wasmtime_wasi::p2::StreamError;

/// The most that one stream buffers, either way: what is read ahead of the guest, or what it wrote and nobody has taken.
pub const STREAM_BYTES: u64 = 64 << 10;

/// Refuses a write of more bytes than `check-write` ever allows: what is behind a stream may hold on to all of them.
pub fn check_write_size(bytes: usize) -> Result<(), StreamError> {
    match bytes as u64 <= STREAM_BYTES {
        true => Ok(()),
        false => Err(StreamError::trap("more bytes are written to a stream than `check-write` allows")),
    }
}
