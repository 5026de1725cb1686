//! Tests of a program: `program.test.toml` beside `program.toml`, read and checked against the program's components.

mod fault;
mod file;
mod listing;
mod script;
mod update;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use fault::{Chance, CrashTime, Effect, Fault, FaultEdge, Leg, Mishap, Span, Start};
use file::{DoubleFile, ExpectFile, TestTable, TestsFile};
pub use file::{Expectation, Grant, NodeState, ProgramOutcome, tests_schema};
pub use listing::BadTests;
use lp_base::suggest;
pub use script::{Expected, ScriptCall};
use toml::Spanned;
pub use update::CallUpdate;

use super::parse::{self, Overlay};
use super::problem::{Problem, Problems};
use super::source::Source;
use super::{Answer, Double, Draft, Linked, Override, Program, link};

/// How a file of tests is named: `program.test.toml` has those of `program.toml`.
pub const TESTS_SUFFIX: &str = ".test.toml";

/// How long a test may take whose file says nothing of it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest timeout of a test.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A file of tests, of which none is checked against its program yet.
#[derive(Debug)]
pub struct TestFile {
    /// The program under test.
    pub program: PathBuf,
    path: String,
    text: String,
    tests: Vec<(Spanned<String>, TestTable)>,
}

/// A test, checked against its program.
#[derive(Debug, Clone)]
pub struct Test {
    /// The name.
    pub name: String,
    /// The program as the test runs it, without [`Grant`]s taken away.
    pub linked: Arc<Linked>,
    /// The calls that it makes, one after the other.
    pub calls: Vec<ScriptCall>,
    /// The nodes whose `run` must return before the test ends.
    pub waits_for: BTreeSet<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// What the program's grants the nodes keep.
    pub grants: BTreeSet<Grant>,
    /// What goes wrong, in deterministic runs.
    pub faults: Vec<Fault>,
    /// What must have become of the program.
    pub expectation: Expectation,
    /// The run that asks its nodes for the tests that they have, which are then run in its place: each call of it gives the
    /// names of those of one node.
    pub listing: Option<Box<Test>>,
}

impl TestFile {
    /// Reads the file of tests at `path`.
    ///
    /// # Errors
    /// Every mistake in it that can be found without its program.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let shown = path.display().to_string();
        let text = parse::read(path).map_err(|reason| {
            let mut problems = Problems::new(&Source::default());
            problems.push(Problem::error("no-tests", format!("`{shown}` {reason}")));
            problems
        })?;
        let mut problems = Problems::new(&Source::new(shown.clone(), text.clone()));
        let mut table = parse::read_table(&text, &mut problems)?;
        parse::remove_unknown(&mut table, &tests_schema(), &mut Vec::new(), &mut problems);
        let file: TestsFile = parse::deserialize(table, text.len(), &mut problems);
        let program = match file.program {
            Some(program) => program,
            None => {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                format!("{}.toml", name.strip_suffix(TESTS_SUFFIX).unwrap_or("program"))
            }
        };
        let mut tests: Vec<_> = file.tests.into_iter().collect();
        tests.sort_by_key(|(name, _)| name.span().start);
        if tests.is_empty() && problems.problems.is_empty() {
            let problem = Problem::error("no-check", "the file has no test").at(Some(0..0), "");
            problems.push(problem.help("add a table such as `[tests.counts]`".to_owned()));
        }
        for (name, test) in &tests {
            check_alone(name, test, &mut problems);
        }
        let program = path.parent().map_or_else(PathBuf::new, Path::to_path_buf).join(program);
        problems.into_result(Self { program, path: shown, text, tests })
    }

    /// The names of the tests, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|(name, _)| name.get_ref().as_str())
    }

    /// Whether the test called `name` has nodes that the program does not have. What is wrong with either file shows later.
    pub fn has_own_nodes(&self, name: &str, overrides: &[Override], operator: Option<&Path>) -> bool {
        let own = self.own_nodes();
        let program = self.program_of(name, overrides, operator);
        program.is_ok_and(|program| program.nodes.iter().any(|node| !own.contains(&node.name)))
    }

    /// The program as the test called `name` runs it, with its components, if any, where they were.
    ///
    /// # Errors
    /// Every mistake in the file of the program.
    pub fn program_of(&self, name: &str, overrides: &[Override], operator: Option<&Path>) -> Result<Program, Problems> {
        let draft = Draft::read_with(&self.program, overrides, operator, Some(&self.overlay(name)), false)?;
        draft.problems.into_result(draft.program)
    }

    fn overlay(&self, name: &str) -> Overlay {
        let keys = ["tests", name, "program"].map(str::to_owned).to_vec();
        Overlay { path: self.path.clone(), text: self.text.clone(), keys }
    }

    /// Links the program as the test called `name` runs it, and checks the test against it.
    ///
    /// # Errors
    /// Every mistake of either.
    ///
    /// # Panics
    /// If there is no test of that name.
    pub fn test(&self, name: &str, overrides: &[Override], operator: Option<&Path>) -> Result<Test, Problems> {
        let (name, table) = self.tests.iter().find(|(known, _)| known.get_ref() == name).expect("there is such a test");
        let own = self.own_nodes();
        let Draft { mut program, problems } =
            Draft::read_with(&self.program, overrides, operator, Some(&self.overlay(name.get_ref())), false)?;
        let mut mistakes = Problems::new(&Source::new(self.path.clone(), self.text.clone()));
        let known: Vec<_> = program.nodes.iter().map(|node| node.name.clone()).collect();
        for (double, file) in &table.doubles {
            match program.nodes.iter_mut().find(|node| node.name == *double.get_ref()) {
                Some(node) => {
                    node.replace(doubled(file));
                }
                None => mistakes.push(unknown_node(double.get_ref(), double.span(), &known)),
            }
        }
        let linked = link::link(program, problems)?;
        let mut waits_for: BTreeSet<String> = BTreeSet::new();
        for node in &table.waits_for {
            if !known.contains(node.get_ref()) {
                mistakes.push(unknown_node(node.get_ref(), node.span(), &known));
            } else if !has_run(&linked, node.get_ref()) {
                let problem = Problem::error("no-run", format!("`{}` has no `run` to wait for", node.get_ref()));
                mistakes.push(problem.at(Some(node.span()), "it only serves calls"));
            }
            waits_for.insert(node.get_ref().clone());
        }
        // A node that only tests have is there to check something.
        let drivers =
            linked.program.nodes.iter().filter(|node| !own.contains(&node.name) && has_run(&linked, &node.name));
        waits_for.extend(drivers.map(|node| node.name.clone()));
        for name in table.expect.states.keys().filter(|name| !known.contains(name.get_ref())) {
            mistakes.push(unknown_node(name.get_ref(), name.span(), &known));
        }
        for (double, file) in &table.doubles {
            script::check_double(&linked, double.get_ref(), file, &mut mistakes);
        }
        let calls = script::calls(&linked, &table.calls, &mut mistakes);
        let faults = fault::faults(&linked, &table.faults, &mut mistakes);
        let drivers = listing::drivers(&linked, &own, name, &mut mistakes);
        if checks_nothing(table, &waits_for) && drivers.is_empty() {
            mistakes.push(no_check(name));
        }
        let timeout = table.timeout.as_ref().and_then(|timeout| timeout.get_ref().duration()).unwrap_or(TIMEOUT);
        let mut test = mistakes.into_result(Test {
            name: name.get_ref().clone(),
            linked: Arc::new(linked),
            calls,
            waits_for,
            timeout,
            grants: table.grants.iter().copied().collect(),
            faults,
            expectation: table.expect.expectation(),
            listing: None,
        })?;
        test.listing = listing::listing(&test, &drivers)?.map(Box::new);
        Ok(test)
    }

    /// The nodes of the program itself, as far as its file can be read: what is wrong with it is told with a test.
    fn own_nodes(&self) -> BTreeSet<String> {
        let draft = Draft::read(&self.program, &[], None);
        draft.map_or_else(|_| BTreeSet::new(), |draft| draft.program.nodes.into_iter().map(|node| node.name).collect())
    }
}

