//! Guests that take more than they may: memory, stack, time, calls, output.

use super::Attack;

/// A node that calls the hostile one once and says what came of it.
const CALLER: &str = "[nodes.caller]\nGUEST:call_victim\nhandles = { victim = 'hostile' }\n";

/// What the caller says of a call in which the hostile node failed.
const TOLD: &str = "the attack gave Err(Failed(\"`hostile/0` failed while it worked on the call\"))";

/// Checks that the node fails when it is called, and what is said of it.
#[track_caller]
fn check_called(guest: &str, limits: &str, stderr: &str) {
    let settings = format!("run = false\nlimits = {{ {limits} }}\n{CALLER}");
    Attack::new(guest).settings(&settings).stderr(stderr).stdout(TOLD).check();
}

/// The same for a node without `async`.
#[track_caller]
fn check_plainly_called(guest: &str, limits: &str, stderr: &str) {
    let caller = CALLER.replace("call_victim", "call_plain_victim");
    let settings = format!("run = false\nlimits = {{ {limits} }}\n{caller}");
    Attack::new(guest).settings(&settings).stderr(stderr).stdout(TOLD).check();
}

/// The same for a node that calls `accomplice` in the call.
#[track_caller]
fn check_calling(guest: &str, accomplice: &str, limits: &str, stderr: &str) {
    let settings = format!(
        "run = false\nlimits = {{ {limits} }}\nhandles = {{ victim = 'accomplice' }}\n\
         [nodes.accomplice]\nGUEST:{accomplice}\nrun = false\n{CALLER}"
    );
    Attack::new(guest).settings(&settings).stderr(stderr).stdout(TOLD).check();
}

/// Checks that the node fails by itself, and what is said of it.
#[track_caller]
fn check(guest: &str, limits: &str, stderr: &str) {
    Attack::new(guest).settings(&format!("limits = {{ {limits} }}\n")).stderr(stderr).check();
}

#[test]
fn a_guest_that_traps_in_any_phase_fails_alone() {
    check("trap_in_start", "", "failed to start: wasm trap");
    check("trap_in_run", "", "wasm `unreachable`");
    check_called("trap_in_call", "", "wasm `unreachable`");
    check_called("trap_in_realloc", "", "wasm `unreachable`");
    check_called("trap_in_post_return", "", "wasm `unreachable`");
}

#[test]
fn memory_and_tables_end_at_their_limits() {
    check("grow_memory", "memory = '32MiB'", "`limits.memory` = 32MiB");
    check("grow_table", "table-elements = 5000", "`limits.table-elements` = 5000");
    check("start_with_large_table", "table-elements = 5000", "`limits.table-elements` = 5000");
    check("start_with_large_memory", "memory = '32MiB'", "`limits.memory` = 32MiB");
}

#[test]
fn what_starts_with_more_than_it_may_have_is_not_launched() {
    let memory = "starts with a memory of 8GiB, but `limits.memory` of `large` is 8191MiB";
    let table = "starts with a table of 200000 elements, but `limits.table-elements` of `large` is 199999";
    let cases: [(&str, i32, &[&str]); 3] = [
        ("memory = '8191MiB', table-elements = 200000", 3, &["error[small-limit]", memory]),
        ("memory = '8GiB', table-elements = 199999", 3, &["error[small-limit]", table]),
        ("memory = '8GiB', table-elements = 200000", 0, &[]),
    ];
    for (limits, code, stderr) in cases {
        let dir = crate::config::sandbox();
        let component = dir.path().join("large.wasm");
        let toml = format!("[nodes.large]\ncomponent = '{}'\nlimits = {{ {limits} }}\n", component.display());
        crate::run::check(&toml, code, &[], stderr);
    }
}

#[test]
fn the_stack_ends_before_that_of_the_host() {
    check("overflow_stack", "", "`limits.stack` = 512KiB: wasm trap: call stack exhausted");
    check("overflow_stack", "stack = '2MiB'", "`limits.stack` = 2MiB: wasm trap: call stack exhausted");
}

#[test]
fn computing_ends_at_its_limit_in_every_phase() {
    check("spin_in_run", "cpu = '100ms'", "it reached its limit `limits.cpu` = 100ms");
    check("spin_in_start", "cpu = '100ms'", "it reached its limit `limits.cpu` = 100ms");
    check_called("spin_in_call", "call-cpu = '100ms'", "it reached its limit `limits.call-cpu` = 100ms");
    check_called("spin_in_call", "call-time = '100ms'", "it reached its limit `limits.call-time` = 100ms");
    check_plainly_called("spin_in_plain_call", "call-cpu = '100ms'", "it reached its limit `limits.call-cpu` = 100ms");
    check_plainly_called(
        "spin_in_plain_call",
        "call-time = '100ms'",
        "it reached its limit `limits.call-time` = 100ms",
    );
    check_called("spin_in_realloc", "call-cpu = '100ms'", "it reached its limit `limits.call-cpu` = 100ms");
}

