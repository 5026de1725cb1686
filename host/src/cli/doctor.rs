//! `lp-host doctor`: the languages that nodes can be written in, and what each lacks on this machine.

use std::path::Path;

use clap::ValueEnum;
use comfy_table::Table;
use lp_build::{LANGUAGES, Language, Readiness, Shell};
use serde_json::json;

use super::build::{self, Builds};
use super::screen::{CliError, Screen, exit_code};

/// Lists the languages for nodes: ready, or what is missing and what mends it
///
/// What can be had from package registries is installed by `lp-host build` when it is first needed, or by
/// `lp-host doctor --install`. Exits with 0 if every language is ready or can be made so in this way.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Install the tools of this language now; may be given several times
    #[arg(long = "install", value_name = "LANGUAGE")]
    install: Vec<String>,
    /// How to write the list
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Text,
    /// One JSON object
    Json,
}

/// What is to be said of a language.
struct Diagnosis {
    language: &'static str,
    state: State,
    /// The line or command that mends what is missing.
    mend: Option<String>,
}

enum State {
    Ready,
    /// Its tools will be installed.
    Installable,
    Missing(String),
}

impl State {
    fn text(&self) -> String {
        match self {
            State::Ready => "ready".to_owned(),
            State::Installable => "installed by the first build".to_owned(),
            State::Missing(what) => format!("missing: {what}"),
        }
    }
}

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, CliError> {
    let (environment, builds) = (build::environment(screen)?, Builds::new(screen));
    let shell = Shell::new(Path::new("."), &environment, &builds);
    let shell = shell.map_err(|error| CliError::new(exit_code::NOT_LAUNCHED, error))?;
    for name in &args.install {
        let Some(language) = Language::find(name) else {
            let failure = CliError::new(exit_code::WRONG_USAGE, format!("there is no recipe for `{name}`"));
            return Err(failure.hint(format!("the languages are {}", build::language_names())));
        };
        lp_build::install(language, &shell)?;
    }
    let diagnoses: Vec<_> = LANGUAGES.iter().map(|language| diagnosis(language, &shell)).collect();
    match args.format {
        Format::Text => screen.data(&format!("{}\n", table(&diagnoses))),
        Format::Json => screen.data(&format!("{:#}\n", to_json(&diagnoses))),
    }
    let missing = diagnoses.iter().any(|diagnosis| matches!(diagnosis.state, State::Missing(_)));
    Ok(if missing { exit_code::NOT_LAUNCHED } else { 0 })
}

fn diagnosis(language: &Language, shell: &Shell<'_>) -> Diagnosis {
    let (state, mend) = match lp_build::readiness(language, shell) {
        Readiness::Missing(need) => (State::Missing(need.name), Some(need.mend)),
        Readiness::Ready => (State::Ready, None),
        Readiness::Installable => (State::Installable, Some(format!("lp-host doctor --install {}", language.name))),
    };
    Diagnosis { language: language.name, state, mend }
}

fn table(diagnoses: &[Diagnosis]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["language", "state", "mended by"]);
    for diagnosis in diagnoses {
        table.add_row([diagnosis.language, &diagnosis.state.text(), diagnosis.mend.as_deref().unwrap_or("-")]);
    }
    table.trim_fmt()
}

fn to_json(diagnoses: &[Diagnosis]) -> serde_json::Value {
    let languages = diagnoses.iter().map(|diagnosis| {
        json!({
            "language": diagnosis.language,
            "ready": matches!(diagnosis.state, State::Ready),
            "state": diagnosis.state.text(),
            "mended-by": diagnosis.mend,
        })
    });
    json!({ "languages": languages.collect::<Vec<_>>() })
}
