//! The text of one WIT package on its way to being parsed, with the interfaces of handles that are added to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wit_parser::{PackageName, ParseError, ParseErrorKind, SourceMap, UnresolvedPackage, UnresolvedPackageGroup};

use super::FolderError;
use crate::handles::HANDLES_SUFFIX;
use crate::packages::Package;

/// One WIT package's text.
pub struct Source {
    /// The files that it was read from; none for a supplied package.
    pub files: Vec<PathBuf>,
    /// The text of each added interface, by its name: a placeholder at first.
    pub derived: BTreeMap<String, String>,
    texts: SourceMap,
    /// What the parser said of each missing interface, shown if it turns out that it can't be derived.
    complaints: BTreeMap<String, String>,
    /// What the last successful parse found.
    parsed: Option<UnresolvedPackageGroup>,
}

impl Source {
    /// Reads a file, or the `*.wit` files of a directory in the order of their names.
    pub fn read(path: &Path) -> Result<Self, FolderError> {
        Self::read_but(path, |_| false)
    }

    /// The same, without the files of a directory that are `left_out`.
    pub fn read_but(path: &Path, left_out: impl Fn(&Path) -> bool) -> Result<Self, FolderError> {
        let mut files = wit_files(path)?;
        if path.is_dir() {
            files.retain(|file| !left_out(file));
        }
        let mut texts = SourceMap::new();
        for file in &files {
            texts.push(file, read_text(file)?);
        }
        Ok(Self::new(files, texts))
    }

    /// A package of the contract.
    pub fn supplied(package: &Package) -> Self {
        let mut texts = SourceMap::new();
        texts.push_str(package.name, package.text);
        Self::new(Vec::new(), texts)
    }

    fn new(files: Vec<PathBuf>, texts: SourceMap) -> Self {
        Self { files, derived: BTreeMap::new(), texts, complaints: BTreeMap::new(), parsed: None }
    }

    /// Adds a document to the package.
    pub fn add(&mut self, name: &str, text: &str) {
        self.texts.push_str(name, text);
    }

    /// The names of the worlds, once the text was parsed.
    pub fn worlds(&self) -> Vec<String> {
        let group = self.parsed.iter();
        group.flat_map(|group| group.main.worlds.iter().map(|(_, world)| world.name.clone())).collect()
    }

    /// Parses the text, adding a placeholder for each interface of handles that it names and does not define.
    pub fn parse(&mut self) -> Result<UnresolvedPackageGroup, FolderError> {
        loop {
            let mut texts = self.texts.clone();
            for (name, text) in &self.derived {
                texts.push_str(&format!("{name} (derived)"), text.as_str());
            }
            let (texts, error) = match texts.parse() {
                Ok(group) => return self.accept(group),
                Err(failure) => failure,
            };
            match missing_handles(&error) {
                Some(name) if !self.derived.contains_key(name) => {
                    self.derived.insert(name.to_owned(), placeholder(name));
                    self.complaints.insert(name.to_owned(), error.render(&texts));
                }
                _ => return Err(FolderError::Invalid(error.render(&texts))),
            }
        }
    }

    /// The name of the package, once it was parsed.
    pub fn package(&self) -> Option<&PackageName> {
        self.parsed.as_ref().map(|group| &group.main.name)
    }

    /// Whether the text has this package, be it as one nested in another.
    pub fn defines(&self, package: &PackageName) -> bool {
        let group = self.parsed.as_ref();
        group.is_some_and(|group| group.nested.iter().chain([&group.main]).any(|found| found.name == *package))
    }

    /// Adds a placeholder for `interface` if it is missing and can be derived; says whether it did.
    pub fn add_placeholder(&mut self, package: &PackageName, interface: &str) -> bool {
        let Some(group) = self.parsed.as_ref().filter(|group| group.main.name == *package) else {
            return false;
        };
        let Some(base) = interface.strip_suffix(HANDLES_SUFFIX) else {
            return false;
        };
        if has_interface(&group.main, interface) || !has_interface(&group.main, base) {
            return false;
        }
        self.derived.insert(interface.to_owned(), placeholder(interface));
        true
    }

    fn accept(&mut self, group: UnresolvedPackageGroup) -> Result<UnresolvedPackageGroup, FolderError> {
        for (name, complaint) in &self.complaints {
            let base = base_of(name);
            if !has_interface(&group.main, base) {
                let why = format!("{complaint}\nit can't be derived: `{}` has no interface `{base}`", group.main.name);
                return Err(FolderError::Invalid(why));
            }
        }
        self.parsed = Some(group.clone());
        Ok(group)
    }
}

/// The `*.wit` files of a directory in the order of their names, or the file itself.
pub fn wit_files(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    Ok(list(path)?.into_iter().filter(|file| has_extension(file, "wit") && file.is_file()).collect())
}

/// The text of a file.
pub fn read_text(file: &Path) -> Result<String, FolderError> {
    std::fs::read_to_string(file).map_err(|source| read_error(file, source))
}

/// Reads every package of the `deps` folder in `path`, if there is one.
pub fn read_deps(path: &Path) -> Result<Vec<Source>, FolderError> {
    let folder = path.join("deps");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut sources = Vec::new();
    for entry in list(&folder)? {
        if entry.is_dir() || has_extension(&entry, "wit") {
            sources.push(Source::read(&entry)?);
        } else if has_extension(&entry, "wasm") || has_extension(&entry, "wat") {
            return Err(FolderError::Encoded { path: entry });
        }
    }
    Ok(sources)
}

/// The base of an interface of handles.
pub fn base_of(handles: &str) -> &str {
    handles.strip_suffix(HANDLES_SUFFIX).expect("only names with the suffix are derived")
}

/// The least that a world can import and a `use` can name, until the real text is known.
fn placeholder(handles: &str) -> String {
    format!("interface %{handles} {{ resource %{}; }}", base_of(handles))
}

fn missing_handles(error: &ParseError) -> Option<&str> {
    match error.kind() {
        ParseErrorKind::ItemNotFound { name, .. } => Some(name).filter(|name| name.ends_with(HANDLES_SUFFIX)),
        _ => None,
    }
    .map(String::as_str)
}

fn has_interface(package: &UnresolvedPackage, name: &str) -> bool {
    package.interfaces.iter().any(|(_, interface)| interface.name.as_deref() == Some(name))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let entries = folder.read_dir().and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<_> = entries.map_err(|source| read_error(folder, source))?;
    entries.sort();
    Ok(entries)
}

fn read_error(path: &Path, source: std::io::Error) -> FolderError {
    FolderError::Read { path: path.to_owned(), source }
}
