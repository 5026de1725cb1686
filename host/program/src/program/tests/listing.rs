//! Tests that nodes have themselves, by exporting `lp:test/tests`: how they are listed, and how one of them is run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lp_base::interfaces::TESTS;
use lp_component::component::{Interface, MethodTypes};
use lp_component::value::encode_wave;
use toml::Spanned;

use super::{Expectation, Expected, ScriptCall, Test};
use crate::program::problem::{Problem, Problems};
use crate::program::{Double, Linked, Restart, is_name, link};

/// The functions of the interface, with their types.
const FUNCTIONS: [(&str, &str); 2] =
    [("names", "func() -> list<string>"), ("run", "func(name: string) -> result<_, string>")];

/// The places of the nodes that have tests, among those that only the test has.
pub(super) fn drivers(
    linked: &Linked,
    own: &BTreeSet<String>,
    name: &Spanned<String>,
    problems: &mut Problems,
) -> Vec<usize> {
    let nodes = linked.program.nodes.iter().zip(&linked.components).enumerate();
    let drivers = nodes.filter(|(_, (node, _))| !own.contains(&node.name) && node.double.is_none());
    let mut found = Vec::new();
    for (place, (node, component)) in drivers {
        let Some(tests) = component.tests() else { continue };
        let is_right = |(function, signature): &(&str, &str)| {
            tests.method(function).is_some_and(|method| method.signature == *signature && method.types.is_some())
        };
        if FUNCTIONS.iter().all(is_right) {
            found.push(place);
            continue;
        }
        let message = format!("the `{TESTS}` of `{}` is another interface of that name", node.name);
        let functions = FUNCTIONS.map(|(function, signature)| format!("`{function}: {signature}`"));
        let help = format!("it has {}; `lp-host wit` prints it", functions.join(" and "));
        problems.push(Problem::error("bad-tests", message).at(Some(name.span()), "has that node").help(help));
    }
    found
}

/// The run that asks these nodes of a test for their tests. All others are silent in it.
pub(super) fn listing(test: &Test, drivers: &[usize]) -> Result<Option<Test>, Problems> {
    if drivers.is_empty() {
        return Ok(None);
    }
    let mut program = test.linked.program.clone();
    for (place, node) in program.nodes.iter_mut().enumerate() {
        match drivers.contains(&place) {
            true => (node.run, node.restart) = (false, Restart::default()),
            false => node.replace(Double::default()),
        }
    }
    let problems = Problems::new(&program.source);
    let linked = link::link(program, problems)?;
    let calls = drivers.iter().map(|&place| call(&linked, place, "names", "", Expected::Any)).collect();
    Ok(Some(Test {
        name: test.name.clone(),
        linked: Arc::new(linked),
        calls,
        waits_for: BTreeSet::new(),
        timeout: test.timeout,
        grants: BTreeSet::new(),
        faults: Vec::new(),
        expectation: Expectation::default(),
        listing: None,
    }))
}

/// A call of a function of the node's tests.
fn call(linked: &Linked, node: usize, function: &str, arguments: &str, expected: Expected) -> ScriptCall {
    let (interface, types) = function_of(linked, node, function).expect("it was looked up as the test was read");
    ScriptCall {
        place: None,
        line: format!("{}.{function}({arguments})", linked.program.nodes[node].name),
        node,
        replica: 0,
        interface: interface.name.clone(),
        method: function.to_owned(),
        types: types.clone(),
        request: encode_wave(&types.params, arguments).expect("names are written as WAVE has texts"),
        expected,
    }
}

fn function_of<'l>(linked: &'l Linked, node: usize, function: &str) -> Option<(&'l Interface, &'l MethodTypes)> {
    let tests = linked.components[node].tests()?;
    Some((tests, tests.method(function)?.types.as_ref()?))
}

/// Why the names that nodes gave name no tests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTests {
    /// There are none.
    #[error("`{0}` has no tests: it lists none")]
    None(String),
    /// A text is no name of a test.
    #[error("`{node}` lists a test `{name}`; {}", crate::program::NAME_RULE)]
    Name {
        /// The node.
        node: String,
        /// What it said.
        name: String,
    },
    /// Two tests have one name.
    #[error("`{first}` and `{second}` both list a test `{name}`")]
    Twice {
        /// The name.
        name: String,
        /// A node that has it.
        first: String,
        /// Another one, or the same.
        second: String,
    },
}

impl Test {
    /// The tests that stand in for this one, each named `NAME/ITS-NAME`, where `names` has the answer to each call of the
    /// [`Test::listing`].
    ///
    /// # Errors
    /// If a name is none, or is there twice.
    pub fn listed(&self, names: &[Vec<String>]) -> Result<Vec<Test>, BadTests> {
        let Some(listing) = &self.listing else { return Ok(Vec::new()) };
        let mut nodes: BTreeMap<&str, String> = BTreeMap::new();
        let mut tests = Vec::new();
        for (asked, names) in listing.calls.iter().zip(names) {
            let node = &self.linked.program.nodes[asked.node].name;
            if names.is_empty() {
                return Err(BadTests::None(node.clone()));
            }
            for name in names {
                if !is_name(name) {
                    return Err(BadTests::Name { node: node.clone(), name: name.clone() });
                }
                if let Some(first) = nodes.insert(name, node.clone()) {
                    return Err(BadTests::Twice { name: name.clone(), first, second: node.clone() });
                }
                let mut test = Test { name: format!("{}/{name}", self.name), listing: None, ..self.clone() };
                let run = call(&self.linked, asked.node, "run", &format!("\"{name}\""), Expected::Passes);
                test.calls.push(run);
                tests.push(test);
            }
        }
        Ok(tests)
    }
}
