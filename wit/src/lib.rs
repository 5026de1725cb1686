//! The contract between the host and its guests: the WIT texts and what is derived from a user's WIT. It runs nothing.
//!
//! [`PACKAGES`] holds the texts that a guest's WIT may name without bringing them. [`handles_wit`] writes the interface
//! through which a node calls many nodes: for `interface producer` it is `interface producer-handles`. [`Folder::read`]
//! reads a user's WIT folder and supplies both, so that a world may simply say `import producer-handles;`.

mod folder;
mod handles;
mod kept;
mod node;
mod packages;

pub use folder::{Folder, FolderError};
pub use handles::{HANDLES_SUFFIX, HandlesError, Style, handles_document, handles_wit};
pub use kept::KeptHandles;
pub use node::NODE_WORLD;
pub use packages::{PACKAGES, Package};
/// The WIT parser whose types [`handles_wit`] and [`Folder`] speak of.
pub use wit_parser;
