//! The interfaces that the host itself serves to guests: the one list that checking, linking and `inspect` go by.
//!
//! An interface of nothing but types, such as `wasi:clocks/types`, has no row: there is nothing to call, so nobody has to
//! serve it.

mod unserved;
mod version;

pub use unserved::Unserved;
pub use version::serves;

/// The key of program.toml that grants directories.
pub const DIRS: &str = "sandbox.dirs";
/// The key of program.toml that grants HTTP requests.
pub const HTTP: &str = "sandbox.http";
/// The key of program.toml that grants sockets and lookups of names.
pub const NETWORK: &str = "sandbox.network";

/// The interface that a node exports to have tests, which `lp-host test` finds and runs by it.
pub const TESTS: &str = "lp:test/tests@0.1.0";

/// An interface that the host serves.
#[derive(Debug, PartialEq, Eq)]
pub struct HostInterface {
    /// The name without a version, such as `wasi:clocks/wall-clock`.
    pub name: &'static str,
    /// The versions that are served, oldest first. Each also serves the versions compatible with it.
    pub versions: &'static [Version],
    /// The keys of a node in program.toml that say what the interface gives it. Most are grants.
    pub keys: &'static [&'static str],
    /// What a guest does with it, such as `reads the time`.
    pub purpose: &'static str,
}

/// A version of an interface that the host serves.
#[derive(Debug, PartialEq, Eq)]
pub struct Version {
    /// The version, such as `0.2.12`.
    pub number: &'static str,
    /// The interfaces that it is linked with.
    pub bundle: Bundle,
}

/// Interfaces that are linked together, because one library has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bundle {
    /// WASI 0.2 without HTTP.
    Wasi02,
    /// WASI 0.3 without HTTP.
    Wasi03,
    /// The HTTP client of WASI 0.2.
    Http02,
    /// The HTTP client of WASI 0.3.
    Http03,
    /// `wasi:config`.
    Config,
    /// `wasi:logging`.
    Logging,
    /// `lp:node/program`.
    Program,
}

impl Bundle {
    /// Every bundle, in the order in which they are linked.
    pub const ALL: [Bundle; 7] = [
        Bundle::Wasi02,
        Bundle::Wasi03,
        Bundle::Http02,
        Bundle::Http03,
        Bundle::Config,
        Bundle::Logging,
        Bundle::Program,
    ];

    /// Whether only an engine with the component model's async feature can link it.
    pub fn needs_async(self) -> bool {
        matches!(self, Bundle::Wasi03 | Bundle::Http03)
    }
}

const WASI_0_2: Version = Version { number: "0.2.12", bundle: Bundle::Wasi02 };
const WASI_0_3: Version = Version { number: "0.3.0", bundle: Bundle::Wasi03 };
const HTTP_0_2: Version = Version { number: "0.2.12", bundle: Bundle::Http02 };
const HTTP_0_3: Version = Version { number: "0.3.0", bundle: Bundle::Http03 };

/// The groups of versions that rows have.
const BOTH: &[Version] = &[WASI_0_2, WASI_0_3];
const OLD: &[Version] = &[WASI_0_2];
const NEW: &[Version] = &[WASI_0_3];
const CONFIG: &[Version] = &[Version { number: "0.2.0-rc.1", bundle: Bundle::Config }];
const LOGGING: &[Version] = &[Version { number: "0.1.0-draft", bundle: Bundle::Logging }];
const PROGRAM: &[Version] = &[Version { number: "0.1.0", bundle: Bundle::Program }];

