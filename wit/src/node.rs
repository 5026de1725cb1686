//! The world that a node's toolchain sees: the user's, what every node may ask the host, and one style of calls.

use std::path::Path;

use wit_parser::{FunctionKind, InterfaceId, Resolve, Type, TypeDef, TypeDefKind, TypeOwner, WorldItem};

use crate::folder::source::Source;
use crate::{Folder, FolderError, Style};

/// The name of that world, in the package of the user's folder.
pub const NODE_WORLD: &str = "lp-node";

impl Folder {
    /// Reads a folder as [`Folder::read`] does, and adds the world [`NODE_WORLD`] to its package.
    ///
    /// It includes `world`, which may be left out if there is one only, and imports `imports` besides, such as
    /// `lp:node/program@0.1.0`. In it, every call waits in `style`: an `async func` that the world imports becomes a `func`
    /// that returns a `future`, or one that blocks; and in the style that blocks, so do the functions that it exports. The
    /// host links either to a node that declares the other.
    ///
    /// # Errors
    /// As [`Folder::read`], or if the world can't be told, or can't be had in this style.
    pub fn read_node(path: &Path, world: Option<&str>, imports: &[&str], style: Style) -> Result<Self, FolderError> {
        let mut main = Source::read(path)?;
        main.parse()?;
        let world = chosen(&main.worlds(), world)?;
        let imports: String = imports.iter().map(|import| format!("  import {import};\n")).collect();
        main.add(NODE_WORLD, &format!("world {NODE_WORLD} {{\n  include %{world};\n{imports}}}\n"));
        let mut folder = Self::resolve(path, main, style)?;
        folder.restyle(style)?;
        Ok(folder)
    }

    fn restyle(&mut self, style: Style) -> Result<(), FolderError> {
        let world = self.resolve.packages[self.package].worlds[NODE_WORLD];
        let world = &self.resolve.worlds[world];
        let imported: Vec<_> = world.imports.values().filter_map(interface).collect();
        let exported: Vec<_> = world.exports.values().filter_map(interface).collect();
        match style {
            Style::Async => Ok(()),
            Style::Sync => {
                imported.into_iter().chain(exported).for_each(|id| restyle(&mut self.resolve, id, style));
                Ok(())
            }
            Style::Future => imported.into_iter().try_for_each(|id| {
                if exported.contains(&id) && has_async(&self.resolve, id) {
                    let interface = self.resolve.id_of(id).unwrap_or_default();
                    return Err(FolderError::Both { interface });
                }
                restyle(&mut self.resolve, id, style);
                Ok(())
            }),
        }
    }
}

fn chosen(worlds: &[String], wanted: Option<&str>) -> Result<String, FolderError> {
    let listed = || worlds.iter().map(|world| format!("`{world}`")).collect::<Vec<_>>().join(", ");
    let reason = match (wanted, worlds) {
        (Some(wanted), _) if worlds.iter().any(|world| world == wanted) => return Ok(wanted.to_owned()),
        (None, [only]) => return Ok(only.clone()),
        (_, []) => "the package has none".to_owned(),
        (Some(wanted), _) => format!("there is no `{wanted}`, but {}", listed()),
        (None, _) => format!("there are {}", listed()),
    };
    Err(FolderError::World { reason })
}

fn interface(item: &WorldItem) -> Option<InterfaceId> {
    match item {
        WorldItem::Interface { id, .. } => Some(*id),
        _ => None,
    }
}

/// Whether an interface is one of WASI's, which the host serves as they are.
fn is_wasi(resolve: &Resolve, id: InterfaceId) -> bool {
    let package = resolve.interfaces[id].package;
    package.is_some_and(|package| resolve.packages[package].name.namespace == "wasi")
}

fn has_async(resolve: &Resolve, id: InterfaceId) -> bool {
    resolve.interfaces[id].functions.values().any(|function| function.kind == FunctionKind::AsyncFreestanding)
}

/// Declares the `async func`s of an interface in another style.
fn restyle(resolve: &mut Resolve, id: InterfaceId, style: Style) {
    if is_wasi(resolve, id) {
        return;
    }
    let is_hosts = resolve.id_of(id).is_some_and(|name| name.starts_with("lp:node/"));
    for function in resolve.interfaces[id].functions.values_mut() {
        if function.kind != FunctionKind::AsyncFreestanding {
            continue;
        }
        function.kind = FunctionKind::Freestanding;
        if style == Style::Future {
            // What waits in this style are the bindings of QuickJS, which trap at a future of nothing. The host's own function
            // gives `true` in it.
            let result = function.result.or(is_hosts.then_some(Type::Bool));
            let future = resolve.types.alloc(TypeDef {
                name: None,
                kind: TypeDefKind::Future(result),
                owner: TypeOwner::None,
                docs: Default::default(),
                stability: Default::default(),
                span: Default::default(),
                external_id: None,
            });
            function.result = Some(Type::Id(future));
        }
    }
}
