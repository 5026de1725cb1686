//! Guests that have the host keep things for them: every kind ends at a limit that has a name, in a host of bounded size.
//! The rows are those of the table in `docs/limits.md`.

use std::path::Path;

use super::{Attack, MEMORY_KIB_MAX};

/// A directory with a file, and so many others that their names take the host a quarter of a MiB.
fn files(program: &Path) {
    let data = program.join("data");
    std::fs::create_dir(&data).expect("a directory can be made");
    std::fs::write(data.join("kept"), vec![7; 1 << 20]).expect("a file can be written");
    for number in 0..1000 {
        std::fs::write(data.join(format!("{number:0>200}")), "").expect("a file can be written");
    }
}

const DIRS: &str = "sandbox = { dirs = [{ host = 'data', guest = '/data', access = 'read-write' }] }";

#[track_caller]
fn check(guest: &str, args: &[&str], limits: &str, end: &str) {
    let settings = format!("args = {args:?}\nlimits = {{ memory = '64MiB', {limits} }}\n{DIRS}\n");
    Attack::new(guest).settings(&settings).prepare(files).stderr(end).check();
}

const HEADERS: &str = "it reached its limit `limits.http-headers` = 64KiB";
const HOST_MEMORY: &str = "it reached its limit `limits.host-memory` = 32MiB";
const HANDLES: &str = "it reached its limit `limits.handles` = 10000";

#[test]
fn what_the_host_keeps_by_wasi_0_2_ends_at_a_limit() {
    assert_eq!(MEMORY_KIB_MAX, 256 * 1024, "`docs/limits.md` says so");
    let long = "tried to make an HTTP request whose method is too long (its limit is `limits.http-headers` = 64KiB)";
    let kinds = [
        ("methods", HEADERS),
        ("long-methods", long),
        ("authorities", HEADERS),
        ("paths", HEADERS),
        ("request-bodies", HOST_MEMORY),
        ("response-bodies", HOST_MEMORY),
        ("listings", HOST_MEMORY),
        ("file-reads", HOST_MEMORY),
        ("file-writes", HOST_MEMORY),
        ("unchecked-writes", "more bytes are written to a stream than `check-write` allows"),
        ("zeroes", "cannot write more zeroes than `check_write` allows"),
        ("random-bytes", "it reached its limit `limits.message` = 64MiB"),
        ("timers", HANDLES),
        ("polls", HANDLES),
    ];
    for (kind, end) in kinds {
        check("keep", &[kind], "host-memory = '32MiB', handles = 10000", end);
    }
}

#[test]
fn what_the_host_keeps_by_wasi_0_3_ends_at_a_limit() {
    let long = "tried to make an HTTP request whose method is too long (its limit is `limits.http-headers` = 64KiB)";
    let kinds = [
        ("methods", HEADERS),
        ("long-methods", long),
        ("authorities", HEADERS),
        ("paths", HEADERS),
        ("datagrams", HOST_MEMORY),
        ("listings", HOST_MEMORY),
    ];
    for (kind, end) in kinds {
        check("hostile_async", &["keep", kind], "host-memory = '32MiB', handles = 10000", end);
    }
    // Each listing has a file open, and none takes a thread of those that read files for all.
    let open = "it reached its limit `limits.open-files` = 1000";
    check("hostile_async", &["keep", "listings"], "handles = 10000", open);
}