#[test]
fn steps_that_take_long_are_charged_for_what_they_take() {
    check("fill_memory", "cpu = '100ms'", "it reached its limit `limits.cpu` = 100ms");
    check("fill_table", "cpu = '100ms'", "it reached its limit `limits.cpu` = 100ms");
    check("take_random_bytes", "cpu = '100ms'", "it reached its limit `limits.cpu` = 100ms");
    check("take_p3_random_bytes", "cpu = '100ms'", "it reached its limit `limits.cpu` = 100ms");
    check("take_insecure_bytes", "cpu = '100ms'", "it reached its limit `limits.cpu` = 100ms");
}

#[test]
fn what_the_host_makes_in_one_call_ends_at_its_limit() {
    check("take_random_bytes", "message = '16777215B'", "it reached its limit `limits.message` = 16777215B");
    check("take_p3_random_bytes", "message = '1MiB'", "it reached its limit `limits.message` = 1MiB");
    check("take_insecure_bytes", "message = '1MiB'", "it reached its limit `limits.message` = 1MiB");
    check("poll_one_many_times", "handles = 20000", "it reached its limit `limits.handles` = 20000");
}

#[test]
fn a_call_that_waits_for_ever_ends_at_its_limit() {
    check_called("sleep_in_call", "call-time = '100ms'", "it reached its limit `limits.call-time` = 100ms");
}

#[test]
fn fuel_ends_at_its_limit() {
    check("count_by_fuel", "fuel = 1000000", "it reached its limit `limits.fuel` = 1000000");
}

#[test]
fn handles_end_at_their_limit() {
    check("make_handles", "handles = 10000", "it reached its limit `limits.handles` = 10000");
    check("make_streams", "handles = 10000", "it reached its limit `limits.handles` = 10000");
    check("make_waitable_sets", "handles = 10000", "it reached its limit `limits.handles` = 10000");
    check("make_resources", "handles = 10000", "it reached its limit `limits.handles` = 10000");
}

#[test]
fn a_million_calls_at_once_end_at_a_limit() {
    let limit = "it reached its limit `limits.handles` = 10000";
    check_calling("call_a_million_times", "sleep_in_call", "handles = 10000", limit);
}

#[test]
fn the_arguments_of_calls_end_at_their_limit() {
    let limit = "it reached its limit `limits.made-bytes` = 8MiB";
    check_calling("call_with_large_arguments", "sleep_in_call", "made-bytes = '8MiB'", limit);
}

#[test]
fn results_that_nobody_takes_end_at_the_same_limit() {
    let limit = "it reached its limit `limits.made-bytes` = 8MiB";
    check_calling("leave_results", "return_list_later", "made-bytes = '8MiB'", limit);
}

#[test]
fn what_is_too_large_is_not_copied() {
    let limit = "it reached its limit `limits.message` = 1MiB";
    let settings = "handles = { victim = 'friend' }\n\
        [nodes.friend]\nGUEST:return_large_list\nrun = false\nlimits = { message = '1MiB' }\n";
    let told = "`friend/0` tried to return a result that is too large (its limit is `limits.message` = 1MiB)";
    Attack::new("call_and_fail").settings(settings).stderr(told).stdout("the attack gave Err(TooLarge)").check();
    check("pass_large_argument", "message = '1MiB'", limit);
    let settings = "handles = { victim = 'friend' }\n[nodes.friend]\nGUEST:return_list_of_lying_length\nrun = false\n";
    let attack = Attack::new("call_and_fail").settings(settings).stderr("that is too large (its limit is");
    attack.stdout("the attack gave Err(TooLarge)").check();
}

#[test]
fn a_call_at_the_limit_is_made_and_one_past_it_fails_alone() {
    let settings = "limits = { message = '1MiB' }\nhandles = { victim = 'friend' }\n\
        [nodes.friend]\nGUEST:echo_back\nrun = false\nlimits = { message = '1MiB' }\n";
    let told = "`hostile/0` tried to make a call of `attack` that is too large (its limit is `limits.message` = 1MiB)";
    let attack = Attack::new("call_at_message_limit").settings(settings).stderr(told);
    let attack = attack.stdout("1048571 gave Ok(1048571)").stdout("1048572 gave Ok(1048572)");
    attack.stdout("1048573 gave Err(TooLarge)").check();
}

