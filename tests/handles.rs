//! What program.toml says of a handle and what comes of it, through the real binary and under every launch type.

use crate::run::{Program, check};

#[test]
fn calls_of_a_plain_import_take_turns_over_the_replicas_that_are_ready() {
    for pick in ["round-robin", "least-pending"] {
        // All replicas are ready before the calls that count, and the caller has had the time to be told so.
        let mut steps = vec!["'echo-each:1'", "'sleep:1000'"];
        steps.extend(["'plain-echo:1'"; 6]);
        let program = Program::new(&format!(
            "[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\nrun = false\nreplicas = 3\n\
             [nodes.b]\nASYNC\nhandles = {{ probe = {{ node = 'a', pick = '{pick}' }} }}\nargs = [{}]\n",
            steps.join(", ")
        ));
        for launch_type in crate::host::LAUNCH_TYPES {
            let launch_type = launch_type.to_string();
            let options = ["--format", "json", "--launch-type", &launch_type];
            let output = program.command().args(options).output().expect("the binary runs");
            let stdout = String::from_utf8(output.stdout).expect("json is UTF-8");
            let report = stdout.lines().last().expect("there is a report");
            let report: serde_json::Value = serde_json::from_str(report).expect("every line is JSON");
            let calls: Vec<_> = (0..3).map(|index| report["replicas"][index]["calls"].clone()).collect();
            match pick {
                "round-robin" => assert_eq!(calls, [3, 3, 3], "{launch_type}: {report}"),
                // Where nothing is pending, all replicas are as good.
                _ => assert_eq!(calls.iter().filter_map(serde_json::Value::as_u64).sum::<u64>(), 9, "{report}"),
            }
        }
    }
}

#[test]
fn a_full_inbox_is_waited_for_or_not_as_the_handle_says() {
    let toml = |when_full: &str| {
        format!(
            "[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\nrun = false\ninbox = {{ queued-max = 1, concurrent-max = 1 }}\n\
             [nodes.b]\nASYNC\nhandles = {{ probe = {{ node = 'a', when-full = '{when_full}' }} }}\n\
             args = ['echo-each:1', 'sleep-many:20']\n"
        )
    };
    check(&toml("wait"), 0, &["b/0 │ Ok(1)", "b/0 │ 20"], &[]);
    for launch_type in crate::host::LAUNCH_TYPES {
        let program = Program::new(&toml("fail"));
        let output = program.command().args(["--launch-type", &launch_type.to_string()]).output();
        let stdout = String::from_utf8(output.expect("the binary runs").stdout).expect("it is UTF-8");
        let slept = stdout.lines().last().and_then(|line| line.rsplit(' ').next()?.parse::<u32>().ok());
        assert!(slept.is_some_and(|slept| (1..20).contains(&slept)), "{launch_type}: {stdout}");
    }
}

#[test]
fn a_call_that_may_be_made_again_is_made_again_a_few_times() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n\
        restart = { policy = 'on-failure', max = 10, backoff = '1ms' }\n\
        [nodes.b]\nASYNC\nhandles = { probe = { node = 'a', retry = 'idempotent' } }\nargs = ['trap-first']\n";
    let failed = "b/0 │ Err(Failed(\"`a/0` failed while it worked on the call\"))";
    check(toml, 0, &[failed], &["restart 3 of 10"]);
}

#[test]
fn a_name_that_is_of_no_handle_is_told() {
    let toml = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nrun = false\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'a' }\nargs = ['get:a/0', 'get:probe', 'get:prob']\n";
    let denial = "denied: `b/0` tried to use a handle `prob`: its handles of `probe` are `probe`";
    check(toml, 0, &["b/0 │ true", "b/0 │ true", "b/0 │ false"], &[denial]);
}
