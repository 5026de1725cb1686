//! Values of a program file that the command line replaces: `--set nodes.worker.replicas=8`.

use std::str::FromStr;

use toml::de::DeTable;

/// A replaced value: the dotted path of a key, and a TOML value for it.
///
/// A value that is no TOML is taken as a string, so that `--set nodes.a.component=other.wasm` needs no quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The override as a line of TOML.
    pub(super) toml: String,
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
        let line = |value: &str| format!("{path} = {value}");
        // One line can set only one key, so neither part can smuggle in another.
        if path.contains(['\n', '\r']) || DeTable::parse(&line("0")).is_err() {
            return Err(OverrideError::BadPath(path.to_owned()));
        }
        let toml = line(value);
        if !value.contains(['\n', '\r']) && DeTable::parse(&toml).is_ok() {
            return Ok(Override { toml });
        }
        Ok(Override { toml: line(&toml::Value::String(value.to_owned()).to_string()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, toml: &str) {
        assert_eq!(text.parse::<Override>().expect("a good override").toml, toml);
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
    fn a_value_of_several_lines_sets_one_key() {
        check("a=1\nb=2", "a = \"\"\"\n1\nb=2\"\"\"");
    }
}
