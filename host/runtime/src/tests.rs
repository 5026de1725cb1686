//! The interfaces that are really linked are those of the host's list.

use std::collections::BTreeSet;
use std::fmt::Write;

use lp_base::interfaces::{ALL, find};
use lp_sandbox::{Kind, State};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine};

/// Interfaces that WASI has beside those of the list, with functions that a guest could call.
const OTHERS: [&str; 7] = [
    "wasi:cli/run",
    "wasi:clocks/timezone",
    "wasi:config/runtime",
    "wasi:http/handler",
    "wasi:http/incoming-handler",
    "wasi:keyvalue/store",
    "wasi:tls/types",
];

/// The names with versions, of those that a list of the host could give, that are linked for a component of this kind
/// that imports them all.
fn linked(kind: Kind) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let versions: BTreeSet<_> = ALL.iter().flat_map(|row| row.versions).map(|version| version.number).collect();
    for name in ALL.iter().map(|row| row.name).chain(OTHERS) {
        names.extend(versions.iter().map(|version| format!("{name}@{version}")));
    }
    let mut wat = "(component ".to_owned();
    for name in &names {
        write!(wat, "(import \"{name}\" (instance))").expect("writing to a string can't fail");
    }
    let mut config = Config::new();
    config.wasm_component_model_async(kind == Kind::Concurrent).concurrency_support(kind == Kind::Concurrent);
    let engine = Engine::new(&config).expect("a supported configuration");
    let component = wat::parse_str(wat + ")").expect("a component that compiles");
    let component = Component::new(&engine, component).expect("a component that compiles");
    let mut linker: Linker<State> = Linker::new(&engine);
    lp_sandbox::add_to_linker(&mut linker, &component, kind).expect("every bundle is linked");
    // A name can't be defined twice.
    names.into_iter().filter(|name| linker.root().func_wrap(name, |_, (): ()| Ok(())).is_err()).collect()
}

fn listed(kind: Kind) -> BTreeSet<String> {
    let versions = ALL.iter().flat_map(|row| row.versions.iter().map(move |version| (row, version)));
    let fits = versions.filter(|(_, version)| kind == Kind::Concurrent || !version.bundle.needs_async());
    fits.map(|(row, version)| row.at(version)).collect()
}

#[test]
fn the_interfaces_of_the_list_are_linked_and_no_others() {
    for kind in [Kind::Plain, Kind::Concurrent] {
        assert_eq!(linked(kind), listed(kind), "{kind:?}");
    }
}

#[test]
fn an_interface_is_found_by_each_name_that_is_linked() {
    for name in linked(Kind::Concurrent) {
        let (row, version) = find(&name).expect("it is on the list");
        assert_eq!(row.at(version), name);
    }
}
