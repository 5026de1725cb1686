//! The `lp-host` binary: nothing but the command line of the library, an allocator that reuses large blocks, and errors
//! without stacks of the host.

use std::process::ExitCode;

/// With the system's allocator every buffer of a large message is mapped anew, and its pages fault one by one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The variable with which errors, unlike panics, record where they were made.
const ERROR_STACKS: &str = "RUST_LIB_BACKTRACE";

fn main() -> ExitCode {
    // With `RUST_BACKTRACE=1`, which many Rust developers have set for panics, every error of wasmtime would record the
    // host's stack, and a guest can have it make many: each takes time and memory.
    if std::env::var_os(ERROR_STACKS).is_none() {
        #[expect(unsafe_code, reason = "nothing else reads the environment: no second thread has started")]
        // SAFETY: as above.
        unsafe {
            std::env::set_var(ERROR_STACKS, "0");
        }
    }
    lp_host::cli::main()
}
