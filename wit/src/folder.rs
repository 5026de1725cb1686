//! Reads a user's WIT folder and supplies what it may leave out: the contract's packages and interfaces of handles.
//!
//! The parser names a missing interface only in its error, so reading goes by attempts: each one adds what the last one
//! missed. A missing `producer-handles` first becomes a placeholder, so that its base `producer` can be resolved, and is
//! replaced by the derived text after.

pub(crate) mod source;

use std::path::{Path, PathBuf};

use source::Source;
use wit_component::{OutputToString, WitPrinter};
use wit_parser::{PackageId, PackageName, Resolve, UnresolvedPackageGroup};

use crate::handles::{HandlesError, Style, handles_wit};
use crate::packages;

/// A user's WIT folder with everything in place that its worlds name.
#[derive(Debug)]
pub struct Folder {
    /// Every package, resolved.
    pub resolve: Resolve,
    /// The folder's own package: the one whose worlds can be chosen.
    pub package: PackageId,
    /// The files that were read. What is built from the folder is stale when one of them changes.
    pub files: Vec<PathBuf>,
}

/// Why a WIT folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or directory could not be read.
    #[error("read `{}`: {source}", path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A package encoded as WebAssembly, which has no text to add to.
    #[error("read `{}`: only the text form of WIT is supported", path.display())]
    Encoded {
        /// The file.
        path: PathBuf,
    },
    /// The WIT is not valid. The message has the place and the line.
    #[error("parse WIT: {0}")]
    Invalid(String),
    /// The folder's package has no such world, or several and none was chosen.
    #[error("choose a world: {reason}")]
    World {
        /// What there is.
        reason: String,
    },
    /// A world imports and exports an interface that its guest can implement but not call.
    #[error(
        "`{interface}` is both imported and exported, and has `async func`s, which can't be imported in this style"
    )]
    Both {
        /// The interface's name.
        interface: String,
    },
    /// A world imports handles of an interface that can't have any.
    #[error("{0}")]
    Handles(#[from] HandlesError),
}

impl Folder {
    /// Reads a folder of `*.wit` files, or a single file.
    ///
    /// As for other WIT tools, the files of `path` are one package and those of `path/deps` are others. A package of
    /// [`PACKAGES`](crate::PACKAGES) that is named and not there is supplied, as is an interface `x-handles` of any
    /// package there that has an interface `x`; its methods are in `style`.
    ///
    /// # Errors
    /// If a file can't be read, the WIT is invalid, or handles are asked for that can't be derived.
    pub fn read(path: &Path, style: Style) -> Result<Self, FolderError> {
        Self::resolve(path, Source::read(path)?, style)
    }

    /// Resolves a folder whose own package was read.
    pub(crate) fn resolve(path: &Path, mut main: Source, style: Style) -> Result<Self, FolderError> {
        let mut deps = source::read_deps(path)?;
        let files = deps.iter().chain([&main]).flat_map(|source| source.files.clone()).collect();
        let (mut resolve, mut package) = resolve_all(&mut main, &mut deps)?;
        let mut derived = false;
        for source in deps.iter_mut().chain([&mut main]) {
            derived |= derive_handles(source, &resolve, style)?;
        }
        if derived {
            (resolve, package) = resolve_all(&mut main, &mut deps)?;
        }
        Ok(Self { resolve, package, files })
    }

    /// The whole of it as one WIT document, which needs no other.
    #[must_use]
    pub fn text(&self) -> String {
        let packages = self.resolve.packages.iter().filter(|(id, _)| *id != self.package);
        let mut others: Vec<_> = packages.map(|(id, package)| (&package.name, id)).collect();
        others.sort();
        let others: Vec<_> = others.into_iter().map(|(_, id)| id).collect();
        let mut printer = WitPrinter::<OutputToString>::default();
        printer.print(&self.resolve, self.package, &others).expect("what was parsed from text has a text form");
        printer.output.to_string()
    }
}

/// Parses the sources and links their packages, adding supplied packages and placeholders of handles as they turn out to
/// be missing.
fn resolve_all(main: &mut Source, deps: &mut Vec<Source>) -> Result<(Resolve, PackageId), FolderError> {
    loop {
        let main_group = main.parse()?;
        let groups = deps.iter_mut().map(Source::parse).collect::<Result<Vec<_>, _>>()?;
        let wanted: Vec<_> = groups.iter().chain([&main_group]).flat_map(foreign_interfaces).collect();
        let mut complete = true;
        for (package, interface) in wanted {
            complete &= !supply(&package, &interface, main, deps);
        }
        if complete {
            let mut resolve = Resolve::default();
            let package = resolve
                .push_groups(main_group, groups)
                .map_err(|error| FolderError::Invalid(error.render(&resolve.source_map)))?;
            return Ok((resolve, package));
        }
    }
}

/// Every interface or world of another package that a group names.
fn foreign_interfaces(group: &UnresolvedPackageGroup) -> Vec<(PackageName, String)> {
    let packages = group.nested.iter().chain([&group.main]).flat_map(|package| &package.foreign_deps);
    packages.flat_map(|(name, items)| items.keys().map(|item| (name.clone(), item.clone()))).collect()
}

/// Adds the package, or the placeholder of the interface of handles, if it is missing and can be supplied.
fn supply(package: &PackageName, interface: &str, main: &mut Source, deps: &mut Vec<Source>) -> bool {
    if let Some(source) = deps.iter_mut().chain([main]).find(|source| source.defines(package)) {
        return source.add_placeholder(package, interface);
    }
    let Some(supplied) = packages::find(&package.to_string()) else {
        return false;
    };
    let mut source = Source::supplied(supplied);
    // So that the next interface of the package finds it here.
    source.parse().expect("the supplied texts are valid");
    deps.push(source);
    true
}

/// Replaces a source's placeholders by derived text; says whether there were any.
fn derive_handles(source: &mut Source, resolve: &Resolve, style: Style) -> Result<bool, FolderError> {
    let Some(package) = source.package().map(|name| resolve.package_names[name]) else {
        return Ok(false);
    };
    let mut derived = false;
    for (name, text) in &mut source.derived {
        let base = resolve.packages[package].interfaces[source::base_of(name)];
        *text = handles_wit(resolve, base, style)?;
        derived = true;
    }
    Ok(derived)
}
