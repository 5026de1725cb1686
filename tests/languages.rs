//! Nodes in every language, by the tools that `lp-host build` installs: templates, examples, and what their builds say.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::host;

/// A component, or why it can't be had here: then a test prints it after `skipped: ` and ends.
pub type Built = Result<PathBuf, String>;

/// Builds the node in a folder with a `build.toml`, below `target`, where it stays for the next run of the tests.
pub fn build(folder: &str) -> Built {
    let dir = host::root().join("target/guests").join(folder.replace('/', "-"));
    fs::create_dir_all(&dir).expect("a writable directory");
    let recipe = host::root().join(folder).join("build.toml");
    let toml = format!("name = \"built\"\n[nodes.node]\ncomponent = \"node.wasm\"\nbuild = \"{}\"\n", recipe.display());
    // Replaced in one step, since other tests may be building the same node.
    let mut file = tempfile::NamedTempFile::new_in(&dir).expect("a writable directory");
    file.write_all(toml.as_bytes()).expect("a writable directory");
    file.persist(dir.join("program.toml")).expect("a writable directory");
    build_program(&dir.join("program.toml")).map(|()| dir.join("node.wasm"))
}

/// Builds the nodes of a program; fails if a tool for it is not to be had.
#[track_caller]
pub fn build_program(program: &Path) -> Result<(), String> {
    available(&Command::new(host::BINARY).arg("build").arg(program).output().expect("the binary runs"))
}

/// Fails the test if a build failed, unless for a tool that is not to be had on this machine.
#[track_caller]
fn available(output: &Output) -> Result<(), String> {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(4) => Err(stderr),
        _ => panic!("{stderr}"),
    }
}

/// Makes a program by `lp-host new --lang`, builds and runs it as its README says, under each launch type.
fn check_template(language: &str) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages");
    fs::create_dir_all(&dir).expect("a writable directory");
    let demo = dir.join(language);
    // What was built last time is kept, which is also how a program is built again.
    for folder in ["nodes", "wit", "program.toml", "program.test.toml", "README.md", ".gitignore"] {
        let path = demo.join(folder);
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    let kept = dir.join(format!("{language}-built"));
    let _ = fs::rename(demo.join("build"), &kept);
    let _ = fs::remove_dir(&demo);
    let run = |line: &str, dir: &Path| {
        Command::new(host::BINARY).args(line.split(' ')).current_dir(dir).output().expect("the binary runs")
    };
    let new = run(&format!("new --lang {language} demo --path {language}"), &dir);
    assert!(new.status.success(), "{}", String::from_utf8_lossy(&new.stderr));
    let _ = fs::rename(&kept, demo.join("build"));
    if let Err(reason) = available(&run("build program.toml", &demo)) {
        return eprintln!("skipped: {reason}");
    }
    for launch_type in host::LAUNCH_TYPES {
        let output = run(&format!("run --build program.toml --launch-type {launch_type}"), &demo);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert!(!stderr.contains("building"), "nothing has changed: {stderr}");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> = stdout.lines().map(|line| line.split_once("│ ").map_or(line, |(_, line)| line)).collect();
        assert_eq!(lines, ["after adding 1: [1, 1]", "after adding 2: [3, 3]", "after adding 3: [6, 6]"], "{stderr}");
    }
    let tested = run("test program.toml", &demo);
    let stderr = String::from_utf8_lossy(&tested.stderr);
    assert!(tested.status.success() && stderr.ends_with("2 passed, 0 failed\n"), "{stderr}");
}

#[test]
fn what_a_compiler_says_is_shown_with_its_place_and_no_more() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).expect("a writable directory");
    write("program.toml", "name = \"wrong\"\n[nodes.a]\ncomponent = \"a.wasm\"\nbuild = \"build.toml\"\n");
    write("build.toml", "language = \"c\"\nwit = \"a.wit\"\n");
    write("a.wit", "package a:b;\nworld w { export wasi:cli/run@0.2.0; }\n");
    write("node.c", "#include \"lp_node.h\"\nbool exports_wasi_cli_run_run(void) { return tru; }\n");
    let output = Command::new(host::BINARY).args(["build", "program.toml"]).current_dir(dir.path()).output();
    let output = output.expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(4) {
        return eprintln!("skipped: {stderr}");
    }
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    let lines: Vec<_> = stderr.lines().filter(|line| !line.starts_with("note: ")).collect();
    assert!(lines[0].ends_with("node.c:2:46: error: use of undeclared identifier 'tru'"), "{stderr}");
    assert_eq!(lines.last(), Some(&"error: the build of `a` failed: exit status: 1"), "{stderr}");
}

