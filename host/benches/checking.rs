//! Checking programs of many nodes, and of components with many functions: ten times as much takes ten times as long.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use lp_host::component::Component;
use lp_host::engine::kubernetes;
use lp_host::engine::slurm::{Placed, render};
use lp_host::plan::LaunchType;
use lp_host::program::Linked;
use lp_host::proto::{print, schema};

criterion_group!(benches, nodes, functions, jobs, objects);
criterion_main!(benches);

/// A chain of nodes, each of which calls the next one.
fn nodes(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    write(dir.path(), "relay.wasm", &component(true, 1));
    write(dir.path(), "last.wasm", &component(false, 1));
    let mut group = criterion.benchmark_group("check a chain of nodes");
    for count in [100, 1_000, 10_000] {
        let mut toml = "name = 'chain'\n".to_owned();
        for node in 0..count {
            let next = node + 1;
            writeln!(toml, "[nodes.n{node}]\ncomponent = 'relay.wasm'\nhandles = {{ many = 'n{next}' }}")
                .expect("writing to a string can't fail");
        }
        writeln!(toml, "[nodes.n{count}]\ncomponent = 'last.wasm'").expect("writing to a string can't fail");
        let path = dir.path().join(format!("{count}.toml"));
        std::fs::write(&path, toml).expect("it can be written");
        group.sample_size(10).bench_function(count.to_string(), |bencher| {
            bencher.iter(|| Linked::load(&path, &[]).expect("it can run"));
        });
    }
}

/// The job of Slurm for a chain of 500 nodes, and for one node with as many replicas; 100 ms is the aim.
fn jobs(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    write(dir.path(), "relay.wasm", &component(true, 1));
    write(dir.path(), "last.wasm", &component(false, 1));
    let mut chain = "name = 'chain'\n".to_owned();
    for node in 0..499 {
        let (next, cpus) = (node + 1, node % 7 + 1);
        writeln!(
            chain,
            "[nodes.n{node}]\ncomponent = 'relay.wasm'\nhandles = {{ many = 'n{next}' }}\nslurm = {{ cpus = {cpus} }}"
        )
        .expect("writing to a string can't fail");
    }
    writeln!(chain, "[nodes.n499]\ncomponent = 'last.wasm'").expect("writing to a string can't fail");
    let replicas = "name = 'wide'\n[nodes.n]\ncomponent = 'last.wasm'\nreplicas = 500\n".to_owned();
    let mut group = criterion.benchmark_group("render a job of 500 units");
    for (name, toml) in [("nodes", chain), ("replicas", replicas)] {
        let path = dir.path().join(format!("{name}.toml"));
        std::fs::write(&path, toml).expect("it can be written");
        let linked = Linked::load(&path, &[]).expect("it can run");
        group.sample_size(10).bench_function(name, |bencher| {
            bencher.iter(|| {
                let (plan, _) = lp_host::lower(&linked, LaunchType::Remote);
                render(&plan, Placed { id: "chain-aaaa", dir: "/d", binary: "/b" }).expect("it can be rendered")
            });
        });
    }
}

/// The same as objects of Kubernetes.
fn objects(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    write(dir.path(), "relay.wasm", &component(true, 1));
    write(dir.path(), "last.wasm", &component(false, 1));
    let mut chain = "name = 'chain'\n".to_owned();
    for node in 0..499 {
        writeln!(chain, "[nodes.n{node}]\ncomponent = 'relay.wasm'\nhandles = {{ many = 'n{}' }}", node + 1)
            .expect("writing to a string can't fail");
    }
    writeln!(chain, "[nodes.n499]\ncomponent = 'last.wasm'").expect("writing to a string can't fail");
    let replicas = "name = 'wide'\n[nodes.n]\ncomponent = 'last.wasm'\nreplicas = 500\n".to_owned();
    let (settings, keys) = (
        kubernetes::Settings {
            namespace: "lab".to_owned(),
            image: "lp:1".to_owned(),
            pull_secret: None,
            queue: None,
            job_set: false,
            counts_by_index: true,
        },
        kubernetes::Keys::placeholder(),
    );
    let mut group = criterion.benchmark_group("render the objects of 500 units");
    for (name, toml) in [("nodes", chain), ("replicas", replicas)] {
        let path = dir.path().join(format!("{name}.toml"));
        std::fs::write(&path, toml).expect("it can be written");
        let linked = Linked::load(&path, &[]).expect("it can run");
        group.sample_size(10).bench_function(name, |bencher| {
            bencher.iter(|| {
                let (plan, _) = lp_host::lower(&linked, LaunchType::Remote);
                let submission = kubernetes::Submission {
                    plan: &plan,
                    id: "chain-aaaa",
                    settings: &settings,
                    files: &BTreeMap::new(),
                    components: &BTreeMap::new(),
                    keys: &keys,
                };
                kubernetes::render(&submission).expect("it can be rendered").to_yaml().len()
            });
        });
    }
}

/// A caller and a callee that have many functions, as a program and as a .proto file.
fn functions(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    for count in [100, 1_000, 10_000] {
        let (relay, last) = (format!("relay-{count}.wasm"), format!("last-{count}.wasm"));
        write(dir.path(), &relay, &component(true, count));
        write(dir.path(), &last, &component(false, count));
        let toml = format!(
            "name = 'two'\n[nodes.a]\ncomponent = '{relay}'\nhandles = {{ many = 'b' }}\n[nodes.b]\ncomponent = '{last}'\n"
        );
        let path = dir.path().join(format!("{count}.toml"));
        std::fs::write(&path, toml).expect("it can be written");
        let mut group = criterion.benchmark_group("many functions");
        group.sample_size(10).bench_function(format!("check {count}"), |bencher| {
            bencher.iter(|| Linked::load(&path, &[]).expect("it can run"));
        });
        let component = Component::read(&dir.path().join(&last)).expect("it is a component");
        group.sample_size(10).bench_function(format!("proto {count}"), |bencher| {
            bencher.iter(|| {
                let files = schema(&component.couriers).expect("calls can carry its types").file;
                files.iter().map(print).map(|text| text.len()).sum::<usize>()
            });
        });
    }
}

/// A component that serves `count` functions, and imports as many of the same interface if it is a relay.
fn component(is_relay: bool, count: usize) -> String {
    let each = |function: &dyn Fn(usize) -> String| (0..count).map(function).collect::<Vec<_>>().join("\n");
    let imports = each(&|index| format!("(export \"f{index}\" (func (param \"n\" u64) (result u64)))"));
    let exports = each(&|index| format!("(export \"f{index}\" (func $f))"));
    let import =
        if is_relay { format!("(import \"bench:check/many@1.0.0\" (instance {imports}))") } else { String::new() };
    format!(
        "(component {import}
          (core module $code (func (export \"f\") (param i64) (result i64) local.get 0))
          (core instance $code (instantiate $code))
          (func $f (param \"n\" u64) (result u64) (canon lift (core func $code \"f\")))
          (instance $many {exports})
          (export \"bench:check/many@1.0.0\" (instance $many)))"
    )
}

fn write(dir: &Path, name: &str, text: &str) {
    let wasm = wat::parse_str(text).expect("it compiles");
    std::fs::write(dir.join(name), wasm).expect("it can be written");
}
