//! Any text as a program file: its problems can be shown, or it is a program.
//!
//! `cargo +nightly fuzz run program` in `host/`.

#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use lp_host::program::Linked;

/// The only file of this process, which is written anew for each input.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let dir = std::env::temp_dir().join(format!("lp-host-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a temporary directory can be made");
    dir.join("program.toml")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    std::fs::write(&*FILE, data).expect("it can be written");
    match Linked::load(&FILE, &[]) {
        Ok(linked) => drop(linked.warnings.render(true)),
        Err(problems) => {
            assert!(!problems.problems.is_empty());
            assert!(!problems.render(true).is_empty());
            for problem in &problems.problems {
                problems.location(problem);
            }
        }
    }
});
