//! What a world exports, for JavaScript, which would miss a function only when it is called.

use std::path::Path;
use std::{fs, io};

use heck::ToLowerCamelCase;
use lp_wit::wit_parser::{Function, FunctionKind, WorldItem, WorldKey};
use lp_wit::{Folder, NODE_WORLD};

/// Writes `lp_exports.js` into `dir`, with the path of each function within what the node's module exports.
pub(crate) fn write_exports(wit: &Folder, dir: &Path) -> io::Result<()> {
    let mut paths: Vec<Vec<String>> = Vec::new();
    let world = &wit.resolve.worlds[wit.resolve.packages[wit.package].worlds[NODE_WORLD]];
    for (key, item) in &world.exports {
        match (key, item) {
            (WorldKey::Name(name), WorldItem::Interface { id, .. }) => {
                paths.extend(functions(&wit.resolve.interfaces[*id].functions, name));
            }
            (WorldKey::Interface(id), _) => {
                let interface = &wit.resolve.interfaces[*id];
                let name = interface.name.as_deref().expect("an interface that a world names has a name");
                paths.extend(functions(&interface.functions, name));
            }
            (WorldKey::Name(name), WorldItem::Function(_)) => paths.push(vec![name.to_lower_camel_case()]),
            (WorldKey::Name(_), WorldItem::Type { .. }) => {}
        }
    }
    let paths = serde_json::to_string(&paths).expect("names are text");
    fs::write(dir.join("lp_exports.js"), format!("export default {paths};\n"))
}

/// The paths of an interface's functions, without those of its resources.
fn functions<'a>(
    functions: impl IntoIterator<Item = (&'a String, &'a Function)>,
    interface: &str,
) -> impl Iterator<Item = Vec<String>> {
    let plain = functions
        .into_iter()
        .filter(|(_, function)| matches!(function.kind, FunctionKind::Freestanding | FunctionKind::AsyncFreestanding));
    plain.map(move |(name, _)| vec![interface.to_lower_camel_case(), name.to_lower_camel_case()])
}
