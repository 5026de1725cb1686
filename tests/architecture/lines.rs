//! Who may do what, line by line.

use super::source::{Source, sources};

/// Fails with every line for which `wrong` gives a reason.
fn check_lines(wrong: impl Fn(&Source, &str) -> Option<String>) {
    let mut found = String::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        for (number, line) in source.code() {
            if let Some(reason) = wrong(source, line) {
                found.push_str(&format!("{}:{number}: {reason}: {}\n", source.path.display(), line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found}");
}

fn is_cli(source: &Source) -> bool {
    source.crate_name == "lp_host"
}

#[test]
fn only_cli_prints_exits_or_reads_the_environment() {
    const BANNED: [&str; 8] =
        ["println!", "print!", "eprint", "process::exit", "env::var", "env::args", "io::stdout()", "io::stderr()"];
    check_lines(|source, line| {
        let banned = BANNED.iter().find(|banned| line.contains(**banned))?;
        (!is_cli(source)).then(|| format!("`{banned}` outside of cli"))
    });
}

#[test]
fn only_the_edges_of_grpc_name_tonic() {
    check_lines(|source, line| {
        let is_edge = source.crate_name == "lp_courier" && source.module.first().is_some_and(|first| first == "grpc");
        (line.contains("tonic::") && !is_edge).then(|| "names tonic".to_owned())
    });
}

#[test]
fn only_few_files_start_processes() {
    // Worker processes; the commands of builds; ssh; and what the command line runs: the guard of a run, terminals.
    let files = ["run/src/launch/processes.rs", "build/src/shell.rs", "remote/src/ssh.rs"];
    let starts = |source: &Source| is_cli(source) || files.iter().any(|file| source.path.starts_with(file));
    check_lines(|source, line| {
        (line.contains("Command::new(") && !starts(source)).then(|| "starts a process".to_owned())
    });
}

/// The crates whose time, randomness and tasks are those of a `Scheduler`: all that a worker runs.
const SCHEDULED: [&str; 11] = [
    "lp_base",
    "lp_trust",
    "lp_remote",
    "lp_component",
    "lp_program",
    "lp_courier",
    "lp_replay",
    "lp_sandbox",
    "lp_runtime",
    "lp_run",
    "lp_agent",
];

#[test]
fn only_the_scheduler_has_clocks_chance_tasks_and_threads() {
    // clippy.toml has the whole list, which each of the crates denies.
    for name in SCHEDULED {
        let sources = sources();
        let lib = sources.iter().find(|source| source.crate_name == name && source.path.ends_with("src/lib.rs"));
        let text = &lib.expect("every crate has a lib.rs").text;
        assert!(text.contains("deny(clippy::disallowed_methods, clippy::disallowed_types"), "{name} may use anything");
    }
    const BANNED: [&str; 5] =
        ["tokio::spawn(", "thread::spawn(", "Instant::now(", "SystemTime::now(", "clippy::disallowed"];
    check_lines(|source, line| {
        let is_scheduler = source.module.first().is_some_and(|first| first == "scheduler");
        let is_lib = source.path.ends_with("src/lib.rs");
        let banned = BANNED.iter().find(|banned| line.contains(**banned))?;
        (SCHEDULED.contains(&source.crate_name) && !is_scheduler && !is_lib)
            .then(|| format!("`{banned}` is the scheduler's"))
    });
}

#[test]
fn no_branch_of_a_select_is_picked_by_chance() {
    for source in sources().iter().filter(|source| SCHEDULED.contains(&source.crate_name) && !source.is_test()) {
        for (at, _) in source.text.match_indices("tokio::select! {") {
            let body = source.text[at..].lines().skip(1).map(str::trim).find(|line| !line.starts_with("//"));
            assert_eq!(body, Some("biased;"), "{}: a `select!` without it draws a number", source.path.display());
        }
    }
}

#[test]
fn nothing_is_unwrapped() {
    check_lines(|_, line| line.contains(".unwrap()").then(|| "`unwrap` says nothing of why it can't fail".to_owned()));
}
