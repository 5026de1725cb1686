//! Go bindings of a world, laid out as a workspace of Go modules with the node's source and the SDK.

use std::fs;
use std::path::Path;

use lp_wit::wit_parser::Resolve;
use lp_wit::{Folder, NODE_WORLD};
use wit_bindgen_core::{AsyncFilterSet, Files};
use wit_bindgen_go::{Format, Opts};
use wit_component::StringEncoding;

use crate::encode::EncodeError;
use crate::places::Places;

/// The `go` line of all modules that the node's is built with.
const GO_VERSION: &str = "1.25";

/// The module of the node's source, by its `go.mod`.
const NODE_MODULE: &str = "node";

/// What bindings name that wait while others go on, which Go's scheduler can't without a change of it.
const ASYNC: [&str; 3] = ["pkg/wit/async\"", "witTypes.FutureReader[", "witTypes.StreamReader["];

/// Writes the module `bindings`, and the `go.work` that joins it with the module `lp` of the SDK and the node's own.
pub(crate) fn write_bindings(wit: &Folder, source: &Path, places: &Places) -> Result<(), EncodeError> {
    let is_module = fs::read_to_string(source.join("go.mod"))
        .is_ok_and(|text| text.lines().any(|line| line.split_whitespace().eq(["module", NODE_MODULE])));
    if !is_module {
        return Err(EncodeError::GoModule(source.join("go.mod")));
    }
    let mut resolve = wit.resolve.clone();
    rename_parameters(&mut resolve);
    let world = resolve.packages[wit.package].worlds[NODE_WORLD];
    let mut files = Files::default();
    // Without its own formatting, which runs whatever `gofmt` is on the path. An `async func` that is left in the WIT, such
    // as the `run` of WASI 0.3, is one that blocks.
    let options = Opts { format: Format::False, async_: AsyncFilterSet::all(false), ..Opts::default() };
    let generated = options.build().generate(&mut resolve, world, &mut files);
    generated.map_err(|error| EncodeError::Bindings(format!("{error:#}")))?;
    for (name, contents) in files.iter().filter(|(name, _)| *name != "go.mod") {
        let text = String::from_utf8_lossy(contents);
        if ASYNC.iter().any(|name| text.contains(name)) {
            return Err(EncodeError::GoAsync);
        }
        let path = places.bindings.join(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder"))?;
        fs::write(path, adapted(&text, source))?;
    }
    fs::write(places.bindings.join("go.mod"), format!("module bindings\n\ngo {GO_VERSION}\n"))?;
    let used = [&places.bindings, &places.work.join("sdk"), &source.to_path_buf()];
    let used = used.into_iter().map(|module| Ok(format!("use {:?}\n", std::path::absolute(module)?)));
    let used = used.collect::<std::io::Result<String>>()?;
    fs::write(places.work.join("go.work"), format!("go {GO_VERSION}\n\n{used}"))?;
    Ok(())
}

/// Gives parameters names that are no words of Go and none of those that the bindings use within a function.
fn rename_parameters(resolve: &mut Resolve) {
    let functions = resolve.interfaces.iter_mut().flat_map(|(_, interface)| interface.functions.values_mut());
    for parameter in functions.flat_map(|function| &mut function.params) {
        // A method's own `self` is known by its name.
        if parameter.name != "self" {
            parameter.name = format!("arg-{}", parameter.name);
        }
    }
}

/// A file of the bindings with its imports as the workspace has them, and with memory as `lp/abi` manages it.
fn adapted(text: &str, source: &Path) -> String {
    let mut adapted = String::new();
    for line in text.lines() {
        if line.starts_with("//go:wasmexport cabi_post_") {
            continue;
        }
        match (line.trim().strip_prefix("\"wit_component/export_"), line.trim()) {
            (Some(exported), _) => {
                let interface = exported.trim_end_matches('"');
                // Two interfaces with functions of the same name can't share a package.
                let package = match source.join(interface).is_dir() {
                    true => format!("{NODE_MODULE}/{interface}"),
                    false => NODE_MODULE.to_owned(),
                };
                adapted.push_str(&format!("export_{interface} \"{package}\""));
            }
            (None, "\"runtime\"") => adapted.push_str("runtime \"lp/abi\""),
            (None, _) => adapted.push_str(
                &line
                    .replace("\"wit_component/", "\"bindings/")
                    .replace("\"go.bytecodealliance.org/pkg/wit/types\"", "\"lp/wit\"")
                    .replace("\"go.bytecodealliance.org/pkg/wit/runtime\"", "\"lp/abi\"")
                    .replace("&runtime.Pinner{}", "runtime.BeginCall()")
                    .replace("pinner := &syncExportPinner", "pinner := runtime.BeginResults(&syncExportPinner)"),
            ),
        }
        adapted.push('\n');
    }
    adapted
}

/// Puts the types of the world into the core module, which Go's linker has no place for.
pub(crate) fn embed_types(wit: &Folder, core: &Path) -> Result<(), EncodeError> {
    let world = wit.resolve.packages[wit.package].worlds[NODE_WORLD];
    let mut module = fs::read(core)?;
    wit_component::embed_component_metadata(&mut module, &wit.resolve, world, StringEncoding::UTF8)
        .map_err(|error| EncodeError::Component(format!("{error:#}")))?;
    fs::write(core, module)?;
    Ok(())
}
