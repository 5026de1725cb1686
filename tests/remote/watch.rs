//! `lp-host run --watch` over several hosts: what is rebuilt reaches them, and is what they start from then on.

use lp_host::plan::LaunchType;
use rustix::process::{Pid, Signal, kill_process};

use super::{Hosts, Setting, place_of};
use crate::host;
use crate::runs::eventually;
use crate::watch::{BUILT, Watched, counter, probe, relay};

fn two() -> Hosts {
    Hosts::on_loopback(&[Setting::default(); 2])
}

fn start(hosts: &Hosts, toml: &str, files: &[(&str, &[u8])]) -> Watched {
    Watched::start_by(LaunchType::Remote, toml, files, |command| hosts.launcher(command))
}

fn received(hosts: &Hosts) -> [usize; 2] {
    [0, 1].map(|host| hosts.log(host).matches("received a component").count())
}

const RESTARTS: &str = "restart = { policy = 'on-failure', max = 100, backoff = '1ms', backoff-max = '1ms' }";

#[test]
fn what_is_rebuilt_reaches_the_replicas_on_two_hosts() {
    let hosts = two();
    let toml = format!("{BUILT}replicas = 2\n{RESTARTS}\n[nodes.c]\ncomponent = 'c.wasm'\nhosts = ['h1']\n");
    let files: [(&str, &[u8]); 2] = [("a.src", &counter(0, false)), ("c.wasm", &counter(0, false))];
    let mut watched = start(&hosts, &toml, &files);
    eventually("the start", || watched.machine.screen(&["call", "test/c", "next"]).0 == Some(0));
    watched.check_call("a/0", "next", "1");
    watched.check_call("a/1", "next", "1");
    // The other node has the same component.
    assert_eq!(received(&hosts), [1, 1]);
    for (build, base) in [(1, 100), (2, 200)] {
        watched.write("a.src", counter(base, build == 1));
        watched.expect_restart("a", &[build, build]);
        watched.check_call("a/0", "next", &(base + 1).to_string());
        watched.check_call("a/1", if build == 1 { "again" } else { "next" }, &(base + 1).to_string());
        let each = usize::try_from(build).expect("there are few") + 1;
        assert_eq!(received(&hosts), [each, each], "a host gets each component once");
    }
    watched.check_call("c", "next", "2");
    watched.write("a.src", "a mistake");
    watched.expect("note: `a` was not rebuilt: it goes on as it was");
    watched.check_call("a/0", "next", "202");
    // A worker that is started again runs what its node is now, and not what it was at first.
    let (_, pid) = place_of(&watched.machine, "a").expect("it runs");
    kill_process(Pid::from_raw(pid).expect("it has a process"), Signal::KILL).expect("it is there");
    eventually("the restart", || watched.restarts("a") == [3, 2]);
    watched.check_call("a/0", "next", "201");
    watched.check_call("a/1", "next", "202");
    // Nor does another host that takes over from one that is lost.
    let [agent, ..] = hosts.processes(1)[..] else { panic!("its agent runs") };
    kill_process(Pid::from_raw(agent).expect("it has a process"), Signal::KILL).expect("it is there");
    eventually("the restart on the other host", || watched.restarts("a").iter().sum::<u64>() == 6);
    for replica in ["test/a/0", "test/a/1"] {
        let mut answer = String::new();
        eventually("its start", || {
            answer = watched.machine.screen(&["call", replica, "next"]).1;
            !answer.is_empty()
        });
        assert!(answer.starts_with("20"), "{answer}");
    }
    watched.interrupt();
}

#[test]
fn nodes_on_different_hosts_are_rebuilt_together() {
    let hosts = two();
    let toml = "[nodes.a]\ncomponent = 'a.wasm'\nhosts = ['h1']\n\
        [nodes.b]\ncomponent = 'b.wasm'\nhandles = { counter = 'a' }\nhosts = ['h2']\n";
    let mut watched = start(&hosts, toml, &[("a.wasm", &counter(0, false)), ("b.wasm", &relay("count"))]);
    eventually("the start", || watched.machine.screen(&["call", "test/b", "next"]).0 == Some(0));
    let mut renamed = counter(100, false);
    for start in 0..renamed.len() - 10 {
        if renamed[start..].starts_with(b"test:count/") {
            renamed[start..start + 10].copy_from_slice(b"test:other");
        }
    }
    watched.write("a.wasm", renamed);
    watched.expect("note: `a` does not fit the program any more: it goes on as it was");
    watched.check_call("b", "next", "2");
    watched.write("b.wasm", relay("other"));
    watched.expect("note: `a` was rebuilt: restarting");
    watched.expect_restart("b", &[1]);
    watched.check_call("b", "next", "101");
    watched.interrupt();
}

