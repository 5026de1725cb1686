//! `lp-host schema`: what editors need to know of a program file.

use super::screen::{Failure, Screen};
use crate::program;

/// Prints the JSON schema of a program file, for editors
///
/// Write it beside the program with `lp-host schema > program.schema.json`, and name it in the first line of program.toml:
/// `#:schema ./program.schema.json`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, screen: &Screen) -> Result<u8, Failure> {
    screen.data(&format!("{:#}\n", program::schema()));
    Ok(0)
}
