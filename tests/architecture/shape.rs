//! How files and functions look.

use super::source::sources;

/// A file may be as long as this; near 400 lines it is time to look for the second idea in it.
const FILE_LINES_MAX: usize = 600;

/// A function may be as long as this.
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    for source in sources() {
        let path = source.path.display();
        assert!(source.text.starts_with("//!") || source.text.starts_with("#!"), "{path} does not start with `//!`");
        assert!(!source.path.ends_with("mod.rs"), "{path}: `foo.rs` stands beside `foo/`");
        let lines = source.text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{path} has {lines} lines");
    }
}

#[test]
fn functions_are_short() {
    let mut long = String::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (name, lines) in functions(&source.text).into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES_MAX) {
            long.push_str(&format!("{}: `{name}` has {lines} lines\n", source.path.display()));
        }
    }
    assert!(long.is_empty(), "{long}");
}

/// The functions in a text that rustfmt has laid out, each with its lines: its end is the first brace as far to the right
/// as its beginning.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<_> = text.lines().collect();
    let mut functions = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let Some((before, after)) = code.split_once("fn ") else { continue };
        let words = ["pub", "async", "unsafe", "const", "extern"];
        let is_function = before.split_whitespace().all(|word| words.iter().any(|known| word.starts_with(known)));
        let end = format!("{}}}", " ".repeat(indent));
        if !is_function || code.ends_with(';') {
            continue;
        }
        if let Some(length) = lines[start..].iter().position(|line| *line == end) {
            let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            functions.push((name.to_owned(), length + 1));
        }
    }
    functions
}

#[test]
fn the_lines_of_a_function_are_counted() {
    let text =
        "impl A {\n    pub async fn f(\n        a: u8,\n    ) {\n        if a {\n        }\n    }\n}\nfn g() {\n}\n";
    assert_eq!(functions(text), [("f".to_owned(), 6), ("g".to_owned(), 2)]);
}
