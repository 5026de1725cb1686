//! A mix of faults that nobody wrote, drawn from the seed.

use std::collections::BTreeSet;
use std::time::Duration;

use lp_program::program::{
    Chance, CrashTime, Effect, Fault, FaultEdge, Leg, Linked, Mishap, RestartPolicy, Span, Start,
};

/// The most faults in one mix.
const FAULTS_MAX: usize = 4;

/// The longest delay.
const DELAY_MAX_MS: u64 = 100;

/// The time within which what happens once happens.
const WITHIN: Duration = Duration::from_secs(2);

/// A few faults on the edges and replicas of a program. Only nodes that restart after a failure crash.
pub(crate) fn chaos(linked: &Linked, seed: u64) -> Vec<Fault> {
    let mut random = fastrand::Rng::with_seed(seed ^ 0xC4A0);
    let nodes = &linked.program.nodes;
    let mut first = 0;
    let mut replicas: Vec<(&str, BTreeSet<u32>)> = Vec::new();
    for node in nodes {
        replicas.push((&node.name, (first..first + node.replicas).collect()));
        first += node.replicas;
    }
    let numbers = |name: &str| replicas.iter().find(|(known, _)| *known == name).map(|(_, numbers)| numbers.clone());
    let mut edges = Vec::new();
    for (node, (_, callers)) in nodes.iter().zip(&replicas) {
        // Nodes seldom call themselves.
        let callees = node.handles.iter().flat_map(|handle| &handle.nodes).filter(|callee| **callee != node.name);
        for callee in callees {
            edges.extend(numbers(callee).map(|callees| {
                let line = format!("{} -> {callee}", node.name);
                (line, FaultEdge { callers: Some(callers.clone()), callees, methods: None })
            }));
        }
    }
    let restarting: Vec<_> = nodes
        .iter()
        .zip(&replicas)
        .filter(|(node, _)| node.restart.policy != RestartPolicy::Never)
        .map(|(_, named)| named)
        .collect();
    let count = random.usize(1..=FAULTS_MAX);
    (0..count).filter_map(|_| fault(&mut random, &edges, &replicas, &restarting)).collect()
}

type Named<'a> = (&'a str, BTreeSet<u32>);

fn fault(
    random: &mut fastrand::Rng,
    edges: &[(String, FaultEdge)],
    replicas: &[Named<'_>],
    restarting: &[&Named<'_>],
) -> Option<Fault> {
    let time = Duration::from_millis(random.u64(1..=DELAY_MAX_MS));
    let span = Span { start: Start::Within(WITHIN), time: time * 10 };
    let kind = random.usize(..9);
    let (line, effect) = match kind {
        0..=5 => {
            let (name, edge) = random.choice(edges)?;
            let leg = random.choice([Leg::Request, Leg::Answer])?;
            let (word, mishap, probability) = match kind {
                0 | 1 => ("delay", Mishap::Delay(time), 0.2),
                2 | 3 => ("reorder", Mishap::Reorder(time), 0.5),
                4 => ("drop", Mishap::Drop, 0.05),
                _ => ("fail", Mishap::Fail("unavailable"), 0.05),
            };
            let chance = Chance::Of(probability);
            (format!("{word} {name}"), Effect::Calls { edge: edge.clone(), leg, mishap, chance, span: None })
        }
        6 => {
            let (name, replicas) = random.choice(restarting)?;
            let leg = random.choice([Leg::Request, Leg::Answer])?;
            let when = CrashTime::Call { leg, chance: Chance::Of(0.05) };
            (format!("crash {name}"), Effect::Crash { replicas: replicas.clone(), when })
        }
        7 => {
            let (name, replicas) = random.choice(replicas)?;
            (format!("pause {name}"), Effect::Pause { replicas: replicas.clone(), span })
        }
        _ => {
            let (name, replicas) = random.choice(replicas)?;
            (format!("partition {name}"), Effect::Partition { replicas: replicas.clone(), span })
        }
    };
    // A replica that crashes again and again uses up its restarts, which says nothing of the program.
    let times = matches!(effect, Effect::Crash { .. }).then_some(1);
    Some(Fault { line, effect, times })
}
