//! The command line: one verb a file. Nothing below this module prints, exits or reads the environment.

mod agent;
mod attach;
mod build;
mod cache;
mod caches;
mod call;
mod check;
mod cluster;
mod compile;
mod completions;
mod contained;
mod coordinator;
mod detach;
mod doctor;
mod graph;
mod guard;
mod hosts;
mod identity;
mod image;
mod inspect;
mod journal;
mod kubernetes;
mod lock;
mod logs;
mod man;
mod new;
mod plan;
mod proto;
mod ps;
mod replace;
mod replay;
mod run;
mod runs;
mod schema;
mod screen;
mod secrets;
mod signals;
mod slurm;
mod stop;
mod test;
mod to_launch;
mod unit;
mod wit;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use lp_program::program::{Draft, Linked, Override, Problems, Program};
use screen::Screen;

/// Runs distributed programs made of sandboxed WebAssembly components.
#[derive(Debug, Parser)]
#[command(name = "lp-host", bin_name = "lp-host", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: screen::GlobalArgs,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Args),
    Attach(attach::Args),
    Ps(ps::Args),
    Logs(logs::Args),
    Stop(stop::Args),
    Call(call::Args),
    Test(test::Args),
    Check(check::Args),
    Plan(plan::Args),
    Build(build::Args),
    Graph(graph::Args),
    Image(image::Args),
    Agent(agent::Args),
    Identity(identity::Args),
    Inspect(inspect::Args),
    Lock(lock::Args),
    Cache(cache::Args),
    Proto(proto::Args),
    Replay(replay::Args),
    New(new::Args),
    Doctor(doctor::Args),
    Wit(wit::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(hide = true)]
    Worker(worker::Args),
    #[command(hide = true)]
    Contained(contained::Args),
    #[command(hide = true)]
    Guard(guard::Args),
    #[command(hide = true)]
    Detached(detach::Args),
    #[command(hide = true)]
    Coordinator(coordinator::Args),
    #[command(hide = true)]
    Unit(unit::Args),
}

/// The program that a verb works on.
#[derive(Debug, clap::Args)]
struct ProgramArgs {
    /// The program file, such as `program.toml`
    program: PathBuf,
    /// Change a value of the program file, such as `nodes.worker.replicas=8`. A table or a list is replaced as a whole, `null`
    /// removes a key, as in `nodes.worker.sandbox=null`, and `+=` adds to a list, as in `nodes.worker.args+=--fast`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<Override>,
    /// Hold the program to the policy in this file: what it may ask for at most, whatever it says itself
    #[arg(long, value_name = "FILE", visible_alias = "limits")]
    policy: Option<PathBuf>,
}

impl ProgramArgs {
    /// Reads and checks the program.
    fn load(&self) -> Result<Program, Problems> {
        Program::load_within(&self.program, &self.overrides, self.policy.as_deref())
    }

    /// Reads the program as far as its mistakes allow.
    fn draft(&self) -> Result<Draft, Problems> {
        Draft::read(&self.program, &self.overrides, self.policy.as_deref())
    }

    /// Reads, checks and links the program for other machines.
    fn link_elsewhere(&self) -> Result<Linked, Problems> {
        Linked::load_elsewhere(&self.program, &self.overrides, self.policy.as_deref())
    }

    /// Reads, checks and links the program.
    fn link(&self) -> Result<Linked, Problems> {
        Linked::load_within(&self.program, &self.overrides, self.policy.as_deref())
    }
}

/// Runs the command line of this process and returns its exit code.
pub fn main() -> ExitCode {
    // Whatever the panic has left behind ends with the process.
    std::panic::catch_unwind(run_verb).unwrap_or_else(|_| {
        Screen::panicked();
        ExitCode::from(screen::exit_code::BUG)
    })
}

/// The command line without the verbs that only lp-host itself uses.
fn visible() -> clap::Command {
    let all = Cli::command();
    let verbs: Vec<_> = all.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
    let about = all.get_about().cloned().unwrap_or_default();
    let visible = clap::Command::new("lp-host").bin_name("lp-host").version(env!("CARGO_PKG_VERSION"));
    visible.about(about).args(all.get_arguments().cloned()).subcommands(verbs).subcommand_required(true)
}

fn run_verb() -> ExitCode {
    let cli = Cli::parse();
    let mut screen = Screen::new(&cli.global);
    let result = match cli.verb {
        Verb::Run(args) if args.is_detached() => detach::start(&args, &screen),
        Verb::Run(args) => run::run(args, None, &mut screen),
        Verb::Attach(args) => attach::run(&args, &screen),
        Verb::Ps(args) => ps::run(&args, &screen),
        Verb::Logs(args) => logs::run(args, &screen),
        Verb::Stop(args) => stop::run(&args, &screen),
        Verb::Call(args) => call::run(&args, &screen),
        Verb::Test(args) => test::run(&args, &screen),
        Verb::Check(args) => check::run(&args, &screen),
        Verb::Plan(args) => plan::run(&args, &screen),
        Verb::Agent(args) => agent::run(&args, &screen),
        Verb::Identity(args) => identity::run(&args, &screen),
        Verb::Build(args) => build::run(&args, &screen),
        Verb::Graph(args) => graph::run(&args, &screen),
        Verb::Image(args) => image::run(&args, &screen),
        Verb::Inspect(args) => inspect::run(&args, &screen),
        Verb::Lock(args) => lock::run(&args, &screen),
        Verb::Cache(args) => cache::run(&args, &screen),
        Verb::Proto(args) => proto::run(&args, &screen),
        Verb::Replay(args) => replay::run(&args, &screen),
        Verb::New(args) => new::run(&args, &screen),
        Verb::Doctor(args) => doctor::run(&args, &screen),
        Verb::Wit(args) => wit::run(&args, &screen),
        Verb::Schema(args) => schema::run(&args, &screen),
        Verb::Completions(args) => completions::run(&args, &screen),
        Verb::Man(args) => man::run(&args, &screen),
        Verb::Worker(args) => worker::run(&args, &screen),
        Verb::Contained(args) => contained::run(args, &screen),
        Verb::Guard(args) => guard::run(&args),
        Verb::Detached(args) => detach::run(args, &mut screen),
        Verb::Coordinator(args) => coordinator::run(&args, &screen),
        Verb::Unit(args) => unit::run(&args, &screen),
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
