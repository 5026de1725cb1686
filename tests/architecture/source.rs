//! The sources of the host's crates, and what their `use` lines name.

use std::path::{Path, PathBuf};

use crate::host;

/// The crates of the host: the folder below `host/` and the name in code.
pub const CRATES: [(&str, &str); 16] = [
    ("base", "lp_base"),
    ("component", "lp_component"),
    ("program", "lp_program"),
    ("courier", "lp_courier"),
    ("remote", "lp_remote"),
    ("engine", "lp_engine"),
    ("replay", "lp_replay"),
    ("sandbox", "lp_sandbox"),
    ("runtime", "lp_runtime"),
    ("run", "lp_run"),
    ("agent", "lp_agent"),
    ("build", "lp_build"),
    ("testing", "lp_testing"),
    ("trust", "lp_trust"),
    ("features", "lp_features"),
    (".", "lp_host"),
];

/// A source file without the tests in it.
pub struct Source {
    /// The crate, by its name in code.
    pub crate_name: &'static str,
    /// The path below `host/`.
    pub path: PathBuf,
    /// Where the file is among the modules of its crate: `["wire", "lift"]` for `wire/lift.rs`; nothing for `lib.rs`.
    pub module: Vec<String>,
    /// The text.
    pub text: String,
}

impl Source {
    /// Whether the file has nothing but tests.
    pub fn is_test(&self) -> bool {
        self.module.iter().any(|part| part == "tests")
    }

    /// The lines that are no comments, with their numbers.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Every path of the file's own crate that it names, resolved: `["courier", "Message"]`.
    pub fn own_paths(&self) -> Vec<Vec<String>> {
        let text: String = self.code().map(|(_, line)| format!("{line}\n")).collect();
        let mut found = Vec::new();
        for root in ["crate", "super", "self"] {
            for (at, _) in text.match_indices(&format!("{root}::")) {
                let before = text[..at].chars().next_back();
                if before.is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':') {
                    continue;
                }
                for path in paths(&text[at..]) {
                    found.extend(self.resolve(&path));
                }
            }
        }
        found
    }

    fn resolve(&self, path: &[String]) -> Option<Vec<String>> {
        let mut resolved = match path.first()?.as_str() {
            "crate" => Vec::new(),
            _ => self.module.clone(),
        };
        for part in path {
            match part.as_str() {
                "crate" | "self" => {}
                "super" => drop(resolved.pop()?),
                part => resolved.push(part.to_owned()),
            }
        }
        Some(resolved)
    }
}

/// The paths at the beginning of `text`, each of its parts a word: several if it has a group, which may have groups in it.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = text;
    loop {
        if let Some(inner) = rest.strip_prefix('{') {
            let prefixed = |path: Vec<String>| parts.iter().cloned().chain(path).collect();
            return group(inner).iter().flat_map(|item| paths(item)).map(prefixed).collect();
        }
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        parts.push(rest[..end].to_owned());
        match rest[end..].strip_prefix("::") {
            Some(after) => rest = after,
            None => return vec![parts],
        }
    }
}

/// The items of a group, from after its brace to the one that closes it.
fn group(text: &str) -> Vec<&str> {
    let (mut items, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(text[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items.retain(|item| !item.is_empty());
    items
}

/// Every source file of the host.
pub fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for (dir, crate_name) in CRATES {
        let root = host::root().join("host").join(dir).join("src");
        collect(crate_name, &root, &root, &mut sources);
    }
    assert!(sources.len() > 200, "only {} files found", sources.len());
    sources
}

fn collect(crate_name: &'static str, root: &Path, dir: &Path, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(dir).expect("the folder can be listed") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            collect(crate_name, root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("source is UTF-8");
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            let below = path.strip_prefix(root).expect("it is below").with_extension("");
            let module = below.iter().map(|part| part.to_string_lossy().into_owned());
            let module = module.filter(|part| part != "lib" && part != "main").collect();
            let path = path.strip_prefix(host::root().join("host")).expect("it is below").to_owned();
            sources.push(Source { crate_name, path, module, text });
        }
    }
}

#[test]
fn grouped_and_relative_paths_are_resolved() {
    let text = "use crate::{a::{B, c::D}, e::F};\nuse super::super::g::H;\nfn f() { self::i::j() }\n// crate::no\n";
    let module = ["x", "y", "z"].map(str::to_owned).to_vec();
    let source = Source { crate_name: "lp_base", path: PathBuf::new(), module, text: text.to_owned() };
    let paths: Vec<_> = source.own_paths().iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["a::B", "a::c::D", "e::F", "x::g::H", "x::y::z::i::j"]);
}
