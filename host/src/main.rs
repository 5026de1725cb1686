//! The `lp-host` binary: nothing but the command line of the library and an allocator that reuses large blocks.

use std::process::ExitCode;

/// With the system's allocator every buffer of a large message is mapped anew, and its pages fault one by one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lp_host::cli::main()
}
