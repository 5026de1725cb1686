//! What the host says of a program that runs, among the output of its nodes.

use std::io::BufRead;

use rustix::process::Signal;
use serde_json::Value;

use crate::run::{Going, Program};
use crate::runs::{Machine, eventually};

/// A node that fails once, and one that looks on.
const FAILS_ONCE: &str = "[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nargs = ['trap-once:/data/trapped', 'wait-for-stop']\n\
    restart = { policy = 'on-failure', backoff = '1ms' }\n\
    sandbox = { dirs = [{ host = '.', guest = '/data', access = 'read-write' }] }\n\
    [nodes.b]\nASYNC\nhandles = { probe = 'b' }\nargs = ['print:up', 'wait-for-stop']\n";

const FAILED: &str = "lp-host │ error: `a/0` failed: ";
const RESTARTED: &str = "lp-host │ note: `a/0` starts again in ";

#[test]
fn logs_shows_what_the_host_says_apart_from_what_guests_print() {
    for launch_type in crate::host::LAUNCH_TYPES {
        let (machine, program) = (Machine::new(), Program::new(FAILS_ONCE));
        let logs = program.dir.path().join("logs");
        let options = ["--launch-type", &launch_type.to_string(), "--log-dir", logs.to_str().expect("it is UTF-8")];
        let going = machine.start(&program, &options);
        eventually("the restart", || machine.screen(&["logs", "test", "a"]).1.contains("a/0 │ not again\n"));
        let shown = machine.data(&["logs", "test", "a/0"]);
        let place = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text:?} is missing\n{shown}"));
        assert!(place(FAILED) < place(RESTARTED) && place(RESTARTED) < place("a/0 │ not again"), "{shown}");
        // The stack is as much the host's as the line before it.
        assert!(shown.lines().all(|line| line.starts_with("lp-host │ ") || line.starts_with("a/0 │ ")), "{shown}");
        assert!(machine.data(&["logs", "test"]).contains(FAILED));
        eventually("the other node", || machine.data(&["logs", "test", "b"]) == "b/0 │ up\n");
        let json = machine.data(&["logs", "test", "a", "--format", "json"]);
        let lines = json.lines().map(|line| serde_json::from_str(line).expect("it is JSON"));
        let said: Vec<Value> = lines.filter(|line: &Value| line["stream"] == "host").collect();
        assert_eq!((&said[0]["type"], &said[0]["replica"]), (&"line".into(), &"a/0".into()));
        let mut follower = Going::spawn(machine.command(&["logs", "test", "-f"]));
        follower.stdout.read_line(&mut String::new()).expect("it can be read");
        going.signal(Signal::TERM);
        assert_eq!(going.end().0, Some(143));
        let followed = follower.end().1;
        assert!(followed.contains("lp-host │ note: SIGTERM: asking every node to stop"), "{followed}");
        let file = |name: &str| std::fs::read_to_string(logs.join(name)).expect("the log is there");
        assert!(file("a-0.log").contains(FAILED) && file("a-0.log").contains("\nnot again\n"), "{}", file("a-0.log"));
        assert!(file("lp-host.log").starts_with("error: `a/0` failed: "), "{}", file("lp-host.log"));
        assert!(!file("b-0.log").contains("lp-host"), "{}", file("b-0.log"));
    }
}
