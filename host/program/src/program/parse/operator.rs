//! The file of an operator's limits, read beside a program file.

use std::borrow::Cow;
use std::path::Path;

use serde_json::json;
use toml::Spanned;
use toml::de::DeTable;

use super::{remove_unknown, syntax_problem};
use crate::program::file::schema;
use crate::program::problem::{Problem, Problems};
use crate::program::source::Source;

/// The key at which [`add`] puts the limits. No program file can have it, since the schema does not know it.
const KEY: &str = "operator-limits";

/// Reads the file at `path` into `source`, and gives its text behind as many blanks as there is text before it, so that
/// its spans need no shifting.
pub(super) fn read(path: &Path, source: &mut Source) -> Result<String, Problems> {
    let shown = path.display().to_string();
    let text = super::read(path).map_err(|reason| {
        let mut problems = Problems::new(&Source::default());
        problems.push(Problem::error("no-limits", format!("`{shown}` {reason}")));
        problems
    })?;
    let start = source.push(&shown, &text);
    Ok(format!("{}{text}", " ".repeat(start)))
}

/// Adds the `limits` of the operator's file, whose text is `text`, to those of the program's file in `table`.
pub(super) fn add<'i>(text: &'i str, table: &mut DeTable<'i>, problems: &mut Problems) -> Result<(), Problems> {
    let mut operator = match DeTable::parse(text) {
        Ok(operator) => operator.into_inner(),
        Err(error) => {
            problems.push(syntax_problem(&error, text));
            return Err(problems.clone().in_order());
        }
    };
    let limits = &schema()["properties"]["limits"];
    let schema = json!({ "type": "object", "properties": { "limits": limits } });
    remove_unknown(&mut operator, &schema, &mut Vec::new(), problems);
    if let Some(limits) = operator.remove("limits") {
        table.insert(Spanned::new(limits.span(), Cow::Borrowed(KEY)), limits);
    }
    Ok(())
}
