//! The stack of a guest that failed, as its user reads it: the guest's own functions, and none of what carries them.

use std::borrow::Cow;

use lp_base::shown;
use wasmtime::{FrameInfo, WasmBacktrace};

/// Modules that are a language's runtime: in what it interprets, the guest's own traceback tells where it was.
const RUNTIMES: [&str; 3] = ["componentize_py_runtime.wasm", "libc.so", "libpython"];
/// How the names of functions begin that stand between a guest's mistake and the trap.
const MACHINERY: [&str; 8] =
    ["abort", "alloc[", "core[", "rust_panic", "std[", "__rust", "wit_bindgen::rt::", "wasi_snapshot_preview1"];
/// What wasmtime calls a function without a name.
const NAMELESS: &str = "<wasm function ";

/// The frames that mean something to who wrote the guest, innermost first; `None` if there are none.
pub(super) fn of_guest(trace: &WasmBacktrace) -> Option<String> {
    if names(trace).any(|name| matches!(shown::line(name), Cow::Owned(_))) {
        return shown_raw(trace);
    }
    let text = trace.to_string();
    let mut lines = Vec::new();
    let mut is_shown = false;
    for line in text.lines().skip(1) {
        match head(line) {
            Some(name) => {
                is_shown = is_of_guest(name);
                if is_shown {
                    lines.push(format!("    at {}", name.strip_prefix("<unknown>!").unwrap_or(name)));
                }
            }
            // What was inlined into the frame, and the places in the source.
            None if is_shown => lines.push(format!("       {}", line.trim_start())),
            None => {}
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// All that a component chose of what a stack names.
fn names(trace: &WasmBacktrace) -> impl Iterator<Item = &str> {
    trace.frames().iter().flat_map(|frame| {
        let symbols = frame.symbols().iter().flat_map(|symbol| [symbol.name(), symbol.file()]);
        [frame.module().name(), frame.func_name()].into_iter().chain(symbols).flatten()
    })
}

/// The frames of a component with control characters in its names, which no compiler writes. What wasmtime makes of them has
/// lines of the guest's own, so it can't be read line by line. The names are shown as they are in the file, but escaped.
fn shown_raw(trace: &WasmBacktrace) -> Option<String> {
    let line = |frame: &FrameInfo| {
        let name = format!("{}!{}", frame.module().name().unwrap_or("<unknown>"), frame.func_name()?);
        is_of_guest(&name).then(|| format!("    at {}", shown::line(name.strip_prefix("<unknown>!").unwrap_or(&name))))
    };
    let lines: Vec<_> = trace.frames().iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What a line names that begins a frame: `  3:   0xc3f - module.wasm!function`.
fn head(line: &str) -> Option<&str> {
    let (number, rest) = line.trim_start().split_once(": ")?;
    number.parse::<usize>().ok()?;
    Some(rest.split_once(" - ").map_or(rest, |(_, name)| name))
}

fn is_of_guest(name: &str) -> bool {
    let (module, function) = match name.split_once('!') {
        Some((module, function)) if module == "<unknown>" || !module.contains(['<', ':', ' ']) => (module, function),
        _ => ("", name),
    };
    let is_runtime = RUNTIMES.iter().any(|runtime| module.starts_with(runtime));
    let is_machinery = MACHINERY.iter().any(|machinery| function.starts_with(machinery));
    !is_runtime && !is_machinery && !function.starts_with(NAMELESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: bool) {
        assert_eq!(is_of_guest(name), expected, "{name}");
    }

    #[test]
    fn only_functions_of_the_guest_are_shown() {
        check("node.wasm!node::add", true);
        check("<unknown>![async-lift]app:nodes/counter#add", true);
        check("node::later::<!>", true);
        check("<unknown>!<wasm function 7>", false);
        check("node.wasm!core[6d9e]::panicking::panic_fmt", false);
        check("node.wasm!std[d123]::sys::backtrace::end::<std[d123]::panicking::{closure#0}, !>", false);
        check("libpython3.14.so!PyObject_Vectorcall", false);
    }

    #[test]
    fn a_frame_begins_with_its_number() {
        assert_eq!(head("    0:    0xc3f - a.wasm!b::c"), Some("a.wasm!b::c"));
        assert_eq!(head("                    at src/lib.rs:12:5"), None);
        assert_eq!(head("                - inlined"), None);
    }
}
