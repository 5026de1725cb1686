//! Values of a program file that the command line changes: `--set nodes.worker.replicas=8`.

use std::fmt;
use std::str::FromStr;

use toml::de::{DeTable, DeValue};

/// A changed value: the dotted path of a key, and a TOML value for it, which takes the place of the whole of what was
/// there, a table too. The value `null`, which TOML doesn't have, removes the key. `+=` instead of `=` adds a value, or each
/// of a list of values, to the end of the list that is there.
///
/// A value that is no TOML is taken as a string, so that `--set nodes.a.component=other.wasm` needs no quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The override as messages show it: a line of TOML, or one with `null` or `+=`.
    pub(super) shown: String,
    /// How many keys the path has.
    pub(super) depth: usize,
    pub(super) change: Change,
}

/// What an override does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Replace,
    Append,
    Remove,
}

/// Why a text is no [`Override`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// There is no `=`.
    #[error("`{0}` has no `=`; write it as `nodes.worker.replicas=8`")]
    NoValue(String),
    /// The part before `=` is not a dotted path.
    #[error("`{0}` is not a path of keys such as `nodes.worker.replicas`")]
    BadPath(String),
}

impl FromStr for Override {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Override, OverrideError> {
        let (path, value) = text.split_once('=').ok_or_else(|| OverrideError::NoValue(text.to_owned()))?;
        let (path, value) = (path.trim(), value.trim());
        // A key that ends in `+` would be in quotes.
        let (path, is_added) = path.strip_suffix('+').map_or((path, false), |path| (path.trim_end(), true));
        let line = |value: &str| format!("{path} = {value}");
        // One line can set only one key, so neither part can smuggle in another.
        let depth = (!path.contains(['\n', '\r'])).then(|| depth(&line("0"))).flatten();
        let depth = depth.ok_or_else(|| OverrideError::BadPath(path.to_owned()))?;
        if value == REMOVED && !is_added {
            return Ok(Override { shown: line(value), depth, change: Change::Remove });
        }
        let toml = line(value);
        let is_toml = !value.contains(['\n', '\r']) && DeTable::parse(&toml).is_ok();
        let shown = if is_toml { toml } else { line(&toml::Value::String(value.to_owned()).to_string()) };
        if is_added {
            return Ok(Override { shown: shown.replacen(" = ", " += ", 1), depth, change: Change::Append });
        }
        Ok(Override { shown, depth, change: Change::Replace })
    }
}

/// The value that removes a key.
const REMOVED: &str = "null";

/// Writes the override as it may be given again.
impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.change == Change::Append { "+=" } else { "=" };
        let (path, value) = self.shown.split_once(&format!(" {sign} ")).unwrap_or((&self.shown, ""));
        write!(f, "{path}{sign}{value}")
    }
}

impl Override {
    /// The override as a line of TOML, whose keys are where they are in what is shown.
    pub(super) fn toml(&self) -> String {
        match self.change {
            Change::Replace => self.shown.clone(),
            Change::Append => self.shown.replacen(" += ", "  = ", 1),
            Change::Remove => self.shown.strip_suffix(REMOVED).unwrap_or_default().to_owned() + "0",
        }
    }
}

/// How many keys the path of a line of TOML has, whose value is a number.
fn depth(line: &str) -> Option<usize> {
    let mut table = DeTable::parse(line).ok()?.into_inner();
    let mut depth = 1;
    loop {
        let (_, value) = table.into_iter().next()?;
        let DeValue::Table(inner) = value.into_inner() else { return Some(depth) };
        (table, depth) = (inner, depth + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, toml: &str) {
        assert_eq!(text.parse::<Override>().expect("a good override").toml(), toml);
    }

    #[test]
    fn a_value_is_toml_or_else_a_string() {
        check("nodes.x.replicas=8", "nodes.x.replicas = 8");
        check("nodes.x.args=['a', 'b']", "nodes.x.args = ['a', 'b']");
        check("nodes.x.component=b/c.wasm", "nodes.x.component = \"b/c.wasm\"");
        check("nodes.x.env.A=k=v", "nodes.x.env.A = \"k=v\"");
        check("grace=", "grace = \"\"");
    }

    #[test]
    fn a_path_must_be_one_dotted_key() {
        assert_eq!("replicas".parse::<Override>(), Err(OverrideError::NoValue("replicas".to_owned())));
        for wrong in ["=8", "a..b=8", "[nodes]=8", "a b=8", "a\nb=8"] {
            let path = wrong.split('=').next().unwrap_or_default().to_owned();
            assert_eq!(wrong.parse::<Override>(), Err(OverrideError::BadPath(path)));
        }
    }

    #[test]
    fn null_removes_a_key_and_is_no_text() {
        let parsed: Override = "nodes.\"x\".sandbox.http = null ".parse().expect("a good override");
        assert_eq!((parsed.change, parsed.depth), (Change::Remove, 4));
        assert_eq!(parsed.shown, "nodes.\"x\".sandbox.http = null");
        check("nodes.x.env.A='null'", "nodes.x.env.A = 'null'");
    }

    #[test]
    fn values_are_added_by_another_sign() {
        check("nodes.x.args+=a=b", "nodes.x.args  = \"a=b\"");
        check("nodes.x.args += ['a', 'b']", "nodes.x.args  = ['a', 'b']");
        check("nodes.x.args+=null", "nodes.x.args  = \"null\"");
        let parsed: Override = "nodes.x.args+=1".parse().expect("a good override");
        assert_eq!((parsed.to_string(), parsed.depth), ("nodes.x.args+=1".to_owned(), 3));
    }

    #[test]
    fn a_value_of_several_lines_sets_one_key() {
        check("a=1\nb=2", "a = \"\"\"\n1\nb=2\"\"\"");
    }
}
