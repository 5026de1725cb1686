//! Any bytes as what reaches a replay service: a request of `InsertStream`, and a record of a checkpoint. They are taken or
//! refused.
//!
//! `cargo +nightly fuzz run replay` in `host/`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lp_host::replay::service::Service;
use lp_host::replay::table::{Gauge, Table, TableSpec};
use lp_host::replay::{checkpoint, grpc};
use lp_host::scheduler::Scheduler;

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    // Inserts into `s` wait, but for the first two.
    let tables = [TableSpec::queue("t", 1000), TableSpec::stack("s", 2)].map(|spec| Table::new(spec).expect("a table"));
    Service::new(tables.into(), Gauge::default(), Scheduler::default()).expect("a service")
});

fuzz_target!(|bytes: &[u8]| {
    grpc::fuzz(&SERVICE, bytes);
    SERVICE.reset("t").expect("it is there");
    checkpoint::fuzz(bytes);
});
