//! Guests that take more than they may: memory, stack, time, calls, output.

use super::Attack;

#[test]
fn a_guest_that_traps_in_any_phase_fails_alone() {
    Attack::new("trap_in_start").stderr("failed to start: wasm trap").check();
    let caller = "run = false\n[nodes.caller]\nGUEST:call_victim\nhandles = { victim = 'hostile' }\n";
    let told = "the attack gave Err(Failed(\"`hostile/0` failed while it worked on the call\"))";
    Attack::new("trap_in_call").settings(caller).stderr("wasm `unreachable`").stdout(told).check();
}

#[test]
fn memory_ends_at_its_limit() {
    Attack::new("grow_memory").settings("sandbox = { memory = '32MiB' }").stderr("`sandbox.memory`").check();
}

#[test]
fn the_stack_ends_before_that_of_the_host() {
    Attack::new("overflow_stack").stderr("call stack exhausted").check();
}

#[test]
fn a_guest_that_does_not_stop_is_dropped() {
    Attack::new("ignore_stop").held_off().stderr("dropping what has not ended: hostile/0").check();
}
