//! Components in, .proto files out: what they look like, and that the protobuf of another language agrees with them.
//!
//! After a deliberate change, `SNAPSHOTS=overwrite cargo test -p lp-tests` writes the expected files anew.

use std::path::{Path, PathBuf};

use lp_host::component::Component;
use lp_host::proto::{EMPTY_PATH, method_name, print, schema, service_name};
use snapbox::Data;
use snapbox::cmd::{Command, OutputAssert as Assert};
use tempfile::TempDir;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

use crate::config::check_text;
use crate::{host, python};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("proto")
}

/// A component of the world `node` of a WIT text, whose functions do nothing.
fn component(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let package = resolve.push_str("test.wit", wit).expect("valid WIT");
    let world = resolve.select_world(&[package], Some("node")).expect("the world is there");
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("a module");
    let mut encoder = ComponentEncoder::default().module(&module).expect("a module of a component");
    encoder.encode().expect("a component")
}

fn parse(wit: &str) -> Component {
    Component::parse(Path::new("test.wasm"), &component(wit)).expect("a component")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name).with_extension("wit")).expect("a file of the tests")
}

/// Each file of a schema but `google.protobuf.Empty`'s: its path and its text.
fn files(component: &Component) -> Vec<(String, String)> {
    let set = schema(&component.couriers).expect("a schema");
    let own = set.file.iter().filter(|file| file.name() != EMPTY_PATH);
    own.map(|file| (file.name().to_owned(), print(file))).collect()
}

#[test]
fn every_interface_becomes_its_schema() {
    for name in ["examples", "types", "names"] {
        let files = files(&parse(&read(name)));
        let text: Vec<_> = files.iter().map(|(path, text)| format!("// file: {path}\n{text}")).collect();
        check_text(&text.join("\n"), &folder().join(name).with_extension("proto"));
    }
}

#[test]
fn the_protobuf_of_python_writes_and_reads_the_examples_of_the_page() {
    let python = match python::interpreter() {
        Ok(python) => python,
        Err(error) => return println!("skipped: there are no packages of PyPI: {error}"),
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (protos, out) = (dir.path().join("protos"), dir.path().join("out"));
    for name in ["examples", "types", "names"] {
        for (path, text) in files(&parse(&read(name))) {
            let path = protos.join(path);
            std::fs::create_dir_all(path.parent().expect("it is below")).expect("a writable directory");
            std::fs::write(path, text).expect("a writable directory");
        }
    }
    std::fs::create_dir(&out).expect("a writable directory");
    let page = host::root().join("docs/encoding.md");
    let said = python::run(python::script(&python, "proto/examples.py").arg(protos).arg(out).arg(page));
    let said = said.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(said, "45 examples hold\n");
}

fn check_refused(wits: &[&str], message: &str) {
    let components: Vec<_> = wits.iter().map(|wit| parse(wit)).collect();
    let error = schema(components.iter().flat_map(|component| &component.couriers)).expect_err(message);
    assert_eq!(error.to_string(), message);
}

#[test]
fn an_interface_without_a_schema_is_refused_with_the_reason() {
    let world =
        |interface: &str| format!("package a:b@1.2.0; interface c {{ {interface} }} world node {{ export c; }}");
    check_refused(&[&world("f: func(s: stream<u8>);")], "calls can't carry `f` of `a:b/c@1.2.0`: it passes a `stream`");
    check_refused(
        &[&world("add-1: func(); add1: func();")],
        "two methods of `a:b/c@1.2.0` are named `Add1` in protobuf",
    );
    let record =
        |version: &str, ty: &str| world(&format!("record r {{ a: {ty} }} f: func(r: r);")).replace("1.2.0", version);
    check_refused(
        &[&record("1.2.0", "u8"), &record("1.3.0", "string")],
        "`a.b.v1.R` of `a:b/c@1.3.0` is defined in another way by another component",
    );
    check_refused(
        &[&world("f: func();"), &world("f: func(); g: func();")],
        "`a.b.v1.C` of `a:b/c@1.2.0` is defined in another way by another component",
    );
    let same = [parse(&record("1.2.0", "u8")), parse(&record("1.3.0", "u8")), parse(&record("2.0.0", "string"))];
    let set = schema(same.iter().flat_map(|component| &component.couriers)).expect("a schema");
    assert_eq!(set.file.iter().map(|file| file.name()).collect::<Vec<_>>(), ["a/b/v1/c.proto", "a/b/v2/c.proto"]);
}

#[test]
fn a_version_is_in_a_name_as_far_as_callers_depend_on_it() {
    let check = |interface: &str, service: &str| assert_eq!(service_name(interface), service);
    check("a:b/counter@1.2.0", "a.b.v1.Counter");
    check("a:b/counter@0.3.1", "a.b.v0_3.Counter");
    check("a:b/counter@0.0.4", "a.b.v0_0_4.Counter");
    check("a:b/counter@2.0.0-rc.1", "a.b.v2_0_0_rc_1.Counter");
    check("a:b/counter", "a.b.Counter");
    check("my-org:text-tools/word-count@2.0.0", "my_org.text_tools.v2.WordCount");
    check("producers", "Producers");
    assert_eq!(method_name("add-all"), "AddAll");
}

/// A directory with the component of `examples.wit` and a program of it and of another one.
fn sandbox() -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("a writable directory");
    write("examples.wasm", &component(&read("examples")));
    write("types.wasm", &component(&read("types")));
    write("nothing.wasm", b"\0asm\x0d\0\x01\0");
    let node = |name: &str| format!("[nodes.{name}]\ncomponent = \"{name}.wasm\"\n");
    write("program.toml", format!("name = \"shapes\"\n{}{}", node("examples"), node("types")).as_bytes());
    dir
}

fn lp_host(dir: &TempDir, args: &[&str]) -> Assert {
    Command::new(host::BINARY).current_dir(dir.path()).arg("proto").args(args).assert()
}

#[test]
fn the_files_are_printed_one_after_the_other() {
    let dir = sandbox();
    let expected = |name: &str| Data::read_from(&folder().join(name).with_extension("proto"), None).raw();
    lp_host(&dir, &["examples.wasm"]).success().stdout_eq(expected("examples")).stderr_eq("");
    let both = format!("{}\n{}", expected("types"), expected("examples"));
    lp_host(&dir, &["program.toml"]).success().stdout_eq(Data::text(both).raw());
}

#[test]
fn the_files_are_written_to_the_folders_of_their_packages() {
    let dir = sandbox();
    let note = "note: wrote `out/lp_test/examples/v1/examples.proto`\n";
    lp_host(&dir, &["examples.wasm", "--out", "out"]).success().stdout_eq("").stderr_eq(note);
    let written = std::fs::read_to_string(dir.path().join("out/lp_test/examples/v1/examples.proto"));
    assert_eq!(written.ok(), files(&parse(&read("examples"))).pop().map(|(_, text)| text));
    std::fs::write(dir.path().join("taken"), "").expect("a writable directory");
    let wrong = "error: `taken/lp_test/examples/v1/examples.proto` could not be written: [..]\n";
    lp_host(&dir, &["examples.wasm", "--out", "taken"]).code(1).stderr_eq(wrong);
}

#[test]
fn a_file_without_a_schema_is_an_error_that_says_why() {
    let dir = sandbox();
    let check =
        |file: &str, error: &str| drop(lp_host(&dir, &[file]).code(3).stdout_eq("").stderr_eq(error.to_owned()));
    check("nothing.wasm", "error: `nothing.wasm` exports no interface that others can call\n");
    check("none.wasm", "error: `none.wasm` does not exist\n");
    check("program", "error: `program` does not exist\n");
}
