//! Replicas that are full: those that wait for each other fail a call instead of hanging, and whoever only takes its time is
//! waited for.

use crate::run::{Program, check};

/// What is said of a standstill of these replicas.
fn told(replicas: &str) -> String {
    format!(
        "every call that {replicas} may work on at once waits for another of these calls, so this call would never begin; \
         raise `limits.calls-concurrent`, or call back less"
    )
}

/// Nodes that each call the next one, and the last one the first.
fn ring(nodes: &[&str], args: &str, of_each: &str) -> String {
    let next = nodes.iter().cycle().skip(1);
    let nodes = nodes.iter().zip(next).map(|(node, next)| {
        format!("[nodes.{node}]\nASYNC\nhandles = {{ probe = '{next}' }}\nargs = [{args}]\n{of_each}\n")
    });
    format!("grace = '100ms'\n{}", nodes.collect::<String>())
}

/// Checks that a program fails for a standstill.
#[track_caller]
fn check_standstill(toml: &str, replicas: &str) {
    for launch_type in crate::host::LAUNCH_TYPES {
        let program = Program::new(toml);
        let output =
            program.command().args(["--launch-type", &launch_type.to_string()]).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{launch_type}: {stderr}");
        assert!(stderr.contains(&told(replicas)), "{launch_type}: {stderr}");
    }
}

#[test]
fn two_full_nodes_that_call_each_other_fail_a_call() {
    // By default, each works on 256 calls.
    check_standstill(&ring(&["a", "b"], "'relay-many:600'", ""), "`a/0`, `b/0`");
}

#[test]
fn larger_rings_and_smaller_limits_are_seen_too() {
    let one = "limits = { calls-concurrent = 1 }";
    check_standstill(&ring(&["a", "b", "c"], "'relay-many:9'", one), "`a/0`, `b/0`, `c/0`");
    // Most calls wait outside of the queue.
    let short = "limits = { calls-concurrent = 2, calls-queued = 1 }";
    check_standstill(&ring(&["a", "b"], "'relay-many:9'", short), "`a/0`, `b/0`");
    // A node that calls itself.
    check_standstill(&ring(&["a"], "'relay-many:9'", "limits = { calls-concurrent = 3 }"), "`a/0`");
}

#[test]
fn calls_that_take_long_are_waited_for() {
    // Each is full, has calls of the other's waiting, and takes or answers none for more than a second.
    let slow = ring(&["a", "b"], "'sleep-many-long:3'", "limits = { calls-concurrent = 1 }");
    for launch_type in crate::host::LAUNCH_TYPES {
        let program = Program::new(&slow);
        let output =
            program.command().args(["--launch-type", &launch_type.to_string()]).output().expect("the binary runs");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let mut lines: Vec<_> = stdout.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["a/0 │ 3", "b/0 │ 3"], "{launch_type}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{launch_type}");
    }
}

#[test]
fn callers_of_much_wait_for_their_own_calls() {
    let node = |limits: &str, calls: u32| {
        format!(
            "[nodes.a]\nASYNC\nhandles = {{ probe = 'b' }}\nargs = ['echo-many:{calls}']\n\
             limits = {{ memory = '2GiB'{limits} }}\n[nodes.b]\nASYNC\n\
             handles = {{ probe = 'b' }}\nrun = false\nlimits = {{ memory = '2GiB' }}\n"
        )
    };
    check(&node("", 64), 0, &["a/0 │ 64"], &[]);
    // As much as it may keep at once is under way, and as much again waits.
    check(&node(", made-bytes = '64MiB'", 15), 0, &["a/0 │ 15"], &[]);
    // Callees may answer some before others are made.
    check(&node(", made-bytes = '64MiB'", 64), 1, &[], &["it reached its limit `limits.made-bytes` = 64MiB"]);
}
