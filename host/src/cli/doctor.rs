//! `lp-host doctor`: the languages that nodes can be written in, and what each lacks on this machine.

use std::path::Path;

use clap::ValueEnum;
use comfy_table::Table;
use serde_json::json;

use super::build::languages::{self, LANGUAGES};
use super::build::recipe::{Recipe, language_names};
use super::build::shell::Shell;
use super::build::{toolchain, tools};
use super::screen::{Failure, Screen, exit_code};

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

pub(super) fn run(args: &Args, screen: &Screen) -> Result<u8, Failure> {
    let shell = Shell::new(Path::new("."), screen).map_err(|error| Failure::new(exit_code::NOT_LAUNCHED, error))?;
    for name in &args.install {
        let Some(language) = languages::find(name) else {
            let failure = Failure::new(exit_code::WRONG_USAGE, format!("there is no recipe for `{name}`"));
            return Err(failure.hint(format!("the languages are {}", language_names())));
        };
        let recipe = Recipe::of_language(language);
        tools::install(&recipe, &shell, screen)?;
        recipe.targets().iter().try_for_each(|target| toolchain::add_if_missing(target, &shell, screen))?;
    }
    let diagnoses: Vec<_> = LANGUAGES.iter().map(|language| diagnosis(language, &shell)).collect();
    match args.format {
        Format::Text => screen.data(&format!("{}\n", table(&diagnoses))),
        Format::Json => screen.data(&format!("{:#}\n", to_json(&diagnoses))),
    }
    let missing = diagnoses.iter().any(|diagnosis| matches!(diagnosis.state, State::Missing(_)));
    Ok(if missing { exit_code::NOT_LAUNCHED } else { 0 })
}

fn diagnosis(language: &languages::Language, shell: &Shell<'_>) -> Diagnosis {
    let recipe = Recipe::of_language(language);
    let (state, mend) = match tools::missing(&recipe, shell) {
        Some(need) => (State::Missing(need.name.clone()), Some(need.mend.clone())),
        None if is_ready(&recipe, shell) => (State::Ready, None),
        None => (State::Installable, Some(format!("lp-host doctor --install {}", language.name))),
    };
    Diagnosis { language: language.name, state, mend }
}

fn is_ready(recipe: &Recipe, shell: &Shell<'_>) -> bool {
    tools::are_ready(recipe) && !recipe.targets().iter().any(|target| toolchain::is_missing(target, shell))
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
