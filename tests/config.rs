//! Program files in, problems or plans out: one file in `config/invalid` per rule, and what each must print.
//!
//! After a deliberate change of a message, `SNAPSHOTS=overwrite cargo test -p lp-tests` writes the expected files anew.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lp_host::component::Digest;
use lp_host::lower;
use lp_host::plan::LaunchType;
use lp_host::program::{
    Access, Clock, Colocation, Handle, Hardening, Limit, Linked, Node, Override, Pick, Program, RULES, Random, Restart,
    SecretSource, policy_schema, schema,
};
use snapbox::Data;
use tempfile::TempDir;

/// A directory with the components of `config/components`, compiled, and room for a program file.
pub(crate) fn sandbox() -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for wat in files("components", "wat") {
        let wasm = wat::parse_file(&wat).expect("a component that compiles");
        let name = wat.file_stem().expect("a file name");
        fs::write(dir.path().join(name).with_extension("wasm"), wasm).expect("a writable directory");
    }
    let counter = fs::read(dir.path().join("counter.wasm")).expect("it was just written");
    fs::write(dir.path().join("truncated.wasm"), &counter[..counter.len() / 2]).expect("a writable directory");
    for file in files("limits", "toml").into_iter().chain(files("authorities", "pem")) {
        fs::copy(&file, dir.path().join(file.file_name().expect("a file name"))).expect("a writable directory");
    }
    fs::write(dir.path().join("text.wasm"), "not WebAssembly").expect("a writable directory");
    fs::create_dir_all(dir.path().join("shared/out")).expect("a writable directory");
    symlink("/", dir.path().join("shared/link")).expect("a writable directory");
    symlink("../policy.toml", dir.path().join("shared/linked.toml")).expect("a writable directory");
    dir
}

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

/// The files with that extension in a folder of `config`, in the order of their names.
pub(crate) fn files(name: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder(name)).expect("the folder is part of the tests");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// The overrides in a program file's comments, such as `# --set nodes.x.replicas=8`.
fn overrides(toml: &str) -> Vec<Override> {
    let lines = toml.lines().filter_map(|line| line.strip_prefix("# --set "));
    lines.map(|line| line.parse().expect("a good override")).collect()
}

/// The operator's limits in a program file's comments, as in `# --limits operator.toml`.
fn operator(dir: &Path, toml: &str) -> Option<PathBuf> {
    toml.lines().find_map(|line| line.strip_prefix("# --limits ")).map(|name| dir.join(name))
}

/// The launch type in a program file's comments, as in `# --launch-type processes`.
fn launch_type(toml: &Path) -> LaunchType {
    let toml = fs::read_to_string(toml).expect("the file is part of the tests");
    let name = toml.lines().find_map(|line| line.strip_prefix("# --launch-type "));
    name.map_or(LaunchType::Threads, |name| name.parse().expect("a launch type"))
}

/// Reads a program file from `dir`, and shows its problems with paths relative to `dir`.
fn load(dir: &Path, file: &Path) -> Result<Linked, String> {
    let toml = fs::read_to_string(file).unwrap_or_default();
    let path = dir.join("program.toml");
    match toml.is_empty() {
        true => fs::remove_file(&path).unwrap_or_default(),
        false => fs::write(&path, &toml).expect("a writable directory"),
    }
    let operator = operator(dir, &toml);
    Linked::load_within(&path, &overrides(&toml), operator.as_deref())
        .map_err(|problems| relative(dir, &problems.render(false)) + "\n")
}

fn relative(dir: &Path, text: &str) -> String {
    text.replace(&format!("{}/", dir.display()), "").replace(&dir.display().to_string(), ".")
}

pub(crate) fn check_text(actual: &str, expected: &Path) {
    snapbox::Assert::new().action_env("SNAPSHOTS").eq(actual, Data::read_from(expected, None).raw());
}

