//! Any bytes as the request of a call: they fail at most the guest, and mean what the reference codec says they mean.
//!
//! `cargo +nightly fuzz run decoding` in `host/`. The first byte of an input chooses the guest.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lp_host::runtime::check_decoding(data));