#[test]
fn a_message_is_judged_by_what_it_becomes() {
    let victim = |limits: &str| format!("[nodes.victim]\nGUEST:wide\nlimits = {{ {limits} }}\n");
    let handle = "handles = { wide = 'victim' }\n";
    let settings = format!("{handle}{}", victim("memory = '64MiB'"));
    Attack::new("pass_wide").settings(&settings).stderr("wasm `unreachable`").check();
    // What is too much for the callee fails the call, and so a caller that can't take that as a value.
    let settings = format!("{handle}{}", victim("memory = '32MiB'"));
    let told = "denied: `victim/0` tried to take a call that is too large (its limit is `limits.memory` = 32MiB)";
    let cause = "`take` of `victim/0`, called by handle `wide`: too large";
    Attack::new("pass_wide").settings(&settings).stderr(told).stderr(cause).check();
    let settings = format!("limits = {{ memory = '32MiB' }}\n{handle}{}", victim("memory = '64MiB'"));
    Attack::new("get_wide").settings(&settings).stderr("a call of this function failed with `too large`").check();
}

#[test]
fn a_value_that_is_none_fails_its_guest() {
    check_called("return_list_out_of_bounds", "", "`hostile/0` failed: ");
    check_called("return_pointer_out_of_bounds", "", "`hostile/0` failed: ");
    check_called("return_from_realloc_out_of_bounds", "", "realloc return: beyond end of memory");
    check_called("return_misaligned_pointer", "", "`hostile/0` failed: ");
    check("pass_string_out_of_bounds", "", "`hostile/0` failed: ");
    check("pass_bad_utf8", "", "utf-8");
    check("pass_bad_discriminant", "", "discriminant");
    check("pass_unknown_handle", "", "handle");
}

#[test]
fn output_that_floods_is_slowed_and_ends_at_its_limit() {
    let limits = "output-rate = '10MiB', output = '12MiB'";
    check("flood_lines", limits, "it reached its limit `limits.output` = 12MiB");
    check("flood_without_newline", limits, "it reached its limit `limits.output` = 12MiB");
    check("flood_log_contexts", limits, "it reached its limit `limits.output` = 12MiB");
    check("flood_logs", limits, "it reached its limit `limits.output` = 12MiB");
}

#[test]
fn output_that_nobody_permitted_ends_at_its_rate() {
    check("write_unchecked", "output-rate = '1KiB'", "it reached its limit `limits.output-rate` = 1KiB");
    check("write_unchecked", "output-rate = '1MiB'", "it reached its limit `limits.output-rate` = 1MiB");
}

#[test]
fn nodes_that_call_each_other_without_end_fail() {
    let settings = "run = false\nlimits = { call-time = '500ms' }\nhandles = { victim = 'accomplice' }\n\
        [nodes.accomplice]\nGUEST:fork\nrun = false\nhandles = { victim = 'hostile' }\n";
    let settings = format!("{settings}{CALLER}");
    Attack::new("fork").settings(&settings).stderr("`limits.call-time` = 500ms").stdout(TOLD).check();
    let settings = settings.replace("GUEST:fork", "GUEST:recurse");
    Attack::new("recurse").settings(&settings).stderr("`limits.call-time` = 500ms").stdout(TOLD).check();
}

#[test]
fn open_files_end_at_their_limit() {
    let settings = "limits = { open-files = 20 }\nsandbox = { dirs = [{ host = '.', guest = '/data' }] }\n";
    Attack::new("open_files").settings(settings).stderr("it reached its limit `limits.open-files` = 20").check();
}

#[test]
fn sockets_end_at_their_limit() {
    let settings = "limits = { sockets = 20 }\nsandbox = { network = ['tcp-connect:127.0.0.1:9'] }\n";
    Attack::new("open_sockets").settings(settings).stderr("it reached its limit `limits.sockets` = 20").check();
}

#[test]
fn a_guest_that_does_not_stop_is_dropped() {
    Attack::new("ignore_stop").held_off().stderr("killing nodes that are still running: hostile/0").check();
}

#[test]
fn an_operator_holds_a_program_that_says_nothing_of_it() {
    let settings = format!("run = false\n{CALLER}");
    let attack = Attack::new("spin_in_call").settings(&settings).operator("[limits]\ncall-cpu = '100ms'\n");
    attack.stderr("it reached its limit `limits.call-cpu` = 100ms").stdout(TOLD).check();
}