/// Every interface that the host serves.
pub const ALL: &[HostInterface] = &[
    row("lp:node/program", PROGRAM, &[], "asks about its program, and stops it"),
    row("wasi:cli/environment", BOTH, &["args", "env", "sandbox.inherit-env"], "reads arguments and variables"),
    row("wasi:cli/exit", BOTH, &[], "exits"),
    row("wasi:cli/stderr", BOTH, &[], "prints errors"),
    row("wasi:cli/stdin", BOTH, &[], "reads its input, which is always at its end"),
    row("wasi:cli/stdout", BOTH, &[], "prints"),
    row("wasi:cli/terminal-input", BOTH, &[], TERMINAL),
    row("wasi:cli/terminal-output", BOTH, &[], TERMINAL),
    row("wasi:cli/terminal-stderr", BOTH, &[], TERMINAL),
    row("wasi:cli/terminal-stdin", BOTH, &[], TERMINAL),
    row("wasi:cli/terminal-stdout", BOTH, &[], TERMINAL),
    row("wasi:clocks/monotonic-clock", BOTH, &["sandbox.clock"], "measures time and sleeps"),
    row("wasi:clocks/system-clock", NEW, &["sandbox.clock"], "reads the time"),
    row("wasi:clocks/wall-clock", OLD, &["sandbox.clock"], "reads the time"),
    row("wasi:config/store", CONFIG, &["config", "sandbox.secrets"], "reads config values and secrets"),
    row("wasi:filesystem/preopens", BOTH, FILES, "finds its directories"),
    row("wasi:filesystem/types", BOTH, FILES, "uses files"),
    row("wasi:http/client", &[HTTP_0_3], &[HTTP], "makes HTTP requests"),
    row("wasi:http/outgoing-handler", &[HTTP_0_2], &[HTTP], "makes HTTP requests"),
    row("wasi:http/types", &[HTTP_0_2, HTTP_0_3], &[HTTP], "makes HTTP requests"),
    row("wasi:io/error", OLD, &[], STREAMS),
    row("wasi:io/poll", OLD, &[], "waits"),
    row("wasi:io/streams", OLD, &[], STREAMS),
    row("wasi:logging/logging", LOGGING, &[], "logs"),
    row("wasi:random/insecure", BOTH, &["sandbox.random"], RANDOM),
    row("wasi:random/insecure-seed", BOTH, &["sandbox.random"], RANDOM),
    row("wasi:random/random", BOTH, &["sandbox.random"], RANDOM),
    row("wasi:sockets/instance-network", OLD, &[NETWORK], SOCKETS),
    row("wasi:sockets/ip-name-lookup", BOTH, &[NETWORK], "looks up names"),
    row("wasi:sockets/network", OLD, &[NETWORK], SOCKETS),
    row("wasi:sockets/tcp", OLD, &[NETWORK], SOCKETS),
    row("wasi:sockets/tcp-create-socket", OLD, &[NETWORK], SOCKETS),
    row("wasi:sockets/types", NEW, &[NETWORK], SOCKETS),
    row("wasi:sockets/udp", OLD, &[NETWORK], SOCKETS),
    row("wasi:sockets/udp-create-socket", OLD, &[NETWORK], SOCKETS),
];

const FILES: &[&str] = &[DIRS, "sandbox.files"];
const RANDOM: &str = "draws random numbers";
const SOCKETS: &str = "uses sockets";
const STREAMS: &str = "reads and writes streams";
const TERMINAL: &str = "asks for a terminal, which no node has";

const fn row(
    name: &'static str,
    versions: &'static [Version],
    keys: &'static [&'static str],
    purpose: &'static str,
) -> HostInterface {
    HostInterface { name, versions, keys, purpose }
}

/// The interface that serves an import of this name, and the version of it that does.
///
/// # Errors
/// If the host serves no such interface, or not in that version.
pub fn find(import: &str) -> Result<(&'static HostInterface, &'static Version), Unserved> {
    let unversioned = import.split('@').next().unwrap_or_default();
    let interface = ALL.iter().find(|interface| interface.name == unversioned);
    let found = interface.and_then(|interface| {
        let version = interface.versions.iter().find(|version| serves(import, &interface.at(version)))?;
        Some((interface, version))
    });
    found.ok_or_else(|| Unserved::new(import, interface))
}

impl HostInterface {
    /// The full name of a version, such as `wasi:clocks/wall-clock@0.2.12`.
    pub fn at(&self, version: &Version) -> String {
        format!("{}@{}", self.name, version.number)
    }

    /// The full names of all versions that are served.
    fn names(&self) -> impl Iterator<Item = String> {
        self.versions.iter().map(|version| self.at(version))
    }

    /// The package, such as `wasi:clocks`.
    fn package(&self) -> &'static str {
        self.name.split_once('/').map_or(self.name, |(package, _)| package)
    }

    /// The name within the package, such as `wall-clock`.
    fn interface(&self) -> &'static str {
        self.name.split_once('/').map_or("", |(_, interface)| interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_a_name_of_its_own_in_order_and_versions_in_order() {
        assert!(ALL.is_sorted_by(|a, b| a.name < b.name), "the rows are not in the order of their names");
        for interface in ALL {
            let parse = |version: &Version| semver::Version::parse(version.number).expect("a version");
            assert!(!interface.versions.is_empty(), "{} is served in no version", interface.name);
            assert!(interface.versions.is_sorted_by_key(parse), "the versions of {} are in no order", interface.name);
        }
    }

    #[test]
    fn each_bundle_has_a_row() {
        for bundle in Bundle::ALL {
            let mut versions = ALL.iter().flat_map(|interface| interface.versions);
            assert!(versions.any(|version| version.bundle == bundle), "no interface is in {bundle:?}");
        }
    }

    #[test]
    fn compatible_versions_are_served_and_others_are_not() {
        for served in [
            "wasi:clocks/wall-clock@0.2.0",
            "wasi:clocks/wall-clock@0.2.99",
            "wasi:http/client@0.3.0",
            "wasi:config/store@0.2.0-rc.1",
            "lp:node/program@0.1.5",
        ] {
            assert!(find(served).is_ok(), "{served} is served");
        }
        for unserved in [
            "wasi:clocks/wall-clock",
            "wasi:clocks/wall-clock@0.3.0",
            "wasi:clocks/system-clock@0.3.0-rc-2026-02-09",
            "wasi:config/store@0.2.0-draft",
            "wasi:cli/run@0.2.0",
            "lp:node/program@0.2.0",
        ] {
            assert!(find(unserved).is_err(), "{unserved} is not served");
        }
    }
}
