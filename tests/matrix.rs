//! The matrix: a node in each language calls one in each language, with values of every type, under each launch type.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::host;
use crate::languages::{Built, build};

/// The component of a language that both implements and calls every function; or why there is none.
fn component(language: &'static str) -> &'static Built {
    macro_rules! once {
        ($make:expr) => {{
            static BUILT: OnceLock<Built> = OnceLock::new();
            BUILT.get_or_init(|| $make)
        }};
    }
    match language {
        "rust" => once!(Ok(host::build(&["matrix"]).join("matrix.wasm"))),
        "python" => once!(build("tests/matrix/python")),
        "js" => once!(build("tests/matrix/js")),
        "c" => once!(build("tests/matrix/c")),
        "cpp" => once!(build("tests/matrix/cpp")),
        "zig" => once!(build("tests/matrix/zig")),
        "go" => once!(build("tests/matrix/go")),
        _ => unreachable!("the matrix has no such language"),
    }
}

fn check(caller: &'static str, callee: &'static str, launch_type: &str) {
    let component = |language| match component(language) {
        Ok(path) => Some(path),
        Err(reason) => {
            eprintln!("skipped: {reason}");
            None
        }
    };
    let (Some(caller), Some(callee)) = (component(caller), component(callee)) else { return };
    let set = |node: &str, path: &PathBuf| format!("nodes.{node}.component={}", path.display());
    let output = Command::new(host::BINARY)
        .args(["run", "--launch-type", launch_type, "--set", &set("caller", caller), "--set", &set("callee", callee)])
        .arg(host::root().join("tests/matrix/program.toml"))
        .output()
        .expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "caller/0 │ every value came back\n", "{stderr}");
}

macro_rules! callers {
    ($($caller:ident)*) => {
        $(mod $caller {
            callees! { $caller: rust python js c cpp zig go }
        })*
    };
}

macro_rules! callees {
    ($caller:ident: $($callee:ident)*) => {
        $(mod $callee {
            #[test]
            fn by_threads() {
                super::super::check(stringify!($caller), stringify!($callee), "threads");
            }

            #[test]
            fn by_processes() {
                super::super::check(stringify!($caller), stringify!($callee), "processes");
            }
        })*
    };
}

callers! { rust python js c cpp zig go }
