//! The WIT packages that a guest may name without bringing their text. Nothing here parses them.

/// A WIT package and its text.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// The package's full name, such as `lp:node@0.1.0`.
    pub name: &'static str,
    /// Its WIT document, with the `package` line.
    pub text: &'static str,
}

/// The name of the package that holds `call-error`.
pub(crate) const COURIER: &str = "lp:courier@0.1.0";

/// Every package that the SDK supplies when a user's WIT folder has no copy of its own.
pub const PACKAGES: [Package; 11] = [
    Package { name: "lp:node@0.1.0", text: include_str!("../node/program.wit") },
    Package { name: "lp:test@0.1.0", text: include_str!("../test/tests.wit") },
    Package { name: "lp:replay@0.1.0", text: include_str!("../replay/replay.wit") },
    Package { name: COURIER, text: include_str!("../courier/types.wit") },
    Package { name: "wasi:cli@0.2.0", text: include_str!("../wasi/cli-0.2.wit") },
    Package { name: "wasi:cli@0.3.0", text: include_str!("../wasi/cli-0.3.wit") },
    Package { name: "wasi:clocks@0.3.0", text: include_str!("../wasi/clocks.wit") },
    Package { name: "wasi:io@0.2.0", text: include_str!("../wasi/io.wit") },
    Package { name: "wasi:random@0.2.12", text: include_str!("../wasi/random.wit") },
    Package { name: "wasi:config@0.2.0-rc.1", text: include_str!("../wasi/config.wit") },
    Package { name: "wasi:logging@0.1.0-draft", text: include_str!("../wasi/logging.wit") },
];

/// Finds a supplied package by its full name.
pub(crate) fn find(name: &str) -> Option<&'static Package> {
    PACKAGES.iter().find(|package| package.name == name)
}
