//! What `Folder::read` supplies and what it says of a folder that is wrong, on folders written here.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use lp_wit::{Folder, FolderError, HandlesError, PACKAGES, Style, handles_wit};

/// Writes the files (name, text) to a folder and reads it.
fn read(files: &[(&str, &str)], style: Style) -> Result<Folder, FolderError> {
    let folder = empty_folder();
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Folder::read(&folder, style)
}

/// A folder of the target directory's, for one test.
fn empty_folder() -> PathBuf {
    static FOLDERS: AtomicUsize = AtomicUsize::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wit-{number}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Reads a package with the given items and a world that imports `p-handles`.
fn read_handles(items: &str, style: Style) -> Result<Folder, FolderError> {
    let text = format!("package a:b@1.2.0;\n{items}\nworld w {{ import p-handles; }}");
    read(&[("w.wit", &text)], style)
}

/// The derived text has these lines, one after another.
#[track_caller]
fn check_handles(style: Style, items: &str, expected: &str) {
    let folder = read_handles(items, style).unwrap_or_else(|error| panic!("{error}"));
    let text = folder.text();
    assert!(text.contains(expected), "{text}");
}

#[track_caller]
fn check_method(function: &str, expected: &str) {
    let items = format!("interface p {{ use lp:courier/types@0.1.0.{{call-error as lost}}; f: {function}; }}");
    check_handles(Style::Async, &items, &format!("    f: {expected};\n"));
}

#[track_caller]
fn check_refused(items: &str, expected: &str) {
    let error = read_handles(items, Style::Async).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn the_derived_interface_has_the_functions_as_methods_and_the_two_lookups() {
    check_handles(
        Style::Async,
        "interface p {
           record step { id: u64 }
           enum unused { a }
           /// Adds steps.
           push: async func(name: string, steps: list<step>, %list: option<u8>) -> u64;
         }",
        "/// Handles of the nodes that export `p`.
interface p-handles {
  use lp:courier/types@0.1.0.{call-error};
  use p.{step};

  /// One replica of a node, to call.
  resource p {
    /// Adds steps.
    push: async func(name: string, steps: list<step>, %list: option<u8>) -> result<u64, call-error>;
  }

  /// One replica: by its own name, such as `producer/1`, or by the name of a handle with a single target.
  get: func(name: string) -> option<p>;

  /// The replicas of the handle that program.toml gives this name; of every handle if the name is empty.
  all: func(name: string) -> list<p>;
}
",
    );
}

#[test]
fn a_method_returns_the_whole_return_of_its_function_or_the_call_error() {
    check_method("async func() -> u64", "async func() -> result<u64, call-error>");
    check_method("async func()", "async func() -> result<_, call-error>");
    check_method("func(a: s8) -> bool", "async func(a: s8) -> result<bool, call-error>");
    check_method("func() -> result<u8, string>", "async func() -> result<result<u8, string>, call-error>");
    check_method("func() -> result", "async func() -> result<result, call-error>");
    check_method("func() -> result<u8, lost>", "async func() -> result<u8, lost>");
    check_method("func() -> result<_, lost>", "async func() -> result<_, lost>");
}

#[test]
fn methods_of_the_sync_style_block() {
    check_handles(Style::Sync, "interface p { f: async func(); }", "    f: func() -> result<_, call-error>;\n");
}

#[test]
fn a_base_that_uses_call_error_gets_it_once() {
    check_handles(
        Style::Async,
        "interface p {
           use lp:courier/types@0.1.0.{call-error};
           type outcome = result<u8, call-error>;
           f: func() -> result<u8, call-error>;
           g: func() -> outcome;
         }",
        "interface p-handles {
  use lp:courier/types@0.1.0.{call-error};
  use p.{outcome};

  /// One replica of a node, to call.
  resource p {
    f: async func() -> result<u8, call-error>;
    g: async func() -> outcome;
  }
",
    );
}

#[test]
fn names_that_are_keywords_and_types_from_elsewhere_survive() {
    check_handles(
        Style::Async,
        "interface types { record %record { %type: u8 } }
         interface p { use types.{%record as %enum}; %list: func(%from: %enum); }",
        "  use types.{%record as %enum};

  /// One replica of a node, to call.
  resource p {
    %list: async func(%from: %enum) -> result<_, call-error>;
  }
",
    );
}

#[test]
fn what_no_call_can_carry_has_no_handles() {
    check_refused("interface p { f: func() -> stream<u8>; }", "`f` has a stream");
    check_refused("interface p { f: async func(a: option<future>); }", "`f` has a future");
    check_refused("interface p { f: func(a: error-context); }", "`f` has a error-context");
    check_refused("interface p { resource r { m: func(); } }", "`[method]r.m` has a resource");
    check_refused("interface p { resource r; record s { r: r } f: func(a: list<s>); }", "`f` has a resource");
}

#[test]
fn a_type_may_not_have_a_name_that_the_handles_need() {
    for name in ["p", "get", "all", "call-error"] {
        let items = format!("interface p {{ enum {name} {{ a }} f: func(a: {name}); }}");
        check_refused(&items, &format!("its type `{name}` has a name that the handles need"));
    }
}