#[test]
fn every_invalid_program_prints_its_problems() {
    let dir = sandbox();
    let mut names: BTreeSet<_> = files("invalid", "toml").into_iter().collect();
    names.insert(folder("invalid").join("no-program.toml"));
    for file in names {
        let name = file.file_stem().expect("a file name").to_string_lossy().into_owned();
        let problems = load(dir.path(), &file).expect_err(&format!("{name} is invalid"));
        check_text(&problems, &file.with_extension("stderr"));
        let code = name.split('.').next().expect("a name has a first part");
        assert!(code == "everything-at-once" || problems.contains(&format!("[{code}]")), "{name}:\n{problems}");
    }
}

#[test]
fn a_problem_is_found_by_line_and_column_in_the_file_or_the_override() {
    let dir = sandbox();
    let locate = |name: &str| {
        let file = folder("invalid").join(name);
        let toml = fs::read_to_string(&file).expect("the file is part of the tests");
        fs::write(dir.path().join("program.toml"), &toml).expect("a writable directory");
        let problems = Linked::load(&dir.path().join("program.toml"), &overrides(&toml)).expect_err("it is invalid");
        let place = problems.location(&problems.problems[0]).expect("it has a place");
        (place.path.ends_with("program.toml"), place.line, place.column)
    };
    assert_eq!(locate("unknown-node.toml"), (true, 8, 23));
    assert_eq!(locate("unknown-node.override.toml"), (false, 1, 7));
}

#[test]
fn an_empty_file_lacks_a_name_and_nodes() {
    let dir = sandbox();
    let path = dir.path().join("program.toml");
    fs::write(&path, "").expect("a writable directory");
    let problems = Program::load(&path, &[]).expect_err("it is invalid");
    let codes: BTreeSet<_> = problems.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, BTreeSet::from(["missing-name", "no-nodes"]));
    assert!(problems.render(true).contains("missing-name"));
}

#[test]
fn every_rule_has_an_invalid_program() {
    for (code, _) in RULES {
        let expected = folder("invalid").join(format!("{code}.stderr"));
        assert!(expected.exists(), "`{code}` has no file in config/invalid");
    }
}

#[test]
fn every_valid_program_becomes_its_plan() {
    let dir = sandbox();
    for file in files("valid", "toml") {
        let linked = load(dir.path(), &file).unwrap_or_else(|problems| panic!("{}:\n{problems}", file.display()));
        let warnings = relative(dir.path(), &linked.warnings.render(false));
        let (plan, _) = lower(&linked, launch_type(&file));
        let json = serde_json::to_string_pretty(&plan).expect("a plan is JSON");
        assert_eq!(plan, serde_json::from_str(&json).expect("a plan is read back"));
        let shown = relative(dir.path(), &json) + "\n" + &warnings;
        check_text(shown.trim_end(), &file.with_extension("plan"));
    }
}

#[test]
fn a_program_built_in_rust_becomes_the_same_plan_as_its_file() {
    let dir = sandbox();
    let from_file = load(dir.path(), &folder("valid").join("group.toml")).expect("a valid program");
    let mut program = Program::new("counting");
    program.dir = dir.path().to_path_buf();
    let left = program.add_node(Node::component("left", "counter.wasm"));
    let right = program.add_node(Node::component("right", "counter.wasm"));
    let consumer = Node::component("consumer", "group-client.wasm");
    program.add_node(consumer.group("both", [&left, &right]).handle("first", &left));
    let built = program.link().expect("a valid program");
    assert_eq!(lower(&built, LaunchType::Threads), lower(&from_file, LaunchType::Threads));
}

