//! What `node!` expands to, and what it says of mistakes. The code itself is compiled by every node.

use crate::{expand, listed, options::Options};

/// Expands `node!` with these options on the WIT of `fixtures`.
fn expand(options: &str) -> Result<String, String> {
    let options = format!("{{ path: \"fixtures\", {options} }}");
    let options: Options = syn::parse_str(&options).map_err(|error| error.to_string())?;
    let code = expand::expand(&options).map_err(|error| error.to_string())?;
    Ok(code.to_string())
}

#[track_caller]
fn check_has(options: &str, parts: &[&str]) {
    let code = expand(options).unwrap();
    for part in parts {
        assert!(code.contains(part), "no `{part}` in\n{code}");
    }
}

#[track_caller]
fn check_error(options: &str, expected: &str) {
    let error = expand(options).unwrap_err();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn the_only_trait_is_in_scope_as_guest() {
    check_has(
        "world: \"one\", node: Node",
        &["use exports :: test :: worlds :: my_type :: Guest as Guest ;", "export ! (Node) ;"],
    );
}

#[test]
fn several_traits_are_in_scope_by_their_interfaces() {
    check_has(
        "world: \"several\", node: Node",
        &["my_type :: Guest as MyTypeGuest", "exports :: in_ :: Guest as InGuest", "run :: Guest as RunGuest"],
    );
    check_has("world: \"with-functions\", node: Node", &["my_type :: Guest as MyTypeGuest"]);
}

#[test]
fn a_world_that_only_calls_exports_nothing() {
    let code = expand("world: \"caller\"").unwrap();
    assert!(!code.contains("export !"), "{code}");
}

#[test]
fn call_error_is_the_type_of_the_sdk_where_a_world_has_it() {
    let shared = "\"lp:courier/types@0.1.0\" : :: lp_guest :: courier ,";
    check_has("world: \"one\", node: Node", &[shared]);
    let code = expand("world: \"caller\"").unwrap();
    assert!(!code.contains(shared), "{code}");
}

#[test]
fn options_of_wit_bindgen_are_passed_on() {
    check_has(
        "world: \"one\", node: Node, async: [\"-all\"], additional_derives: [PartialEq, Eq], with: { \"a:b/c\": x::y }",
        &["async : [\"-all\"] ,", "additional_derives : [PartialEq , Eq] ,", "\"a:b/c\" : x :: y ,"],
    );
}

#[test]
fn the_code_is_stale_when_the_wit_changes() {
    check_has("world: \"caller\"", &["include_bytes ! (\"", "worlds.wit\")"]);
}

#[test]
fn sync_handles_block() {
    check_has("world: \"one\", node: Node, handles: \"sync\"", &["f: func() -> result<u8, call-error>"]);
}

#[test]
fn handles_may_return_futures() {
    let expected = ["f: func() -> future<result<u8, call-error>>"];
    check_has("world: \"one\", node: Node, handles: \"future\"", &expected);
}

#[test]
fn mistakes_are_named() {
    check_error("world: \"one\"", "the world `one` has exports: name the type that implements them, `node: Type`");
    check_error("world: \"caller\", node: Node", "the world `caller` exports nothing that a node could implement");
    check_error("world: \"none\"", "none");
    check_error("node: Node", "multiple worlds");
    check_error("path: \"fixtures\"", "the option `path` is given twice");
    check_error("wrold: \"one\"", "no option is named `wrold`; there are `node`, `world`");
    check_error("handles: \"later\"", "handles are `\"async\"`, `\"future\"` or `\"sync\"`");
}

#[test]
fn a_missing_folder_is_named() {
    let options: Options = syn::parse_str("path: \"nowhere\"").unwrap();
    let error = expand::expand(&options).unwrap_err().to_string();
    assert!(error.starts_with("read `") && error.contains("nowhere"), "{error}");
}

/// Expands `#[tests]` on this `impl`.
fn expand_tests(tests: &str) -> Result<String, String> {
    let tests: syn::ItemImpl = syn::parse_str(tests).map_err(|error| error.to_string())?;
    let code = listed::expand(&proc_macro2::TokenStream::new(), &tests).map_err(|error| error.to_string())?;
    Ok(code.to_string())
}

#[test]
fn tests_are_listed_by_their_names_and_awaited_where_they_are_async() {
    let code =
        expand_tests("impl Driver { async fn counts_twice() {} fn test_empty() -> Result<(), String> { Ok(()) } }");
    let code = code.unwrap();
    for part in [
        "[\"counts-twice\" , \"empty\"]",
        "\"counts-twice\" => :: lp_guest :: TestResult :: into_result (Self :: counts_twice () . await)",
        "\"empty\" => :: lp_guest :: TestResult :: into_result (Self :: test_empty ())",
    ] {
        assert!(code.contains(part), "no `{part}` in\n{code}");
    }
}

#[test]
fn what_is_no_test_is_named() {
    let error = |tests: &str| expand_tests(tests).unwrap_err();
    assert_eq!(error("impl Driver {}"), "there is no test in here");
    assert_eq!(error("impl Driver { fn takes(n: u64) {} }"), "a test takes no arguments");
    assert_eq!(error("impl Driver { const N: u64 = 1; }"), "only tests can be here, which are functions");
    assert!(error("impl Guest for Driver { fn a() {} }").contains("an `impl` of the node's own"));
}
