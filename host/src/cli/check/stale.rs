//! Interfaces of handles that a user keeps as files, and that are not what would be derived from their bases any more.

use std::path::Path;

use lp_program::program::Program;
use lp_wit::Folder;
use serde_json::{Value, json};

use super::super::wit;

/// A file that is stale.
pub(super) struct Stale {
    /// What is wrong.
    pub(super) message: String,
    /// The command that mends it.
    pub(super) help: String,
    file: String,
}

/// Looks into the folders of WIT that are known: those that the builds of nodes read, and `wit` beside the program file.
pub(super) fn find(program: &Program) -> Vec<Stale> {
    let mut folders = lp_build::wit_folders(program);
    folders.extend(program.dir.join("wit").canonicalize().ok());
    let shown = |path: &Path| lp_build::shown(program, path);
    let mut found = Vec::new();
    for folder in folders {
        // Whether the WIT is valid is for those to say who build from it.
        for kept in Folder::kept_handles(&folder).unwrap_or_default().iter().filter(|kept| kept.is_stale()) {
            let file = shown(&kept.file);
            found.push(Stale {
                message: format!("`{file}` is stale: `{}` has changed since it was derived", kept.interface),
                help: format!("rewrite it: {}", wit::mending_line(&shown(&folder), &file, kept)),
                file,
            });
        }
    }
    found
}

impl Stale {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "severity": "warning",
            "code": "stale-handles",
            "message": self.message,
            "path": self.file,
            "line": null,
            "column": null,
            "label": null,
            "help": self.help,
        })
    }
}
