//! `lp-host contained`: runs the program of the image that it is in; the entry point of images.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use lp_base::plan::{ComponentFiles, Plan};

use super::run::run_plan;
use super::screen::{CliError, Screen, exit_code};

/// Runs the program of an image
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(super) struct Args {
    /// The directory of the plan and the components
    program: PathBuf,
    /// How to write lines and the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tagged lines, and a table on stderr
    Text,
    /// One JSON object a line on stdout
    Json,
}

pub(super) fn run(args: Args, screen: &Screen) -> Result<u8, CliError> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        CliError::new(exit_code::NOT_LAUNCHED, format!("`{}` can't be read: {error}", path.display()))
    };
    let path = args.program.join("plan.json");
    let text = fs::read(&path).map_err(|error| failed(&path, &error))?;
    let mut plan: Plan = serde_json::from_slice(&text).map_err(|error| failed(&path, &error))?;
    plan.follow_links();
    check_grants(&plan)?;
    let components = args.program.join("components");
    let of_node = |digest| (digest, components.join(format!("{digest}.wasm")));
    let components: ComponentFiles = plan.nodes.iter().filter_map(|node| node.sha256()).map(of_node).collect();
    run_plan(plan, components, args.format == Format::Json, screen)
}

/// Refuses a program whose directories and files are not in the container.
fn check_grants(plan: &Plan) -> Result<(), CliError> {
    for node in &plan.nodes {
        let dirs = node.sandbox.dirs.iter().filter(|grant| !grant.host.is_dir()).map(|grant| (grant, "directory"));
        let files = node.sandbox.files.iter().filter(|grant| !grant.host.is_file()).map(|grant| (grant, "file"));
        if let Some((grant, kind)) = dirs.chain(files).next() {
            let (path, name) = (grant.host.display(), &node.name);
            let error = format!("the {kind} `{path}`, which `{name}` is granted, is not in this container");
            let hint = format!("mount it, as `docker run --volume HERE:{path}` does");
            return Err(CliError::new(exit_code::NOT_LAUNCHED, error).hint(hint));
        }
    }
    Ok(())
}
