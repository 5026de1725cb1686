//! Writes other outcomes into the calls of a file of tests. All else in it stays as it is, byte for byte.

use std::fmt::Write as _;
use std::ops::Range;

use lp_component::script::{Line, Outcome};

use super::TestFile;

/// What a call of a test is to expect instead of what it does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallUpdate {
    /// The test.
    pub test: String,
    /// The place of the call among the test's.
    pub place: usize,
    /// What stands after the call, such as `-> 7` or `fails denied`; nothing if any result will do.
    pub outcome: String,
}

impl TestFile {
    /// The text of the file with these outcomes, each of another call.
    pub fn updated(&self, updates: &[CallUpdate]) -> String {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        for update in updates {
            let table = self.tests.iter().find(|(name, _)| *name.get_ref() == update.test);
            let Some(call) = table.and_then(|(_, table)| table.calls.get(update.place)) else { continue };
            let line = [called(call.get_ref()), &update.outcome].join(" ");
            let is_literal = self.text[call.span()].starts_with('\'');
            edits.push((call.span(), written(line.trim_end(), is_literal)));
        }
        edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        let mut text = self.text.clone();
        edits.iter().for_each(|(span, line)| text.replace_range(span.clone(), line));
        text
    }

    /// The text of the file as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// A line of a script without its outcome.
fn called(line: &str) -> &str {
    let line = line.trim();
    let (outcome, sign) = match Line::parse(line).map(|line| line.outcome) {
        Ok(Outcome::Result(result)) => (result, "->"),
        Ok(Outcome::Fails(case)) => (case, "fails"),
        Ok(Outcome::Any) | Err(_) => return line,
    };
    let call = line.strip_suffix(outcome).map(str::trim_end).and_then(|line| line.strip_suffix(sign));
    call.map_or(line, str::trim_end)
}

/// A text as TOML: between single quotes where it was and can be, or else between double ones.
fn written(text: &str, is_literal: bool) -> String {
    if is_literal && !text.contains(|c: char| c == '\'' || c.is_control()) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => write!(quoted, "\\u{:04X}", u32::from(c)).expect("a string takes all"),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, outcome: &str, expected: &str) {
        let text = format!("# kept\n[tests.a]\ncalls = [{line}, 'b.c()'] # so is this\r\n");
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let path = dir.path().join("a.test.toml");
        std::fs::write(&path, &text).expect("it can be written");
        let file = TestFile::load(&path).expect("it is a file of tests");
        let update = CallUpdate { test: "a".to_owned(), place: 0, outcome: outcome.to_owned() };
        assert_eq!(file.updated(&[update]), text.replace(line, expected));
    }

    #[test]
    fn an_outcome_is_replaced_and_nothing_else() {
        check("'a.b( 1 )  ->  [1, 2]'", "-> [7]", "'a.b( 1 ) -> [7]'");
        check("\"a.b(\\\"x\\\") fails denied\"", "-> \"y\"", "\"a.b(\\\"x\\\") -> \\\"y\\\"\"");
        check("'a.b()'", "fails unavailable", "'a.b() fails unavailable'");
        check("'a.b() -> 1'", "", "'a.b()'");
        check("'a.b() -> 1'", "-> '\\''", "\"a.b() -> '\\\\''\"");
        check("'a.b() -> \"\"'", "-> \"\u{7}\"", "\"a.b() -> \\\"\\u0007\\\"\"");
    }
}
