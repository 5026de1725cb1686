//! What the mistakes of who writes a node look like: each screen names the file, the line, or what is wrong.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::host;

/// A program of `lp-host new` in a directory of its own.
struct Demo {
    dir: TempDir,
}

impl Demo {
    fn new(language: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let demo = Self { dir };
        let new = demo.lp_host(&["new", "--lang", language, "demo", "--path", "."]);
        assert!(new.status.success(), "{}", String::from_utf8_lossy(&new.stderr));
        demo
    }

    fn lp_host(&self, args: &[&str]) -> Output {
        Command::new(host::BINARY).args(args).current_dir(self.dir.path()).output().expect("the binary runs")
    }

    #[track_caller]
    fn replace(&self, file: &str, from: &str, to: &str) -> &Self {
        let path = self.dir.path().join(file);
        let text = fs::read_to_string(&path).expect("the template has this file");
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).expect("a writable directory");
        self
    }

    /// Builds and runs it. Checks the exit code and what is on its screen, and what is not.
    #[track_caller]
    fn check(&self, code: i32, shown: &[&str], not_shown: &[&str]) {
        let output = self.lp_host(&["run", "--build", "program.toml"]);
        let screen = [&output.stdout[..], &output.stderr].concat();
        let screen = String::from_utf8_lossy(&screen);
        if output.status.code() == Some(4) {
            return eprintln!("skipped: {screen}");
        }
        assert_eq!(output.status.code(), Some(code), "{screen}");
        for text in shown {
            assert!(screen.contains(text), "no `{text}` in\n{screen}");
        }
        for text in not_shown {
            assert!(!screen.contains(text), "`{text}` in\n{screen}");
        }
    }
}

#[test]
fn a_node_in_c_that_aborts_shows_its_line_and_what_it_had_printed() {
    let demo = Demo::new("c");
    demo.replace(
        "nodes/counter/node.c",
        "#include \"lp_node.h\"",
        "#include \"lp_node.h\"\n#include <assert.h>\n#include <stdio.h>",
    );
    demo.replace(
        "nodes/counter/node.c",
        "  return total;",
        "  printf(\"no line\");\n  assert(n == 0);\n  return total;",
    );
    let shown = [
        "counter/0 │ no line",
        "Assertion failed: n == 0",
        "nodes/counter/node.c:12:",
        "at exports_app_nodes_counter_add",
    ];
    demo.check(1, &shown, &["<wasm function"]);
}

#[test]
fn a_handle_by_another_name_is_told() {
    let demo = Demo::new("c");
    demo.replace("program.toml", "counters = ", "others = ");
    let denial = "denied: `client/0` tried to use a handle `counters`: its handles of `counter` are `others`";
    demo.check(0, &[denial], &[]);
}

#[test]
fn a_world_that_is_not_there_is_told_with_the_file_that_names_it() {
    let demo = Demo::new("c");
    demo.replace("nodes/client/build.toml", "client-node", "client-nod");
    let error =
        "error: `nodes/client/build.toml`: choose a world: there is no `client-nod`, but `counter-node`, `client-node`";
    demo.check(3, &[error, "help: set `world` in `nodes/client/build.toml`"], &[]);
}

#[test]
fn a_run_in_javascript_says_what_it_throws() {
    let demo = Demo::new("js");
    demo.replace("nodes/client/node.js", "program.stop();", "throw new Error(\"boo\");");
    let shown =
        ["client/0  │ error: Error: boo", "/node.js:13:", "error: `client/0` failed: its `run` returned an error"];
    demo.check(1, &shown, &["panicked"]);
}

#[test]
fn what_is_wrong_with_typescript_is_told_of_the_users_own_file() {
    let demo = Demo::new("js");
    let nodes = demo.dir.path().join("nodes/counter");
    fs::rename(nodes.join("node.js"), nodes.join("node.ts")).expect("a writable directory");
    demo.check(3, &["\nnodes/counter/node.ts(6,13): error TS7006"], &["sdk/node.ts"]);
}

#[test]
fn a_call_in_python_that_fails_beside_others_is_told_as_what_it_is() {
    let demo = Demo::new("python");
    demo.replace(
        "nodes/client/node.py",
        "            print(",
        "            await asyncio.sleep(0.01)\n            print(",
    );
    demo.replace(
        "nodes/counter/node.py",
        "        return total",
        "        if n == 2:\n            raise ValueError(\"boo\")\n        return total",
    );
    let shown =
        ["after adding 1: [1, 1]", "in add\n", "ValueError: boo", "/node.py\", line 14, in run", "CallError_Failed"];
    demo.check(1, &shown, &["resource has children", "libpython"]);
}

#[test]
fn a_method_that_a_node_in_javascript_lacks_is_missed_by_the_build() {
    let demo = Demo::new("js");
    demo.replace("nodes/counter/node.js", "add(", "ad(");
    demo.check(3, &["node.js has no function `counter.add`, which its world exports"], &["panicked"]);
}

#[test]
fn a_node_in_python_gives_up_what_takes_too_long() {
    let demo = Demo::new("python");
    demo.replace(
        "nodes/client/node.py",
        "        lp.program.stop()",
        "        try:\n            async with asyncio.timeout(0.05):\n                await asyncio.sleep(86400)\n        \
         except TimeoutError:\n            print(\"given up\")\n        \
         print(await asyncio.wait_for(asyncio.sleep(0.01, \"slept\"), 86400))\n        lp.program.stop()",
    );
    demo.check(0, &["client/0  │ given up", "client/0  │ slept"], &[]);
}
