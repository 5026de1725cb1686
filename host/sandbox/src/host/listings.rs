//! The listings of directories of `wasi:filesystem`, in place of wasmtime-wasi's: by 0.2 it keeps all entries of a directory,
//! and by 0.3 a thread for every listing that the guest has not read to its end.

pub mod p2;
pub mod p3;

use std::io;

use lp_base::scheduler::Scheduler;

use crate::files::{Entry, Listing};

/// The next entries of a listing, and the listing.
async fn read(scheduler: Scheduler, mut listing: Listing) -> (Listing, io::Result<Vec<Entry>>) {
    let read = move || {
        let part = listing.read();
        (listing, part)
    };
    scheduler.blocking(read).await
}
