//! The values that `config = { … }` in program.toml gives a node.

use std::fmt::Display;
use std::str::FromStr;

use crate::bindings::wasi::config::store;

/// Why a value of the configuration is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The host could not read it.
    #[error("read the configuration: {0}")]
    Read(String),
    /// It is not of the type that was asked for.
    #[error("parse the configuration's `{key}`: {reason}")]
    Parse {
        /// The value's key.
        key: String,
        /// What the type's parser says. The value itself may be a secret.
        reason: String,
    },
}

/// Gets the value of `key`, or `None` if the node has no such value.
///
/// # Errors
/// If the host can't read the configuration.
pub fn get(key: &str) -> Result<Option<String>, ConfigError> {
    store::get(key).map_err(|error| match error {
        store::Error::Upstream(reason) | store::Error::Io(reason) => ConfigError::Read(reason),
    })
}

/// Gets the value of `key` as a `T`, or `None` if the node has no such value.
///
/// # Errors
/// If the host can't read the configuration, or the value is no `T`.
pub fn parse<T: FromStr<Err: Display>>(key: &str) -> Result<Option<T>, ConfigError> {
    let Some(value) = get(key)? else {
        return Ok(None);
    };
    match value.parse() {
        Ok(parsed) => Ok(Some(parsed)),
        Err(error) => Err(ConfigError::Parse { key: key.to_owned(), reason: error.to_string() }),
    }
}
