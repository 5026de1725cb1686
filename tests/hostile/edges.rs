//! Guests that want to reach nodes that they hold no handle of. Who speaks gRPC to the workers itself is in `crate::edges`.

use super::Attack;

#[test]
fn a_guest_that_calls_itself_others_reaches_nobody_by_it() {
    let friend = "handles = { friend = 'friend' }\n[nodes.friend]\nGUEST:echo_back\n";
    let attack = Attack::new("forge_identity").held_off().settings(friend);
    attack.stdout("hostile/0   │ nobody was deceived").check();
}
