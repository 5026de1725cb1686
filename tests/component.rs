//! Component files in, descriptions out: what each component of `config/components` imports and exports.
//!
//! After a deliberate change, `SNAPSHOTS=overwrite cargo test -p lp-tests` writes the expected files anew.

use std::fmt::Write;
use std::path::Path;

use lp_host::component::{COMPONENT_BYTES_MAX, Component, ImportKind, Interface, ReadError, serves};

use crate::config::{check_text, files, folder};

/// What was read of a component, as text.
fn describe(component: &Component) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("writing to a string can't fail");
    line(format!("async: {}, run: {:?}, exports: {:?}", component.uses_async, component.run, component.exports));
    for courier in &component.couriers {
        line(format!("courier {}\n{}", courier.name, describe_interface(courier)));
    }
    for import in &component.imports {
        match &import.kind {
            ImportKind::Courier(interface) => {
                line(format!("import {}\n{}", import.name, describe_interface(interface)))
            }
            ImportKind::Handles { base, interface } => {
                line(format!("handles {} of {base}\n{}", import.name, describe_interface(interface)));
            }
            ImportKind::Host(interface) => line(format!("import {} of the host: {}", import.name, interface.name)),
            ImportKind::Unserved(unserved) => line(format!("unserved {}: {:?}", import.name, unserved.candidates)),
            other => line(format!("import {}: {other:?}", import.name)),
        }
    }
    out
}

fn describe_interface(interface: &Interface) -> String {
    let mut out = format!("{}\n", interface.wit);
    for method in &interface.methods {
        let refused = method.refused.as_ref().map_or(String::new(), |reason| format!(" (refused: {reason})"));
        writeln!(out, "- {}: {}{refused}", method.name, method.signature).expect("writing to a string can't fail");
    }
    out
}

#[test]
fn every_component_is_read_as_what_it_is() {
    for wat in files("components", "wat") {
        let bytes = wat::parse_file(&wat).expect("a component that compiles");
        let text = match Component::parse(&wat, &bytes) {
            Ok(component) => describe(&component),
            Err(error) => format!("{error}\n"),
        };
        check_text(&text, &wat.with_extension("txt"));
    }
}

#[test]
fn a_file_that_is_too_large_or_no_file_is_refused_before_it_is_read() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let large = dir.path().join("large.wasm");
    let at_the_limit = std::fs::File::create(&large).expect("a writable directory");
    at_the_limit.set_len(COMPONENT_BYTES_MAX).expect("a file may have holes");
    assert!(matches!(Component::read(&large), Err(ReadError::NotWasm)));
    at_the_limit.set_len(COMPONENT_BYTES_MAX + 1).expect("a file may have holes");
    let error = Component::read(&large).expect_err("it is too large").to_string();
    assert_eq!(error, "has 268435457 bytes, more than the 268435456 that a component may have");
    // Whoever opened this one would wait for somebody to write to it.
    let pipe = dir.path().join("pipe.wasm");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).expect("it can be made");
    assert!(matches!(Component::read(&pipe), Err(ReadError::NotAFile)));
}

#[test]
fn a_damaged_component_is_an_error_or_another_component_but_no_panic() {
    // These three have all kinds of sections and types between them.
    for name in ["types.wat", "group-client.wat", "relay.wat"] {
        let whole = wat::parse_file(folder("components").join(name)).expect("a component that compiles");
        for index in 0..whole.len() {
            let cut = Component::parse(Path::new("cut.wasm"), &whole[..index]);
            assert!(cut.is_err() || index == 8 || describe(&cut.expect("checked")).starts_with("async"));
            for value in [0, 0x7f, 0xff, whole[index] ^ 1] {
                let mut bytes = whole.clone();
                bytes[index] = value;
                if let Ok(component) = Component::parse(Path::new("damaged.wasm"), &bytes) {
                    assert!(!describe(&component).is_empty());
                }
            }
        }
    }
}

#[test]
fn a_type_that_doubles_at_each_level_is_refused_and_not_written_out() {
    let mut wat = String::from("(component (import \"a:b/c\" (instance (type $t0 (tuple u8 u8))");
    for level in 1..=16 {
        write!(wat, "(type $t{level} (tuple $t{0} $t{0}))", level - 1).expect("writing to a string can't fail");
    }
    wat.push_str("(export \"f\" (func (param \"big\" $t16))))))");
    let bytes = wat::parse_str(&wat).expect("a component that compiles");
    let component = Component::parse(Path::new("big.wasm"), &bytes).expect("a valid component");
    let ImportKind::Courier(interface) = &component.imports[0].kind else { panic!("{:?}", component.imports) };
    assert!(interface.methods[0].refused.as_ref().is_some_and(|reason| reason.contains("too long")));
    assert!(interface.methods[0].signature.len() < 1024 * 1024);
}

#[test]
fn versions_serve_each_other_as_semantic_versioning_says() {
    let check = |wanted: &str, offered: &str, expected: bool| {
        assert_eq!(serves(wanted, offered), expected, "{wanted} by {offered}");
        assert_eq!(serves(offered, wanted), expected, "{offered} by {wanted}");
    };
    check("a:b/c@1.2.0", "a:b/c@1.3.0", true);
    check("a:b/c@1.2.0", "a:b/c@2.0.0", false);
    check("a:b/c@0.2.1", "a:b/c@0.2.9", true);
    check("a:b/c@0.2.0", "a:b/c@0.3.0", false);
    check("a:b/c@0.0.1", "a:b/c@0.0.2", false);
    check("a:b/c@1.0.0-rc.1", "a:b/c@1.0.0", false);
    check("a:b/c@1.0.0-rc.1", "a:b/c@1.0.0-rc.1", true);
    check("a:b/c", "a:b/c", true);
    check("a:b/c", "a:b/c@1.0.0", false);
    check("a:b/c@1.0.0", "a:b/d@1.0.0", false);
}
