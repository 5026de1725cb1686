//! The rules of host/ARCHITECTURE.md that can be read off the source: who may use whom, and who may do what.

use std::path::{Path, PathBuf};

use crate::host;

/// The layers of `lp_host`, from the top down. A module may use those of the layers below its own.
const LAYERS: [&[&str]; 13] = [
    &["cli"],
    &["observe"],
    &["supervise"],
    &["launch"],
    &["worker"],
    &["node"],
    &["runtime"],
    &["courier"],
    &["plan"],
    &["program"],
    &["value"],
    &["proto"],
    &["component"],
];

/// A file may be as long as this; near 400 lines it is time to look for the second idea in it.
const FILE_LINES_MAX: usize = 600;

/// A source file: its path below `host/src` and its text without its tests.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The module at the top of the file's path: `runtime` for `runtime/wire/lift.rs`.
    fn module(&self) -> &str {
        let first = self.path.components().next().expect("a file has a name").as_os_str().to_str();
        first.expect("module names are ASCII").trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        self.path.components().any(|part| part.as_os_str() == "tests") || self.path.ends_with("tests.rs")
    }
}

fn sources() -> Vec<Source> {
    let root = host::root().join("host/src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.len() > 20, "only {} files found", sources.len());
    sources
}

fn collect(root: &Path, dir: &Path, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(dir).expect("the folder can be listed") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("source is UTF-8");
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            sources.push(Source { path: path.strip_prefix(root).expect("it is below").to_owned(), text });
        }
    }
}

/// Fails with every line for which `wrong` gives a reason.
fn check_lines(wrong: impl Fn(&Source, &str) -> Option<String>) {
    let mut found = String::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (number, line) in source.text.lines().enumerate() {
            if !line.trim_start().starts_with("//")
                && let Some(reason) = wrong(source, line)
            {
                found.push_str(&format!("{}:{}: {reason}: {}\n", source.path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found}");
}

#[test]
fn dependencies_point_down() {
    let layer = |module: &str| LAYERS.iter().position(|modules| modules.contains(&module));
    check_lines(|source, line| {
        let own = layer(source.module())?;
        let used = line.match_indices("crate::").filter_map(|(at, path)| {
            let module = line[at + path.len()..].split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
            Some((module.to_owned(), layer(module)?))
        });
        used.filter(|(_, used)| *used < own)
            .map(|(module, _)| format!("`{}` uses `{module}`, which is above it", source.module()))
            .next()
    });
}

#[test]
fn every_module_has_a_layer() {
    for source in sources() {
        let module = source.module();
        let known = LAYERS.iter().any(|modules| modules.contains(&module)) || ["lib", "main"].contains(&module);
        assert!(known, "`{module}` is in no layer");
    }
}

#[test]
fn only_runtime_names_wasmtime() {
    check_lines(|source, line| {
        let names = line.contains("wasmtime::") || line.contains("wasmtime_");
        (names && source.module() != "runtime").then(|| "names wasmtime".to_owned())
    });
}

#[test]
fn only_cli_prints_exits_or_reads_the_environment() {
    const BANNED: [&str; 8] =
        ["println!", "print!", "eprint", "process::exit", "env::var", "env::args", "io::stdout()", "io::stderr()"];
    check_lines(|source, line| {
        let banned = BANNED.iter().find(|banned| line.contains(**banned))?;
        (source.module() != "cli").then(|| format!("`{banned}` outside of cli"))
    });
}

#[test]
fn nothing_is_unwrapped() {
    check_lines(|_, line| line.contains(".unwrap()").then(|| "`unwrap` says nothing of why it can't fail".to_owned()));
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    for source in sources() {
        let path = source.path.display();
        assert!(source.text.starts_with("//!") || source.text.starts_with("#!"), "{path} does not start with `//!`");
        assert!(!source.path.ends_with("mod.rs"), "{path}: `foo.rs` stands beside `foo/`");
        let lines = source.text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{path} has {lines} lines");
    }
}
