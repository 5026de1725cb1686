//! The language that a component was written in, as far as the file gives it away.

use std::collections::BTreeMap;

use wasm_metadata::Producers;
use wasmparser::ExportSectionReader;

/// The tools that sign components, and the language each stands for. The order matters: a JavaScript component has a
/// runtime in Rust, and one in Rust may contain C.
const LANGUAGE_OF_TOOL: &[(&str, &str)] = &[
    ("componentize-py", "Python"),
    ("componentize-js", "JavaScript"),
    ("ComponentizeJS", "JavaScript"),
    ("componentize-qjs", "JavaScript"),
    ("TinyGo", "Go"),
    ("Go cmd/compile", "Go"),
    ("rustc", "Rust"),
    ("wit-bindgen-c", "C, C++ or Zig"),
    ("clang", "C"),
];

/// Runtimes that sign nothing, by how names begin that their modules export: where a library is in memory.
const RUNTIMES: &[(&str, &str, &str)] =
    &[("libpython", "Python", "CPython"), ("componentize_qjs_runtime", "JavaScript", "componentize-qjs")];

/// What the adapter from the first preview of WASI exports. It is written in Rust, which says nothing of the component.
const ADAPTER_EXPORT: &str = "cabi_import_realloc";

/// What the modules and components of one file say, one in the other.
#[derive(Default)]
pub(super) struct Language {
    open: Vec<Part>,
    /// The tools, with their versions, that had a hand in it.
    tools: BTreeMap<String, String>,
    /// What the component itself says, or else its parts.
    named: Vec<String>,
    runtime: Option<String>,
}

/// A module or component that has not ended yet.
#[derive(Default)]
struct Part {
    is_adapter: bool,
    producers: Vec<Producers>,
}

impl Language {
    /// A module or component begins.
    pub fn begin(&mut self) {
        self.open.push(Part::default());
    }

    /// The exports of the innermost part, which is a module.
    pub fn exports(&mut self, exports: ExportSectionReader<'_>) {
        let Some(part) = self.open.last_mut() else { return };
        for export in exports.into_iter().filter_map(Result::ok) {
            part.is_adapter |= export.name == ADAPTER_EXPORT;
            if self.runtime.is_none() {
                self.runtime = runtime(export.name);
            }
        }
    }

    /// A producers section of the innermost part. One that can't be read says nothing: it is a note by a tool, not part of
    /// the program.
    pub fn producers(&mut self, data: &[u8], offset: usize) {
        let Ok(producers) = Producers::from_bytes(data, offset) else { return };
        if let Some(part) = self.open.last_mut() {
            part.producers.push(producers);
        }
    }

    /// The innermost part ends.
    pub fn end(&mut self) {
        let Some(part) = self.open.pop().filter(|part| !part.is_adapter) else { return };
        for producers in part.producers {
            if let Some(tools) = producers.get("processed-by") {
                self.tools.extend(tools.iter().map(|(name, version)| (name.clone(), version.clone())));
            }
            let names = producers.get("language");
            let names: Vec<_> = names.iter().flat_map(|names| names.iter()).map(|(name, _)| name.clone()).collect();
            let at = if self.open.is_empty() { 0 } else { self.named.len() };
            self.named.splice(at..at, names);
        }
    }

    /// What it comes to, such as `Rust (rustc 1.95.0)`.
    pub fn found(self) -> Option<String> {
        if self.runtime.is_some() {
            return self.runtime;
        }
        let known = LANGUAGE_OF_TOOL.iter().find_map(|(tool, language)| {
            let version = self.tools.get(*tool)?;
            let number = version.split_whitespace().next().unwrap_or_default();
            let named = self.named.first().filter(|named| language.contains(named.as_str()));
            Some(format!("{} ({tool} {number})", named.map_or(*language, String::as_str)))
        });
        known.or_else(|| self.named.first().cloned())
    }
}

/// The runtime that an exported name such as `libpython3.14.so:memory_base` is a part of.
fn runtime(export: &str) -> Option<String> {
    let (library, _) = export.split_once(':')?;
    RUNTIMES.iter().find_map(|(begin, language, runtime)| {
        let rest = library.strip_prefix(begin)?;
        let version = rest.trim_end_matches(".so").trim_end_matches(".wasm");
        Some(format!("{language} ({})", format!("{runtime} {version}").trim_end()))
    })
}