#[test]
fn handles_of_another_package_are_derived_in_that_package() {
    let main = "package a:b; world w { import c:d/p-handles@2.0.0; }";
    let dep = "package c:d@2.0.0; interface p { f: func(); }";
    let folder = read(&[("w.wit", main), ("deps/d/p.wit", dep)], Style::Async).unwrap();
    let package = &folder.resolve.packages[folder.resolve.package_names[&"c:d@2.0.0".parse_name()]];
    assert!(package.interfaces.contains_key("p-handles"));
    assert_eq!(folder.files.len(), 2);
}

#[test]
fn a_type_of_the_handles_can_be_used_before_they_exist() {
    let text = "package a:b;
                interface p { f: func(); }
                interface chosen { use p-handles.{p}; pick: func() -> option<p>; }
                world w { import chosen; }";
    read(&[("w.wit", text)], Style::Async).unwrap();
}

#[test]
fn handles_that_the_folder_defines_are_left_alone() {
    let text = "package a:b; interface p-handles { mine: func(); } world w { import p-handles; }";
    let folder = read(&[("w.wit", text)], Style::Async).unwrap();
    assert!(folder.text().contains("mine: func();"));
}

#[test]
fn handles_without_a_base_are_an_error_at_their_place() {
    let text = "package a:b;\nworld w { import p-handles; }";
    let error = read(&[("w.wit", text)], Style::Async).unwrap_err().to_string();
    assert!(error.contains("`p-handles` does not exist"), "{error}");
    assert!(error.contains("w.wit:2:18"), "{error}");
    assert!(error.contains("it can't be derived: `a:b` has no interface `p`"), "{error}");
}

#[test]
fn every_package_of_the_contract_is_supplied_when_named_and_only_then() {
    let worlds = "package a:b; world w {
        import lp:node/program@0.1.0;
        import lp:courier/types@0.1.0;
        import wasi:config/store@0.2.0-rc.1;
        import wasi:logging/logging@0.1.0-draft;
        import wasi:clocks/monotonic-clock@0.3.0;
        import wasi:random/random@0.2.12;
        import lp:replay/reader@0.1.0;
        export wasi:cli/run@0.2.0;
        export wasi:cli/run@0.3.0;
        export lp:test/tests@0.1.0;
    }";
    let folder = read(&[("w.wit", worlds)], Style::Async).unwrap();
    assert_eq!(folder.resolve.packages.len(), 1 + PACKAGES.len());
    let alone = read(&[("w.wit", "package a:b; world w {}")], Style::Async).unwrap();
    assert_eq!(alone.resolve.packages.len(), 1);
}

#[test]
fn a_package_of_the_folder_goes_before_the_supplied_one() {
    let main = "package a:b; world w { import lp:node/program@0.1.0; }";
    let own = "package lp:node@0.1.0; interface program { only-here: func(); }";
    let folder = read(&[("w.wit", main), ("deps/node.wit", own)], Style::Async).unwrap();
    assert!(folder.text().contains("only-here"));
}

#[test]
fn the_text_needs_no_other_document() {
    let items = "interface p { f: func(); }\nworld v { import lp:node/program@0.1.0; export wasi:cli/run@0.3.0; }";
    let text = read_handles(items, Style::Async).unwrap().text();
    let again = read(&[("all.wit", &text)], Style::Async).unwrap();
    assert_eq!(again.text(), text);
}

#[test]
fn an_error_has_the_parsers_message_and_place() {
    let error = read(&[("w.wit", "package a:b;\nworld w { import q; }")], Style::Async).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("interface or world `q` does not exist"), "{error}");
    assert!(error.contains("w.wit:2:18"), "{error}");
    let error = read(&[("w.wit", "package a:b;\nworld w { import c:d/e; }")], Style::Async).unwrap_err();
    assert!(error.to_string().contains("package 'c:d' not found"), "{error}");
}

#[test]
fn handles_of_handles_are_refused() {
    let folder = read_handles("interface p { f: func(); }", Style::Async).unwrap();
    let handles = folder.resolve.packages[folder.package].interfaces["p-handles"];
    let error = handles_wit(&folder.resolve, handles, Style::Async).unwrap_err();
    assert!(matches!(error, HandlesError::AlreadyHandles { .. }));
}

#[test]
fn the_handles_that_an_example_keeps_as_a_file_are_those_that_are_derived() {
    let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/consumer-producers"));
    let folder = Folder::read(&example.join("wit"), Style::Async).unwrap();
    let producer = folder.resolve.packages[folder.package].interfaces["producer"];
    let derived = handles_wit(&folder.resolve, producer, Style::Async).unwrap();
    let kept = example.join("guests/plain-consumer/wit/producer-handles.wit");
    assert_eq!(derived, std::fs::read_to_string(kept).unwrap());
}

/// Turns `a:b@1.0.0` into the parser's name.
trait ParseName {
    fn parse_name(&self) -> lp_wit::wit_parser::PackageName;
}

impl ParseName for str {
    fn parse_name(&self) -> lp_wit::wit_parser::PackageName {
        let group = lp_wit::wit_parser::UnresolvedPackageGroup::parse("name", &format!("package {self};"));
        group.map_err(|(_, error)| error).unwrap().main.name
    }
}
