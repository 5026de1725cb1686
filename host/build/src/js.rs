//! What JavaScript knows of a node's world: its types, the interfaces that the node imports, and the module of what it
//! exports.

use std::path::Path;
use std::{fs, io};

use heck::{ToLowerCamelCase, ToUpperCamelCase};
use lp_wit::wit_parser::{Interface, Resolve, WorldItem, WorldKey};
use lp_wit::{Folder, NODE_WORLD};
use serde_json::{Map, Value, json};

use self::types::{Types, quoted};
use crate::error::BuildError;

mod types;

/// Writes below `dir`, the folder `lp` of the SDK: `wit.js` with the types of all functions, `main.js`, which exports what the
/// world does, a module for each imported interface in `imports`, and `imports.json`, which says by what name it is imported.
pub(crate) fn write_bindings(wit: &Folder, dir: &Path) -> Result<(), BuildError> {
    let resolve = &wit.resolve;
    let world = &resolve.worlds[resolve.packages[wit.package].worlds[NODE_WORLD]];
    let mut types = Types::new(resolve);
    let exports = exports(resolve, world.exports.iter(), &mut types)?;
    let imports = imports(resolve, world.imports.iter(), &mut types);
    write(&exports, &imports, &types, dir).map_err(BuildError::Js)
}

/// An interface or function of the world, by its name in JavaScript, with the code of its signatures.
struct Item {
    name: String,
    code: String,
    is_function: bool,
    /// The names that a module imports it by, and what it has.
    specifiers: Vec<String>,
    members: Vec<String>,
}

fn exports<'w>(
    resolve: &Resolve,
    items: impl Iterator<Item = (&'w WorldKey, &'w WorldItem)>,
    types: &mut Types<'_>,
) -> Result<Vec<Item>, BuildError> {
    let mut found: Vec<(Item, String)> = Vec::new();
    for (key, item) in items {
        let full = resolve.name_world_key(key);
        let (name, code, is_function) = match item {
            WorldItem::Interface { id, .. } => {
                let interface = &resolve.interfaces[*id];
                let name = match key {
                    WorldKey::Name(name) => name.as_str(),
                    WorldKey::Interface(_) => interface.name.as_deref().expect("an interface of a world has a name"),
                };
                (name.to_lower_camel_case(), types.interface(interface), false)
            }
            WorldItem::Function(function) => (function.name.to_lower_camel_case(), types.function(function), true),
            WorldItem::Type { .. } => continue,
        };
        if let Some((_, other)) = found.iter().find(|(item, _)| item.name == name) {
            return Err(BuildError::SameName { name, one: other.clone(), other: full });
        }
        found.push((Item { name, code, is_function, specifiers: Vec::new(), members: Vec::new() }, full));
    }
    Ok(found.into_iter().map(|(item, _)| item).collect())
}

fn imports<'w>(
    resolve: &Resolve,
    items: impl Iterator<Item = (&'w WorldKey, &'w WorldItem)>,
    types: &mut Types<'_>,
) -> Vec<Item> {
    let mut found = Vec::new();
    for (key, item) in items {
        let full = resolve.name_world_key(key);
        match item {
            WorldItem::Interface { id, .. } => {
                let interface = &resolve.interfaces[*id];
                let members = members(interface);
                if members.is_empty() {
                    continue;
                }
                let unversioned = full.split('@').next().unwrap_or(&full).to_owned();
                let specifiers = vec![full.clone(), unversioned];
                let code = types.interface(interface);
                found.push(Item { name: full, code, is_function: false, specifiers, members });
            }
            WorldItem::Function(function) => found.push(Item {
                name: function.name.to_lower_camel_case(),
                code: types.function(function),
                is_function: true,
                specifiers: Vec::new(),
                members: Vec::new(),
            }),
            WorldItem::Type { .. } => {}
        }
    }
    found
}

/// What the module of an imported interface has: its functions, and a class for each resource that has any.
fn members(interface: &Interface) -> Vec<String> {
    let mut members: Vec<String> = Vec::new();
    for function in interface.functions.values() {
        let member = match types::resource_and_method(&function.name) {
            Some((resource, _)) => resource.to_upper_camel_case(),
            None => function.name.to_lower_camel_case(),
        };
        if !members.contains(&member) {
            members.push(member);
        }
    }
    members
}

fn write(exports: &[Item], imports: &[Item], types: &Types<'_>, dir: &Path) -> io::Result<()> {
    let object = |items: &[Item]| {
        let fields = items.iter().map(|item| format!("  {}: {},\n", quoted(&item.name), item.code));
        format!("{{\n{}}}", fields.collect::<String>())
    };
    let wit = format!(
        "import * as t from \"./types.js\";\n\n{}\nexport const exports = {};\nexport const imports = {};\n",
        types.declarations(),
        object(exports),
        object(imports),
    );
    fs::write(dir.join("wit.js"), wit)?;
    fs::create_dir_all(dir.join("imports"))?;
    let mut names = Map::new();
    let mut roots = String::new();
    for (at, item) in imports.iter().enumerate() {
        let name = quoted(&item.name);
        if item.is_function {
            roots.push_str(&format!("globalThis[{name}] = imported(imports[{name}], globalThis[{name}]);\n"));
            continue;
        }
        let file = format!("{at}.js");
        let mut text = format!(
            "import native from {name};\n\nimport {{ importedInterface }} from \"../calls.js\";\n\
             import {{ imports }} from \"../wit.js\";\n\nconst found = importedInterface(native, imports[{name}]);\n\
             export default found;\n"
        );
        for (at, member) in item.members.iter().enumerate() {
            // A member may be called as a word that no variable can be called.
            text.push_str(&format!("const m{at} = found[{0}];\nexport {{ m{at} as {0} }};\n", quoted(member)));
        }
        fs::write(dir.join("imports").join(&file), text)?;
        for specifier in &item.specifiers {
            names.entry(specifier.clone()).or_insert_with(|| json!(file));
        }
    }
    fs::write(dir.join("imports.json"), Value::Object(names).to_string())?;
    fs::write(
        dir.join("roots.js"),
        format!("import {{ imported }} from \"./calls.js\";\nimport {{ imports }} from \"./wit.js\";\n\n{roots}"),
    )?;
    fs::write(dir.join("main.js"), main(exports))
}

/// The module that the component is made of.
fn main(exports: &[Item]) -> String {
    let mut text = "import \"./begin.js\";\nimport \"./roots.js\";\nimport * as node from \"../node.js\";\n\n\
                    import { exportedFunction, exportedInterface } from \"./calls.js\";\n\
                    import { imported } from \"./live.js\";\nimport { exports } from \"./wit.js\";\n\n"
        .to_owned();
    for (at, item) in exports.iter().enumerate() {
        let make = if item.is_function { "exportedFunction" } else { "exportedInterface" };
        let name = quoted(&item.name);
        text.push_str(&format!(
            "const e{at} = {make}(node, {name}, exports[{name}]);\nexport {{ e{at} as {name} }};\n"
        ));
    }
    text + "imported();\n"
}
