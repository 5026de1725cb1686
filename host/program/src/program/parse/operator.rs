//! The file of an operator's policy, read beside a program file.

use std::borrow::Cow;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{remove_unknown, syntax_problem};
use crate::program::file::policy_schema;
use crate::program::problem::{Problem, Problems};
use crate::program::source::Source;

/// The key at which [`add`] puts the policy. No program file can have it, since the schema does not know it.
const KEY: &str = "operator-policy";

/// Reads the file at `path` into `source`, and gives its text behind as many blanks as there is text before it, so that
/// its spans need no shifting.
pub(super) fn read(path: &Path, source: &mut Source) -> Result<String, Problems> {
    let shown = path.display().to_string();
    let text = super::read(path).map_err(|reason| {
        let mut problems = Problems::new(&Source::default());
        problems.push(Problem::error("no-policy", format!("`{shown}` {reason}")));
        problems
    })?;
    let start = source.push(&shown, &text);
    Ok(format!("{}{text}", " ".repeat(start)))
}

/// Adds the operator's file, whose text is `text`, to the program's file in `table`.
pub(super) fn add<'i>(text: &'i str, table: &mut DeTable<'i>, problems: &mut Problems) -> Result<(), Problems> {
    let mut operator = match DeTable::parse(text) {
        Ok(operator) => operator.into_inner(),
        Err(error) => {
            problems.push(syntax_problem(&error, text));
            return Err(problems.clone().in_order());
        }
    };
    remove_unknown(&mut operator, &policy_schema(), &mut vec![KEY.to_owned()], problems);
    // The place of the whole is that of its end, where no mistake is.
    let end = text.len()..text.len();
    table.insert(Spanned::new(end.clone(), Cow::Borrowed(KEY)), Spanned::new(end, DeValue::Table(operator)));
    Ok(())
}
