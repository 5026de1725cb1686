//! Who may use whom: crates by their manifests, modules within a crate by their order, files of a folder without circles.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{CRATES, sources};
use crate::host;

/// The crates of the host that each one may use.
const USES: [(&str, &[&str]); 16] = [
    ("features", &[]),
    ("base", &["lp-features"]),
    ("component", &["lp-base"]),
    ("program", &["lp-base", "lp-component"]),
    ("trust", &["lp-base"]),
    ("courier", &["lp-base", "lp-trust"]),
    ("remote", &["lp-base"]),
    ("engine", &["lp-base", "lp-remote"]),
    ("replay", &["lp-base"]),
    ("sandbox", &["lp-base"]),
    // The component crate is for the fuzz target alone.
    ("runtime", &["lp-base", "lp-component", "lp-courier", "lp-sandbox"]),
    (
        "run",
        &["lp-base", "lp-component", "lp-courier", "lp-remote", "lp-replay", "lp-runtime", "lp-sandbox", "lp-trust"],
    ),
    ("agent", &["lp-base", "lp-program", "lp-remote", "lp-run", "lp-runtime"]),
    ("build", &["lp-base", "lp-component", "lp-program", "lp-run", "lp-runtime", "lp-wit"]),
    ("testing", &["lp-base", "lp-component", "lp-courier", "lp-program", "lp-run", "lp-runtime"]),
    (
        ".",
        &[
            "lp-agent",
            "lp-base",
            "lp-build",
            "lp-component",
            "lp-courier",
            "lp-engine",
            "lp-program",
            "lp-remote",
            "lp-replay",
            "lp-run",
            "lp-runtime",
            "lp-sandbox",
            "lp-testing",
            "lp-trust",
            "lp-wit",
        ],
    ),
];

/// The modules of crates that have layers, from the top down: a module may use those after its own.
const LAYERS: [(&str, &[&str]); 5] = [
    (
        "lp_base",
        &[
            "replica",
            "plan",
            "calls",
            "lease",
            "scheduler",
            "protobuf",
            "interfaces",
            "suggest",
            "own_dir",
            "shown",
            "words",
        ],
    ),
    ("lp_component", &["script", "value", "proto", "component"]),
    ("lp_program", &["lower", "program"]),
    ("lp_replay", &["guest", "grpc", "checkpoint", "service", "wire", "table"]),
    ("lp_run", &["run", "observe", "supervise", "launch", "worker", "node", "fixture"]),
];

/// The crates that may use these dependencies.
const ONLY: [(&str, &[&str]); 4] = [
    ("wasmtime", &["sandbox", "runtime"]),
    ("tonic", &["courier"]),
    ("toml", &["program", "build", "remote", "."]),
    ("clap", &["."]),
];

/// The names of a crate's dependencies, without those for its tests and benchmarks.
fn dependencies(dir: &str) -> Vec<String> {
    let path = host::root().join("host").join(dir).join("Cargo.toml");
    let manifest = std::fs::read_to_string(path).expect("every crate has a manifest");
    let section = manifest.split("\n[").find_map(|section| section.strip_prefix("dependencies]"));
    let lines = section.unwrap_or_default().lines().filter(|line| !line.starts_with('#'));
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
    lines.map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn crates_use_only_those_below_them() {
    for (dir, allowed) in USES {
        for dependency in dependencies(dir).iter().filter(|name| name.starts_with("lp-")) {
            assert!(allowed.contains(&dependency.as_str()), "host/{dir} uses `{dependency}`, which is not below it");
        }
    }
}

#[test]
fn only_few_crates_name_what_is_theirs() {
    for (dir, _) in CRATES {
        for (name, crates) in ONLY {
            let found =
                dependencies(dir).into_iter().find(|used| used == name || used.starts_with(&format!("{name}-")));
            assert!(found.is_none() || crates.contains(&dir), "host/{dir} uses `{}`", found.unwrap_or_default());
        }
    }
}

#[test]
fn modules_use_only_those_below_them() {
    let mut wrong = String::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let Some((_, layers)) = LAYERS.iter().find(|(name, _)| *name == source.crate_name) else { continue };
        let layer = |module: &str| layers.iter().position(|known| *known == module);
        let Some(own) = source.module.first() else { continue };
        let place = layer(own).unwrap_or_else(|| panic!("`{own}` of `{}` is in no layer", source.crate_name));
        for path in source.own_paths() {
            let Some(used) = path.first().filter(|used| layer(used).is_some_and(|used| used < place)) else { continue };
            wrong.push_str(&format!("{}: `{own}` uses `{used}`, which is above it\n", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Which modules each module of a folder names.
type Uses = BTreeMap<String, BTreeSet<String>>;

#[test]
fn files_of_a_folder_use_each_other_in_no_circle() {
    // By the folder, which of its modules names which other one.
    let mut folders: BTreeMap<(&str, Vec<String>), Uses> = BTreeMap::new();
    let sources = sources();
    let modules: BTreeSet<_> = sources.iter().map(|source| (source.crate_name, source.module.clone())).collect();
    for source in sources.iter().filter(|source| !source.is_test()) {
        for path in source.own_paths() {
            let same = source.module.iter().zip(&path).take_while(|(own, used)| own == used).count();
            let (Some(own), Some(used)) = (source.module.get(same), path.get(same)) else { continue };
            if modules.contains(&(source.crate_name, path[..=same].to_vec())) {
                let folder = folders.entry((source.crate_name, path[..same].to_vec())).or_default();
                folder.entry(own.clone()).or_default().insert(used.clone());
            }
        }
    }
    let mut wrong = String::new();
    for ((crate_name, folder), uses) in &folders {
        if let Some(circle) = circle(uses) {
            wrong.push_str(&format!("{crate_name}::{}: {}\n", folder.join("::"), circle.join(" → ")));
        }
    }
    assert!(wrong.is_empty(), "modules that use each other in a circle:\n{wrong}");
}

/// A way from a module back to it.
fn circle(uses: &Uses) -> Option<Vec<String>> {
    fn walk(uses: &Uses, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        let at = way.last().expect("a way starts somewhere").clone();
        for next in uses.get(&at).into_iter().flatten() {
            if way.contains(next) {
                way.push(next.clone());
                return true;
            }
            if done.contains(next) {
                continue;
            }
            way.push(next.clone());
            if walk(uses, way, done) {
                return true;
            }
            way.pop();
        }
        done.insert(at);
        false
    }
    let mut done = BTreeSet::new();
    uses.keys().find_map(|start| {
        let mut way = vec![start.clone()];
        walk(uses, &mut way, &mut done).then_some(way)
    })
}

#[test]
fn a_circle_is_found_and_a_diamond_is_none() {
    let graph = |edges: &[(&str, &str)]| {
        let mut uses = Uses::new();
        for (from, to) in edges {
            uses.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        uses
    };
    assert_eq!(circle(&graph(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])), None);
    assert_eq!(
        circle(&graph(&[("a", "b"), ("b", "c"), ("c", "b")])).map(|way| way.join(" ")),
        Some("a b c b".to_owned())
    );
}
