//! The component that Cargo has made of a package: where it is, and how it comes to where the program has it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Cargo made none.
    #[error("the package in `{}` has no binary and no library of the crate type `cdylib`", .package.display())]
    Missing {
        /// The folder of the package.
        package: PathBuf,
    },
    /// Cargo made several.
    #[error("the package in `{}` makes several components: {names}", .package.display())]
    Several {
        /// The folder of the package.
        package: PathBuf,
        /// The components.
        names: String,
    },
    /// The one that Cargo made can't be read, or not written to where the program has it.
    #[error("failed to copy the component that Cargo has made: {0}")]
    Copy(#[from] io::Error),
}

/// What of a message of `cargo build --message-format json` matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Copies the component of the package in `source` to `component`, by what Cargo wrote to `messages`.
pub(crate) fn copy(messages: &Path, source: &Path, component: &Path) -> Result<(), ArtifactError> {
    let manifest = source.join("Cargo.toml").canonicalize()?;
    let text = fs::read_to_string(messages)?;
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let is_ours = |message: &Message| {
        let path = message.manifest_path.as_ref().and_then(|path| path.canonicalize().ok());
        message.reason == "compiler-artifact" && path.as_ref() == Some(&manifest)
    };
    let is_wasm = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    let made: Vec<_> = messages.filter(is_ours).flat_map(|message| message.filenames).filter(is_wasm).collect();
    match &made[..] {
        [] => Err(ArtifactError::Missing { package: source.to_owned() }),
        [made] => {
            let bytes = fs::read(made)?;
            // Who looks at the time of the file would take the same bytes for something new.
            if fs::read(component).ok().as_ref() != Some(&bytes) {
                fs::write(component, bytes)?;
            }
            Ok(())
        }
        several => {
            let names = several.iter().filter_map(|file| file.file_name()).map(|name| format!("`{}`", name.display()));
            let names = names.collect::<Vec<_>>().join(", ");
            Err(ArtifactError::Several { package: source.to_owned(), names })
        }
    }
}
