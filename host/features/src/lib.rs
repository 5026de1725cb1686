//! Nothing: this crate is there for the features of its dependencies, which its `Cargo.toml` explains.