#[test]
fn what_a_host_can_not_run_is_told_and_the_others_go_on_as_they_were() {
    let hosts = two();
    let granted = tempfile::tempdir().expect("a temporary directory can be made");
    let dir = granted.path().join("data");
    std::fs::create_dir(&dir).expect("it can be made");
    let sandbox = format!("sandbox = {{ dirs = [{{ host = '{}', guest = '/data' }}] }}\n", dir.display());
    let toml = format!("{BUILT}replicas = 2\n{sandbox}[nodes.c]\ncomponent = 'c.wasm'\n");
    let files: [(&str, &[u8]); 2] = [("a.src", &counter(0, false)), ("c.wasm", &counter(0, false))];
    let mut watched = start(&hosts, &toml, &files);
    eventually("the start", || watched.machine.screen(&["call", "test/a/1", "next"]).0 == Some(0));
    let elsewhere = granted.path().join("elsewhere");
    std::fs::rename(&dir, &elsewhere).expect("it can be moved");
    watched.write("a.src", counter(100, false));
    watched.expect("note: `a` can't be run: it goes on as it was");
    let refusal = format!("host `h1`: `a` is granted `{}`, which is no directory of this host", dir.display());
    for text in [&refusal, &refusal.replace("h1", "h2"), "make it here, or say by `hosts` where the node may run"] {
        assert!(watched.said.contains(text), "{text}\n{}", watched.said);
    }
    watched.check_call("a/1", "next", "2");
    // It holds up nobody else.
    watched.write("c.wasm", counter(100, false));
    watched.expect_restart("c", &[1]);
    watched.check_call("a/1", "next", "3");
    std::fs::rename(&elsewhere, &dir).expect("it can be moved");
    watched.write("a.src", counter(200, false));
    watched.expect_restart("a", &[1, 1]);
    watched.check_call("a/1", "next", "201");
    watched.interrupt();
}

#[test]
fn a_program_on_hosts_that_a_node_has_stopped_starts_again_as_a_whole() {
    let hosts = two();
    let toml = "[nodes.a]\ncomponent = 'a.wasm'\nhandles = { probe = 'b' }\nargs = ['plain-echo:5', 'stop']\n\
        [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nrun = false\n";
    let mut watched = start(&hosts, toml, &[("a.wasm", &probe(0))]);
    for build in 1..3 {
        watched.going.expect_line("a/0 │ 5");
        watched.expect("note: the program has ended: it starts again with the next change");
        watched.write("a.wasm", probe(build));
        watched.expect("note: `a` was rebuilt: restarting");
    }
    watched.going.expect_line("a/0 │ 5");
    watched.interrupt();
}

#[test]
fn an_edit_of_a_node_in_rust_reaches_its_replicas_on_two_hosts() {
    host::guests();
    let hosts = two();
    let toml = "[nodes.a]\ncomponent = 'target/wasm32-wasip2/release/a.wasm'\nreplicas = 2\n\
        build = 'cargo build --release --target wasm32-wasip2'\n";
    let main = |text: &str| format!("fn main() {{\n    println!(\"{text}\");\n}}\n");
    let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.0.0\"\n";
    let manifest = "[package]\nname = 'a'\nedition = '2024'\n[workspace]\n";
    let files = [("Cargo.toml", manifest), ("Cargo.lock", lock), ("src/main.rs", &main("one"))];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    let mut watched = start(&hosts, toml, &files);
    for text in ["one", "two"] {
        let mut lines = [(); 2].map(|()| watched.going.next_line());
        lines.sort();
        assert_eq!(lines, [0, 1].map(|index| format!("a/{index} │ {text}")), "{}", watched.said);
        watched.expect("note: nothing is left to run");
        watched.write("src/main.rs", main("two"));
    }
    let said = watched.interrupt();
    assert!(said.contains("ended  h1") && said.contains("ended  h2"), "{said}");
}