#[test]
fn every_setting_of_a_file_can_be_made_in_rust() {
    let dir = sandbox();
    let from_file = load(dir.path(), &folder("valid").join("whole.toml")).expect("a valid program");
    let mut program = Program::new("counting");
    program.dir = dir.path().to_path_buf();
    program.grace = Duration::from_secs(10);
    program.message_bytes_max = 16 << 20;
    program.ceilings.set(Limit::Cpu, 60 * 60 * 1000);
    program.hardening = Hardening::Require;
    let counter = fs::read(dir.path().join("counter.wasm")).expect("it is part of the tests");
    let minute = Duration::from_secs(60);
    let producer = Node::component("producer", "counter.wasm")
        .sha256(Digest::of(&counter))
        .build("cargo build --release --target wasm32-wasip2")
        .replicas(2)
        .without_run()
        .arg("--fast")
        .config("greeting", "hello")
        .env("RUST_LOG", "info")
        .restart(Restart::always().budget(5, 10 * minute).backoff(Duration::from_millis(100), minute))
        .listen("127.0.0.1:7001".parse().expect("an address"))
        .limit(Limit::CallsQueued, 10)
        .limit(Limit::CallsConcurrent, 5)
        .limit(Limit::CallsPerConnection, 7)
        .limit(Limit::Memory, 64 << 20)
        .limit(Limit::CallCpu, 500)
        .limit(Limit::OutputRate, 1 << 20)
        .limit(Limit::HttpRequests, 10)
        .limit(Limit::HttpBody, 10 << 20)
        .dir(".", "/data", Access::ReadWrite)
        .file("program.toml", "/files/program.toml", Access::Read)
        .inherit_env("LANG")
        .secret("api-key", SecretSource::Env("API_KEY".to_owned()))
        .secret("token", SecretSource::File("token.txt".into()))
        .network("tcp-connect:10.0.0.0/8:5432".parse().expect("a grant"))
        .network("tcp-listen:[::1]:0".parse().expect("a grant"))
        .network("udp:*:53".parse().expect("a grant"))
        .network("udp-bind:*:0".parse().expect("a grant"))
        .network("dns:*.example.org".parse().expect("a grant"))
        .http("https://api.example.org".parse().expect("a grant"))
        .http("http://*.example.org:8000".parse().expect("a grant"))
        .http("https://*:*".parse().expect("a grant"))
        .http_ca("ca.pem")
        .clock(Clock::Fixed("2026-01-01T00:00:00Z".parse().expect("a time")))
        .random(Random::Seed(7));
    let producer = program.add_node(producer);
    let counter = Handle::new("counter", [&producer]).timeout(Duration::from_secs(5)).fail_fast();
    let counter = counter.pick(Pick::LeastPending).idempotent().fail_when_full();
    let consumer = Node::component("consumer", "client.wasm").handle_with(counter).restart(Restart::on_failure());
    let consumer = program.add_node(consumer);
    program.colocate(Colocation::new("together", [&producer, &consumer]).return_on_first_completed());
    let built = program.link().expect("a valid program");
    assert_eq!(lower(&built, LaunchType::Threads), lower(&from_file, LaunchType::Threads));
}

#[test]
fn a_program_built_in_rust_is_checked_by_the_same_rules() {
    let mut program = Program::new("counting");
    program.add_node(Node::component("twin", "a.wasm").replicas(0));
    let twin = program.add_node(Node::component("twin", "a.wasm"));
    program.add_node(Node::component("Caller", "a.wasm").handle("a", &twin).handle("a", &twin));
    let problems = program.link().expect_err("an invalid program");
    let codes: BTreeSet<_> = problems.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, BTreeSet::from(["bad-name", "duplicate-name", "no-component-file", "replicas"]));
    assert!(problems.problems.iter().all(|problem| problem.span.is_none()));
}

#[test]
fn the_schema_describes_every_key() {
    let schema = serde_json::to_string_pretty(&schema()).expect("a schema is JSON");
    check_text(&schema, &folder("").join("schema.json"));
    let schema = serde_json::to_string_pretty(&policy_schema()).expect("a schema is JSON");
    check_text(&schema, &folder("").join("policy-schema.json"));
}
