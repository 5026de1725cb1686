//! The targets of Rust that build lines need, and whether Rust has them.

use std::path::Path;

use crate::shell::Shell;

/// A target that a line of Cargo's builds for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    /// The toolchain that the line asks for, such as `+nightly`; else it is that of the program's directory.
    toolchain: Option<String>,
    /// The target, such as `wasm32-wasip2`.
    pub(crate) name: String,
}

impl Target {
    /// The toolchain as a command line has it: with a space after it, or nothing.
    fn toolchain(&self) -> String {
        self.toolchain.as_ref().map_or(String::new(), |toolchain| format!("{toolchain} "))
    }
}

/// Whether a line runs Cargo.
pub(crate) fn runs_cargo(line: &str) -> bool {
    words(line).any(is_cargo_itself)
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || "=;&|()'\"".contains(c)).filter(|word| !word.is_empty())
}

fn is_cargo_itself(word: &str) -> bool {
    word.rsplit('/').next() == Some("cargo")
}

/// The targets of WebAssembly in the options `--target` of a line that runs Cargo.
pub(crate) fn targets(line: &str) -> Vec<Target> {
    let mut words = words(line);
    let (mut targets, mut is_cargo, mut toolchain) = (Vec::new(), false, None);
    while let Some(word) = words.next() {
        if is_cargo_itself(word) {
            (is_cargo, toolchain) = (true, None);
        } else if is_cargo && word.starts_with('+') && is_name(word) {
            toolchain = Some(word.to_owned());
        } else if is_cargo && word == "--target" {
            let name = words.next().filter(|name| name.starts_with("wasm") && is_name(name));
            targets.extend(name.map(|name| Target { toolchain: toolchain.clone(), name: name.to_owned() }));
        }
    }
    targets
}

fn is_name(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-_.".contains(&byte))
}

/// Whether the compiler lacks the target. It is asked in the program's directory, whose toolchain may be one of its own.
pub(crate) fn is_missing(target: &Target, shell: &Shell<'_>) -> bool {
    let line = format!("rustc {}--print target-libdir --target {}", target.toolchain(), target.name);
    !shell.answer(&line).is_some_and(|dir| Path::new(dir.trim()).is_dir())
}

/// The line that has rustup add the target.
pub(crate) fn add_line(target: &Target) -> String {
    format!("rustup {}target add {}", target.toolchain(), target.name)
}

#[cfg(test)]
mod tests {
    fn check(line: &str, expected: &[(&str, &str)]) {
        let targets = super::targets(line);
        let found: Vec<_> = targets
            .iter()
            .map(|target| (target.toolchain.as_deref().unwrap_or_default(), target.name.as_str()))
            .collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn targets_are_found_where_cargo_is_run_for_them() {
        check("cargo build --release --target wasm32-wasip2 -p a", &[("", "wasm32-wasip2")]);
        check("cd a && ~/.cargo/bin/cargo +nightly b --target=wasm32-wasip1", &[("+nightly", "wasm32-wasip1")]);
        check("cargo +beta b; cargo b --target 'wasm32-wasip2'", &[("", "wasm32-wasip2")]);
        check("cargo build --target x86_64-unknown-linux-gnu", &[]);
        check("cargo build --target", &[]);
        check("cargo component build", &[]);
        check("zig cc --target=wasm32-wasi -o a.wasm a.c", &[]);
        check("make", &[]);
    }
}
