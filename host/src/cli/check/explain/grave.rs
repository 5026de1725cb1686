//! Which grants reach so far that nobody should overlook them, and why.

use std::path::{Component, Path, PathBuf};

use lp_base::words::Access;

/// Why a `build` line does.
pub(super) const BUILD: &str = "runs as you, in no sandbox";

/// Why a variable of whoever runs the program does.
pub(super) const VARIABLE: &str = "a variable of yours";

/// Where systems keep themselves.
const SYSTEM: [&str; 14] = [
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/root", "/run", "/sbin", "/sys", "/usr",
    "/var",
];

/// Why a directory or file reaches far, if it does, for a program in `program_dir`. `path` has no links.
pub(super) fn path(path: &Path, access: Access, program_dir: &Path) -> Option<&'static str> {
    let home = std::env::var_os("HOME").map(PathBuf::from).and_then(|home| home.canonicalize().ok());
    let program_dir = program_dir.canonicalize().unwrap_or_else(|_| program_dir.to_owned());
    let of_path = place(path, home.as_deref(), &program_dir);
    let is_writable = access == Access::ReadWrite;
    match of_path {
        Some(reason) => Some(reason),
        None if is_writable && program_dir.starts_with(path) => Some("can change the program itself"),
        None if is_writable => Some("can change and delete what is there"),
        None if !path.starts_with(&program_dir) => Some("outside of the program's folder"),
        None => None,
    }
}

fn place(path: &Path, home: Option<&Path>, program_dir: &Path) -> Option<&'static str> {
    if path == Path::new("/") {
        return Some("every file of this machine");
    }
    // A home that is the root directory says nothing of what is below it.
    if let Some(home) = home.filter(|home| *home != Path::new("/")) {
        if home.starts_with(path) {
            return Some("your home directory");
        }
        let first = path.strip_prefix(home).ok().and_then(|below| below.components().next());
        if let Some(Component::Normal(first)) = first
            && first.to_string_lossy().starts_with('.')
            && !path.starts_with(program_dir)
        {
            return Some("your settings and keys");
        }
    }
    let is_of_system = |system: &&'static str| path.starts_with(system) && !program_dir.starts_with(system);
    SYSTEM.iter().any(is_of_system).then_some("files of the system")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(path: &str) -> Option<&'static str> {
        place(Path::new(path), Some(Path::new("/home/me")), Path::new("/home/me/.cache/program"))
    }

    #[test]
    fn what_is_of_the_user_or_the_system_is_grave() {
        assert_eq!(reason("/"), Some("every file of this machine"));
        assert_eq!(reason("/home"), Some("your home directory"));
        assert_eq!(reason("/home/me"), Some("your home directory"));
        assert_eq!(reason("/home/me/.ssh/id"), Some("your settings and keys"));
        assert_eq!(reason("/etc/passwd"), Some("files of the system"));
        assert_eq!(reason("/etcetera"), None);
        assert_eq!(reason("/home/me/data"), None);
        assert_eq!(reason("/home/me/.cache/program/data"), None);
        assert_eq!(place(Path::new("/srv/data"), Some(Path::new("/")), Path::new("/srv")), None);
        assert_eq!(place(Path::new("/root/program/data"), None, Path::new("/root/program")), None);
    }
}