#[test]
fn a_run_that_can_not_wait_for_many_calls_is_refused_with_the_one_that_can() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).expect("a writable directory");
    write("program.toml", "name = \"wrong\"\n[nodes.a]\ncomponent = \"a.wasm\"\nbuild = \"build.toml\"\n");
    write("build.toml", "language = \"c\"\nstyle = \"async\"\nwit = \"a.wit\"\n");
    write("a.wit", "package a:b;\nworld w { export wasi:cli/run@0.2.0; }\n");
    let output = Command::new(host::BINARY).args(["build", "program.toml"]).current_dir(dir.path()).output();
    let output = output.expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(4) {
        return eprintln!("skipped: {stderr}");
    }
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("can't wait in `wasi:cli/run@0.2.0`: export `wasi:cli/run@0.3.0` instead"), "{stderr}");
}

#[test]
fn what_a_node_in_go_lacks_or_can_not_have_is_said() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).expect("a writable directory");
    write("program.toml", "name = \"wrong\"\n[nodes.a]\ncomponent = \"a.wasm\"\nbuild = \"build.toml\"\n");
    write("build.toml", "language = \"go\"\nwit = \"a.wit\"\n");
    write("node.go", "package node\n\nfunc Run() int { return 1 }\n");
    let run = "export wasi:cli/run@0.2.0;";
    let later = "import i; }\ninterface i { f: func() -> future<u32>; ";
    for (module, world, reason) in [
        ("module other", run, "go.mod` has to say: `module node`"),
        ("module node", later, "a node in Go can't have the types `future` and `stream`"),
        ("module node", run, "the build of `a` failed"),
    ] {
        write("go.mod", &format!("{module}\n\ngo 1.25\n"));
        write("a.wit", &format!("package a:b;\nworld w {{ {world} }}\n"));
        let output = Command::new(host::BINARY).args(["build", "program.toml"]).current_dir(dir.path()).output();
        let output = output.expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(4) {
            return eprintln!("skipped: {stderr}");
        }
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(reason), "{stderr}");
    }
}

#[test]
fn a_component_is_built_again_when_its_source_or_its_wit_has_changed_and_only_then() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).expect("a writable directory");
    write("program.toml", "name = \"changed\"\n[nodes.a]\ncomponent = \"a.wasm\"\nbuild = \"node/build.toml\"\n");
    fs::create_dir_all(dir.path().join("node")).expect("a writable directory");
    write("node/build.toml", "language = \"c\"\nwit = \"../a.wit\"\n");
    write("a.wit", "package a:b;\nworld w { export wasi:cli/run@0.2.0; }\n");
    let source = "#include \"lp_node.h\"\nbool exports_wasi_cli_run_run(void) { return true; }\n";
    write("node/node.c", source);
    if let Err(reason) = build_program(&dir.path().join("program.toml")) {
        return eprintln!("skipped: {reason}");
    }
    let is_built = || {
        let output = Command::new(host::BINARY).arg("build").arg(dir.path().join("program.toml")).output();
        String::from_utf8_lossy(&output.expect("the binary runs").stderr).contains("built `a`")
    };
    assert!(!is_built());
    write("node/node.c", &format!("{source}// changed\n"));
    assert!(is_built());
    assert!(!is_built());
    write("a.wit", "package a:b;\ninterface i { f: func(); }\nworld w { import i; export wasi:cli/run@0.2.0; }\n");
    assert!(is_built());
    fs::remove_file(dir.path().join("a.wasm")).expect("it was built");
    assert!(is_built());
    write("a.wasm", "something else");
    assert!(is_built());
    assert!(!is_built());
}

#[test]
fn a_new_program_in_python_runs() {
    check_template("python");
}

#[test]
fn a_new_program_in_javascript_runs() {
    check_template("js");
}

#[test]
fn a_new_program_in_c_runs() {
    check_template("c");
}

#[test]
fn a_new_program_in_cpp_runs() {
    check_template("cpp");
}

#[test]
fn a_new_program_in_zig_runs() {
    check_template("zig");
}

#[test]
fn a_new_program_in_go_runs() {
    check_template("go");
}

#[test]
fn a_component_says_its_language() {
    for (folder, language) in [
        ("tests/matrix/python", "Python (CPython 3.14)"),
        ("tests/matrix/js", "JavaScript (componentize-qjs)"),
        ("tests/matrix/c", "C (wit-bindgen-c "),
        ("tests/matrix/cpp", "C++ (wit-bindgen-c "),
        ("tests/matrix/zig", "Zig (wit-bindgen-c "),
        ("tests/matrix/go", "Go (Go cmd/compile "),
    ] {
        match build(folder) {
            Ok(component) => check_language(&component, language),
            Err(reason) => eprintln!("skipped: {reason}"),
        }
    }
    check_language(&host::build(&["hello"]).join("hello.wasm"), "Rust (rustc ");
}

