//! The types of a component as one WIT text, and back: for those who call a node without having its component.

use std::path::Path;

use wit_component::{
    ComponentEncoder, DecodedWasm, OutputToString, StringEncoding, WitPrinter, decode, dummy_module,
    embed_component_metadata,
};
use wit_parser::{ManglingAndAbi, Resolve, WorldId, WorldItem};

use super::{Component, ReadError};

/// Why a component has no description, or a description no component.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// The types can't be told, or what tells them is no WIT.
    #[error("failed to describe the types: {0}")]
    Wit(String),
    /// The file has no types.
    #[error("it has no world of its own")]
    NoWorld,
    /// The types are none that a component can have.
    #[error("what is described {0}")]
    Component(#[from] ReadError),
}

impl DescriptionError {
    fn wit(error: impl std::fmt::Display) -> Self {
        // With its causes, which are in the alternate form of the parser's errors.
        Self::Wit(format!("{error:#}"))
    }
}

/// The world of `component`, which is in `bytes`, with all that it refers to, as WIT: a package, and the others nested in
/// the text.
pub fn describe(component: &Component, bytes: &[u8]) -> Result<String, DescriptionError> {
    let DecodedWasm::Component(mut resolve, world) = decode(bytes).map_err(DescriptionError::wit)? else {
        return Err(DescriptionError::NoWorld);
    };
    let package = resolve.worlds[world].package.ok_or(DescriptionError::NoWorld)?;
    // An interface that is imported too has those functions first that the component itself calls.
    for (key, item) in &resolve.worlds[world].exports {
        let name = resolve.name_world_key(key);
        let courier = component.couriers.iter().find(|courier| courier.name == name);
        if let (WorldItem::Interface { id, .. }, Some(courier)) = (item, courier) {
            let place = |name: &str| courier.methods.iter().position(|method| method.name == name);
            resolve.interfaces[*id].functions.sort_by_key(|name, _| place(name));
        }
    }
    let others: Vec<_> = resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != package).collect();
    let mut printer = WitPrinter::new(OutputToString::default());
    printer.print(&resolve, package, &others).map_err(DescriptionError::wit)?;
    Ok(printer.output.to_string())
}

/// The component that [`describe`] wrote `wit` of, without its code.
pub fn described(wit: &str) -> Result<Component, DescriptionError> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let package = resolve.push_str("types.wit", wit).map_err(DescriptionError::wit)?;
    let world = resolve.select_world(&[package], None).map_err(DescriptionError::wit)?;
    described_world(&resolve, world)
}

/// The component of a world, without code.
pub(super) fn described_world(resolve: &Resolve, world: WorldId) -> Result<Component, DescriptionError> {
    // Types are read from components alone, so one is made that has them and functions that do nothing.
    let mut module = dummy_module(resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).map_err(DescriptionError::wit)?;
    let encoder = ComponentEncoder::default().module(&module);
    let bytes = encoder.and_then(|mut encoder| encoder.encode()).map_err(DescriptionError::wit)?;
    Ok(Component::parse(Path::new("types.wit"), &bytes)?)
}
