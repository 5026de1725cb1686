//! Guests that look for what other nodes were given, or the host itself.

use std::path::Path;

use super::Attack;

#[test]
fn variables_of_others_and_of_the_host_are_not_seen() {
    let others = "[nodes.other]\nASYNC\nhandles = { probe = 'other' }\nrun = false\n\
        env = { OTHERS_TOKEN = 'the crown jewels' }\nsandbox = { inherit-env = ['PATH'] }\n";
    Attack::new("read_environment").settings(others).stderr("no loot: no variable").check();
}

#[test]
fn values_and_secrets_of_others_are_not_seen() {
    let others = "[nodes.other]\nASYNC\nhandles = { probe = 'other' }\nrun = false\n\
        config = { others-value = 'the crown jewels' }\n\
        sandbox = { secrets = { others-secret = { file = 'secret.txt' } } }\n";
    let prepare = |program: &Path| std::fs::write(program.join("secret.txt"), "the crown").expect("it can be written");
    Attack::new("read_configuration").settings(others).prepare(prepare).stderr("no loot: no value").check();
}

#[test]
fn stdin_is_empty() {
    Attack::new("read_stdin").stderr("no loot: nothing to read").check();
}
