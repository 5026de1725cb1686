//! Why the host does not serve an interface, and what a user can do instead.

use super::{ALL, HostInterface};
use crate::suggest;

/// An import of a `wasi:` or `lp:` package that the host does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unserved {
    /// The full names of the interfaces that may have been meant, such as `wasi:clocks/wall-clock@0.2.12`.
    pub candidates: Vec<String>,
    /// Completes "the import `wasi:nn/graph@0.2.0` …".
    pub reason: &'static str,
    /// What a user can do instead.
    pub help: String,
}

/// Interfaces of WASI that the host lacks, or that only a component can have: a package or an interface of it, and what
/// to do instead.
const INSTEAD: &[(&str, &str)] = &[
    ("wasi:blobstore", "keep blobs in files of a directory that `sandbox.dirs` grants"),
    ("wasi:cli/run", "export it instead: the host calls it to run the node"),
    ("wasi:clocks/timezone", "convert times in the component, from the UTC of `wasi:clocks/wall-clock@0.2.12`"),
    ("wasi:gfx", NO_GPU),
    ("wasi:graphics-context", NO_GPU),
    ("wasi:http/handler", NO_HTTP_SERVER),
    ("wasi:http/incoming-handler", NO_HTTP_SERVER),
    (
        "wasi:keyvalue",
        "keep the data in a node that serves it to others, or in files of a directory that `sandbox.dirs` grants",
    ),
    ("wasi:messaging", "call the receiving node through a handle"),
    ("wasi:nn", "compile the model's runtime into the component, and read the model from a granted file"),
    ("wasi:otel", "log with `wasi:logging/logging@0.1.0-draft`, or send traces with HTTP requests"),
    ("wasi:sql", "connect to the database through a socket that `sandbox.network` grants"),
    ("wasi:surface", NO_GPU),
    ("wasi:tls", "make HTTPS requests with `wasi:http`, or compile a TLS library into the component"),
    ("wasi:webgpu", NO_GPU),
];

const NO_GPU: &str = "compute in the component itself: a node has neither a GPU nor a screen";
const NO_HTTP_SERVER: &str = "to make requests, import `wasi:http/outgoing-handler@0.2.12` or `wasi:http/client@0.3.0`; \
                              to be called, export an interface of your own";

const NO_INTERFACE: &str = "is an interface that the host does not serve";
const OTHER_VERSION: &str = "has a version that the host does not serve";
const NO_VERSION: &str = "has no version";

impl Unserved {
    /// Why nothing serves `import`, and what to do about that; `interface` is the one of its name, if the host has it in
    /// other versions.
    pub(super) fn new(import: &str, interface: Option<&HostInterface>) -> Unserved {
        if let Some(interface) = interface {
            let reason = if import.contains('@') { OTHER_VERSION } else { NO_VERSION };
            let candidates: Vec<_> = interface.names().collect();
            let one = if candidates.len() == 1 { "that" } else { "one of them" };
            let help = format!("the host serves {}; build the component with {one}", list(&candidates));
            return Unserved { candidates, reason, help };
        }
        let name = import.split('@').next().unwrap_or_default();
        let unserved = |candidates, help| Unserved { candidates, reason: NO_INTERFACE, help };
        let covers =
            |known: &str| name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if let Some((_, instead)) = INSTEAD.iter().find(|(known, _)| covers(known)) {
            return unserved(Vec::new(), (*instead).to_owned());
        }
        let (package, own) = name.split_once('/').unwrap_or((name, ""));
        if let Some(nearest) = nearest(package, own) {
            let candidates: Vec<_> = nearest.names().collect();
            let help = format!("did you mean {}?", candidates.iter().map(quoted).collect::<Vec<_>>().join(" or "));
            return unserved(candidates, help);
        }
        let siblings = ALL.iter().filter(|interface| interface.package() == package);
        let candidates: Vec<_> = siblings.flat_map(HostInterface::names).collect();
        let help = match &candidates[..] {
            [] => format!(
                "no node can serve it either, because `{}:` is reserved for the host: import an interface of your own package",
                name.split(':').next().unwrap_or_default()
            ),
            _ => format!("of `{package}`, the host serves {}", list(&candidates)),
        };
        unserved(candidates, help)
    }
}

/// The interface that a name with one mistyped part was meant to be: its own in its package, or its package.
fn nearest(package: &str, interface: &str) -> Option<&'static HostInterface> {
    let siblings = || ALL.iter().filter(|row| row.package() == package);
    if let Some(meant) = suggest::nearest(interface, siblings().map(|row| row.interface())) {
        return siblings().find(|row| row.interface() == meant);
    }
    // Without the namespace, which is no sign that two packages are alike.
    let (namespace, package) = package.split_once(':')?;
    let mut alike = ALL.iter().filter(|row| row.interface() == interface);
    alike.find(|row| {
        let known = row.package().strip_prefix(namespace).and_then(|rest| rest.strip_prefix(':'));
        suggest::nearest(package, known).is_some()
    })
}

/// The names as `a`, `b` and `c`.
fn list(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(quoted).collect();
    match &names[..] {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn quoted(name: &String) -> String {
    format!("`{name}`")
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    fn check(import: &str, candidates: &[&str], help: &str) {
        let unserved = find(import).expect_err("it is not served");
        assert_eq!(unserved.candidates, candidates, "{import}");
        assert!(unserved.help.contains(help), "{import}: {}", unserved.help);
    }

    #[test]
    fn candidates_are_other_versions_then_near_names_then_the_rest_of_the_package() {
        check("wasi:clocks/wall-clock@0.9.0", &["wasi:clocks/wall-clock@0.2.12"], "build the component with that");
        let both = ["wasi:random/random@0.2.12", "wasi:random/random@0.3.0"];
        check("wasi:random/random@0.3.0-rc-2026-02-09", &both, "build the component with one of them");
        check("wasi:random/randon@0.2.0", &both, "did you mean `wasi:random/random@0.2.12` or");
        check(
            "lp:node/unknown@0.1.0",
            &["lp:node/program@0.1.0"],
            "of `lp:node`, the host serves `lp:node/program@0.1.0`",
        );
        check("lp:nodes/program@0.1.0", &["lp:node/program@0.1.0"], "did you mean");
        check(
            "wasi:config/runtime@0.2.0-draft",
            &["wasi:config/store@0.2.0-rc.1"],
            "of `wasi:config`, the host serves",
        );
        check("wasi:cli/run@0.2.0", &[], "export it instead");
        check("wasi:i2c/i2c@0.2.0", &[], "`wasi:` is reserved for the host");
    }

    #[test]
    fn advice_is_only_for_what_the_host_lacks_and_names_only_what_it_has() {
        for (known, advice) in INSTEAD {
            assert!(ALL.iter().all(|row| row.name != *known && row.package() != *known), "the host serves {known}");
            for name in advice.split('`').filter(|name| name.contains('@')) {
                assert!(find(name).is_ok(), "the host does not serve {name}");
            }
        }
    }
}
