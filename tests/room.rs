//! What replicas take of the process that they share: memories, stacks, and how many replicas it has room for.

use std::fmt::Write;

use crate::run::Program;

/// Runs a program of nodes, each with a component given as text, under every launch type.
#[track_caller]
fn check(nodes: &[(&str, &str, &str)], code: i32, texts: &[&str]) {
    for launch_type in crate::host::LAUNCH_TYPES {
        let program = Program::new("");
        let mut toml = "name = 'test'\n".to_owned();
        for (name, wat, settings) in nodes {
            let component = wat::parse_str(wat).expect("it is a component");
            std::fs::write(program.dir.path().join(format!("{name}.wasm")), component).expect("it can be written");
            write!(toml, "[nodes.{name}]\ncomponent = '{name}.wasm'\n{settings}\n").expect("a string takes text");
        }
        std::fs::write(program.path(), toml).expect("it can be written");
        let output = program.command().args(["--launch-type", &launch_type.to_string()]).output();
        let output = output.expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{launch_type}: {stderr}");
        for text in texts {
            assert!(stderr.contains(text), "{launch_type}: {text} is missing in\n{stderr}");
        }
    }
}

/// A component that has so many instances of a module with a memory, in so many components within it.
fn instances(components: usize, modules: usize) -> String {
    let module = "(core module $code (memory 1) (func (export \"run\") (result i32) (i32.const 0)))";
    let more = "(core instance (instantiate $code))".repeat(modules);
    let inner = format!("(component $inner {module} {more})");
    let inners = "(instance (instantiate $inner))".repeat(components);
    format!(
        "(component {module} {inner} {inners} {more} (core instance $main (instantiate $code))
            (func $run (result (result)) (canon lift (core func $main \"run\")))
            (instance $run (export \"run\" (func $run)))
            (export \"wasi:cli/run@0.2.0\" (instance $run)))"
    )
}

#[test]
fn a_module_is_instantiated_as_often_as_its_component_says() {
    check(&[("a", &instances(0, 2), "")], 0, &[]);
    check(&[("a", &instances(10, 3), "replicas = 3"), ("b", &instances(0, 1), "")], 0, &[]);
}

/// A component whose `run` has so many tasks wait in the middle of a function, then traps.
fn parked(tasks: usize) -> String {
    let each = |text: &str| (0..tasks).map(|number| text.replace('N', &number.to_string())).collect::<String>();
    let parkers = each("(instance $parkN (instantiate $parker (with \"wait\" (func $wait))))");
    let given = each("(with \"parkN\" (func $parkN \"park\"))");
    let imported = each("(import \"parkN\" (func $parkN async)) (core func $parkN (canon lower (func $parkN) async))");
    let imports = each("(import \"h\" \"parkN\" (func $parkN (result i32)))");
    let calls = each("(drop (call $parkN))");
    let exports = each("(export \"parkN\" (func $parkN))");
    format!(
        "(component
            (import \"wasi:clocks/monotonic-clock@0.3.0\" (instance $clock
                (export \"wait-for\" (func async (param \"how-long\" u64)))))
            (alias export $clock \"wait-for\" (func $wait))
            (component $parker
                (import \"wait\" (func $wait async (param \"how-long\" u64)))
                (core func $wait (canon lower (func $wait)))
                (core module $code
                    (import \"h\" \"wait\" (func $wait (param i64)))
                    (func (export \"park\") (call $wait (i64.const 3600000000000))))
                (core instance $code (instantiate $code (with \"h\" (instance (export \"wait\" (func $wait))))))
                (func (export \"park\") async (canon lift (core func $code \"park\"))))
            (component $driver
                {imported}
                (core module $code {imports} (func (export \"run\") (result i32) {calls} unreachable))
                (core instance $code (instantiate $code (with \"h\" (instance {exports}))))
                (func (export \"run\") async (result (result)) (canon lift (core func $code \"run\"))))
            {parkers}
            (instance $driver (instantiate $driver {given}))
            (alias export $driver \"run\" (func $run))
            (instance $run (export \"run\" (func $run)))
            (export \"wasi:cli/run@0.3.0\" (instance $run)))"
    )
}

#[test]
fn parked_tasks_end_at_the_stacks_that_the_replica_may_have() {
    check(&[("a", &parked(40), "limits = { fibers = 64 }")], 1, &["wasm `unreachable`"]);
    check(&[("a", &parked(40), "limits = { fibers = 16 }")], 1, &["it reached its limit `limits.fibers` = 16"]);
}

#[test]
fn more_replicas_than_a_process_has_room_for_are_refused_with_the_number_that_fits() {
    // Every machine has too few addresses for so many memories, whatever else it allows.
    let settings = "replicas = 10000";
    let text = "10000 replicas have 30000 memories together";
    let program = Program::new("");
    let component = wat::parse_str(instances(0, 2)).expect("it is a component");
    std::fs::write(program.dir.path().join("a.wasm"), component).expect("it can be written");
    let toml = format!("name = 'test'\n[nodes.a]\ncomponent = 'a.wasm'\n{settings}\n");
    std::fs::write(program.path(), toml).expect("it can be written");
    let run = program.run();
    assert_eq!(run.code(), Some(4), "{}", run.stderr());
    assert!(run.stderr().contains(text) && run.stderr().contains("replicas fit"), "{}", run.stderr());
}
