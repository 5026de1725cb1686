//! `lp-host doctor`: the languages that nodes can be written in, and what each lacks on this machine.

use std::path::Path;

use clap::ValueEnum;
use comfy_table::Table;
use lp_build::{LANGUAGES, Language, Readiness, Shell};
use serde_json::json;

use super::build::{self, Builds};
use super::cluster::{Engine, Launch};
use super::screen::{CliError, Screen, exit_code};
use super::{kubernetes, runs, slurm};

/// Lists the languages for nodes: ready, or what is missing and how to fix it
///
/// What can be had from package registries is installed by `lp-host build` when it is first needed, or by
/// `lp-host doctor --install`. Exits with 0 if every language is ready or can be made so in this way.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Install the tools of this language now; may be given several times
    #[arg(long = "install", value_name = "LANGUAGE")]
    install: Vec<String>,
    /// Look at what programs on this engine of a cluster need, instead of languages: `slurm`
    #[arg(long, value_name = "TYPE", conflicts_with = "install")]
    launch_type: Option<Launch>,
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
    match args.launch_type {
        None => {}
        Some(Launch::On(engine @ Engine::Slurm)) => {
            let findings = runs::block_on(slurm::findings(screen))?;
            let findings = findings.into_iter().map(|finding| (finding.what, finding.missing));
            return Ok(show_engine(engine, findings, args, screen));
        }
        Some(Launch::On(engine @ Engine::Kubernetes)) => {
            let findings = runs::block_on(kubernetes::findings(screen))?;
            return Ok(show_engine(engine, findings, args, screen));
        }
        Some(Launch::Here(_)) => {
            let error = CliError::new(exit_code::WRONG_USAGE, "there is nothing to look at for this launch type");
            return Err(error.hint("`--launch-type slurm` and `kubernetes` are for programs on a cluster"));
        }
    }
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

/// Shows what an engine lacks, in rows of what was looked at, and what is missing with what fixes it.
fn show_engine<'a>(
    engine: Engine,
    findings: impl IntoIterator<Item = (&'a str, Option<(String, String)>)>,
    args: &Args,
    screen: &Screen,
) -> u8 {
    let findings: Vec<_> = findings.into_iter().collect();
    let is_missing = findings.iter().any(|(_, missing)| missing.is_some());
    let rows = findings.iter().map(|(what, missing)| match missing {
        Some((missing, mend)) => (what, missing.as_str(), Some(mend.as_str())),
        None => (what, "ready", None),
    });
    match args.format {
        Format::Text => {
            let mut table = Table::new();
            table.load_style(comfy_table::presets::NOTHING);
            table.set_header([&format!("for {engine}"), "state", "fixed by"]);
            for (what, state, mend) in rows {
                table.add_row([what, state, mend.unwrap_or("-")]);
            }
            screen.data(&format!("{}\n", table.trim_fmt()));
        }
        Format::Json => {
            let rows = rows.map(|(what, state, mend)| json!({ "what": what, "ready": mend.is_none(), "state": state, "fixed-by": mend }));
            screen.data(&format!("{:#}\n", json!({ engine.to_string(): rows.collect::<Vec<_>>() })));
        }
    }
    if is_missing { exit_code::NOT_LAUNCHED } else { 0 }
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
