//! The command line: one verb a file. Nothing below this module prints, exits or reads the environment.

mod proto;
mod run;
mod screen;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use screen::Screen;

/// Runs distributed programs made of sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "lp-host", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: screen::GlobalArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Proto(proto::Args),
    Run(run::Args),
}

/// Runs the command line of this process and returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut screen = Screen::new(&cli.global);
    let result = match cli.verb {
        Verb::Proto(args) => proto::run(args, &mut screen),
        Verb::Run(args) => run::run(args, &mut screen),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let code = failure.code();
            screen.failure(&failure);
            ExitCode::from(code)
        }
    }
}