#[track_caller]
fn check_language(component: &Path, language: &str) {
    let output = Command::new(host::BINARY).arg("inspect").arg(component).output().expect("the binary runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.lines().next().is_some_and(|line| line.contains(&format!(", {language}"))), "{stdout}");
}

/// A program in which StarlingMonkey's node is called by itself, in the style that blocks.
#[test]
fn a_node_in_javascript_with_starlingmonkey_runs() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("starlingmonkey");
    fs::create_dir_all(dir.join("node")).expect("a writable directory");
    let write = |file: &str, text: &str| fs::write(dir.join(file), text).expect("a writable directory");
    let node = "component = 'node.wasm'\nbuild = 'node/build.toml'\n";
    write(
        "program.toml",
        &format!(
            "name = 'monkey'\n[nodes.adder]\n{node}run = false\n[nodes.asker]\n{node}config = {{ name = 'you' }}\n\
             handles = {{ adders = 'adder' }}\n[nodes.adder.handles]\nadders = 'adder'\n"
        ),
    );
    write("node/build.toml", "language = 'js'\nengine = 'starlingmonkey'\nwit = '../node.wit'\n");
    write(
        "node.wit",
        "package a:b;\ninterface adder {\n  add: async func(n: u64) -> u64;\n}\n\
         world node {\n  import adder-handles;\n  export adder;\n  export wasi:cli/run@0.2.0;\n}\n",
    );
    write(
        "node/node.js",
        "import { all } from 'a:b/adder-handles';\nimport { config, program } from './lp.js';\n\
         export const adder = { add(n) { return n + 1n; } };\n\
         export const run = {\n  run() {\n    const [one] = all('adders');\n\
         \x20   console.log(`${config('name')} in ${program.programName()}: ${one.add(2n ** 64n - 2n)}`);\n  },\n};\n",
    );
    if let Err(reason) = build_program(&dir.join("program.toml")) {
        return eprintln!("skipped: {reason}");
    }
    check_language(&dir.join("node.wasm"), "JavaScript (ComponentizeJS 0.23.0)");
    for launch_type in host::LAUNCH_TYPES {
        let mut run = Command::new(host::BINARY);
        let output =
            run.arg("run").arg(dir.join("program.toml")).args(["--launch-type", &launch_type.to_string()]).output();
        let output = output.expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "asker/0 │ you in monkey: 18446744073709551615\n",
            "{stderr}"
        );
    }
}

#[test]
fn a_style_that_an_engine_can_not_have_is_refused_with_its_reason() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).expect("a writable directory");
    write("program.toml", "name = 'wrong'\n[nodes.a]\ncomponent = 'a.wasm'\nbuild = 'build.toml'\n");
    for (toml, reason) in [
        ("language = 'js'\nengine = 'starlingmonkey'\nstyle = 'future'", "panics at a `future`; only `sync` works"),
        ("language = 'js'\nengine = 'v8'", "there is no engine `v8`, but `starlingmonkey` beside the usual one"),
        ("language = 'c'\nengine = 'v8'", "the language has no engines to choose from"),
        ("language = 'go'\nstyle = 'future'", "Go's scheduler can't hand a waiting call over to the host"),
        ("language = 'rust'\nworld = 'a'", "`world` is set in the crate itself, by `lp_guest::node!`"),
    ] {
        write("build.toml", toml);
        let output = Command::new(host::BINARY).args(["build", "program.toml"]).current_dir(dir.path()).output();
        let output = output.expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.starts_with("error: `build.toml` is not a build file: ") && stderr.contains(reason), "{stderr}");
        assert_eq!(output.status.code(), Some(3), "{stderr}");
    }
}

#[test]
fn a_package_of_rust_is_built_by_its_recipe() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-recipe");
    fs::create_dir_all(dir.join("node/src")).expect("a writable directory");
    let write = |file: &str, text: &str| fs::write(dir.join(file), text).expect("a writable directory");
    write("program.toml", "name = 'crab'\n[nodes.a]\ncomponent = 'build/a.wasm'\nbuild = 'node/build.toml'\n");
    write("node/build.toml", "language = 'rust'\n");
    write("node/Cargo.toml", "[package]\nname = 'a-node'\nedition = '2024'\n[workspace]\n");
    let run = || {
        let mut run = Command::new(host::BINARY);
        // Cargo's messages are compared without colours, whatever whoever tests has set.
        run.args(["run", "--build"]).arg(dir.join("program.toml")).env("CARGO_TERM_COLOR", "never");
        run.output().expect("the binary runs")
    };
    write("node/src/main.rs", "fn main() { println!(\"made by Cargo\") }\n");
    let output = run();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a/0 │ made by Cargo\n", "{stderr}");
    write("node/src/main.rs", "fn main() { println!(\"made by Carg\" }\n");
    let output = run();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("--> node/src/main.rs:1:") || stderr.contains("--> src/main.rs:1:"), "{stderr}");
    write("node/src/main.rs", "");
    write("node/src/lib.rs", "");
    fs::remove_file(dir.join("node/src/main.rs")).expect("it was just written");
    let output = run();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("has no binary and no library of the crate type `cdylib`"), "{stderr}");
}