fn has_run(linked: &Linked, name: &str) -> bool {
    let nodes = linked.program.nodes.iter().zip(&linked.components);
    let mut found = nodes.filter(|(node, _)| node.name == name);
    found.any(|(node, component)| node.run && component.run.is_some())
}

fn doubled(file: &DoubleFile) -> Double {
    let answer = |answer: &Spanned<file::AnswerFile>| Answer {
        line: answer.get_ref().line().to_owned(),
        times: answer.get_ref().times(),
    };
    Double { answers: file.answers.iter().map(answer).collect() }
}

fn unknown_node(name: &str, span: Range<usize>, known: &[String]) -> Problem {
    let help = suggest::did_you_mean(name, known.iter().map(String::as_str));
    Problem::error("unknown-node", format!("no node is named `{name}`")).at(Some(span), "this names nothing").help(help)
}

/// What can be judged without the program.
fn check_alone(name: &Spanned<String>, test: &TestTable, problems: &mut Problems) {
    if !super::is_name(name.get_ref()) {
        let problem = Problem::error("bad-name", format!("`{}` can't name a test", name.get_ref()));
        problems.push(problem.at(Some(name.span()), super::NAME_RULE));
    }
    let Some(timeout) = &test.timeout else { return };
    let help = "write it as `timeout = \"30s\"`; at most 24h".to_owned();
    if timeout.get_ref().duration().is_none_or(|timeout| timeout.is_zero() || timeout > TIMEOUT_MAX) {
        let problem = Problem::error("bad-duration", format!("`{}` is no timeout of a test", timeout.get_ref()));
        problems.push(problem.at(Some(timeout.span()), "a whole number and a unit").help(help));
    }
}

fn checks_nothing(test: &TestTable, waits_for: &BTreeSet<String>) -> bool {
    let ExpectFile { outcome, states, output, no_output } = &test.expect;
    let counts =
        test.doubles.values().flat_map(|double| &double.answers).any(|answer| answer.get_ref().times().is_some());
    let expects = outcome.is_some() || !states.is_empty() || !output.is_empty() || !no_output.is_empty();
    test.calls.is_empty() && waits_for.is_empty() && !counts && !expects
}

fn no_check(name: &Spanned<String>) -> Problem {
    let problem = Problem::error("no-check", format!("the test `{}` checks nothing", name.get_ref()));
    let help =
        "give it `calls`, a node that drives the program, or an `expect` such as `expect = { outcome = \"finished\" }`";
    problem.at(Some(name.span()), "it would pass whatever the program does").help(help.to_owned())
}
