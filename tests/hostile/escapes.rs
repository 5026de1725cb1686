//! Guests that try to leave the files and directories that they were given.

use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{Attack, component};
use crate::run::Program;

/// A directory to write to and one to read, with links that lead out, beside a file that no guest is given.
fn files(program: &Path) {
    let write = |path: &str, text: &str| std::fs::write(program.join(path), text).expect("a file can be written");
    for dir in ["data/sub", "read-only"] {
        std::fs::create_dir_all(program.join(dir)).expect("a directory can be made");
    }
    write("secret.txt", "the crown jewels");
    write("granted.txt", "what the guest may have");
    write("read-only/file.txt", "to be read");
    write("data/file.txt", "to be written");
    for (target, path) in [("../secret.txt", "to-secret"), ("/etc/passwd", "to-passwd"), ("..", "to-parent")] {
        symlink(target, program.join("data").join(path)).expect("a link can be made");
    }
}

const DIRS: &str = "sandbox = { dirs = [{ host = 'data', guest = '/data', access = 'read-write' }, \
    { host = 'read-only', guest = '/read-only' }] }";

const ABSOLUTE_LINK: &str = "symlink `/etc/passwd` to `mine`, but no link may lead to an absolute path";

/// Has `guest` try to leave its directories; the user is told of it by `denial`.
#[track_caller]
fn check(guest: &str, denial: &str) {
    check_told(guest, denial, " (allow it with `sandbox.dirs`)");
}

#[track_caller]
fn check_told(guest: &str, denial: &str, help: &str) {
    let line = format!("lp-host     │ denied: `hostile/0` tried to {denial}{help}\n");
    let cause = format!("it was not allowed to {denial}");
    Attack::new(guest).settings(DIRS).prepare(files).stderr(&line).stderr(&cause).check();
}

#[test]
fn no_path_leads_up() {
    check("escape_by_parent", "open `../secret.txt`");
    check("escape_by_deep_parent", "open `sub/./../sub//../../secret.txt`");
    check("escape_by_subdirectory", "open `../../secret.txt`");
}

#[test]
fn no_path_begins_at_the_root() {
    check("escape_by_absolute_path", "open `/etc/passwd`");
    check("read_process", "open `../../../../../proc/self/environ`");
}

#[test]
fn no_link_leads_out() {
    check("escape_by_link", "open `to-secret`");
    check("escape_by_absolute_link", "open `to-passwd`");
    check("escape_by_link_on_the_way", "open `to-parent/secret.txt`");
    check("escape_by_trailing_slash", "open `to-parent/`");
}

#[test]
fn no_link_of_the_guests_own_leads_out() {
    check("escape_by_own_link", "open `mine`");
    // No grant would allow it, and none is named.
    check_told("escape_by_own_absolute_link", ABSOLUTE_LINK, "");
}

#[test]
fn no_file_gets_a_name_where_more_is_allowed() {
    check("escape_by_hard_link", "link `file.txt` to `mine`");
    check("escape_by_rename", "rename `file.txt` to `mine`");
}

#[test]
fn second_names_are_given_and_refused_alike_under_every_launch_type() {
    let told = [
        "beside: linked",
        "below: linked",
        "above: linked",
        "elsewhere: linked",
        "of a read-only file: not-permitted",
        "into a read-only directory: not-permitted",
        "of a link: linked",
        "of a pipe: linked",
        "of a pipe below: linked",
        "of a directory: not-permitted",
        "of a granted directory: not-permitted",
        "of nothing: no-entry",
        "over a file: exist",
    ];
    for launch_type in crate::host::LAUNCH_TYPES {
        let program = Program::new(&format!(
            "[nodes.a]\ncomponent = '{}'\nsandbox = {{ dirs = [{{ host = 'data', guest = '/data', access = 'read-write' }}, \
             {{ host = 'more', guest = '/more', access = 'read-write' }}, {{ host = 'read-only', guest = '/read-only' }}] }}\n",
            component("link_files").display()
        ));
        let path = |path: &str| program.dir.path().join(path);
        for dir in ["data/below", "more", "read-only"] {
            std::fs::create_dir_all(path(dir)).expect("a directory can be made");
        }
        for file in ["data/file.txt", "data/below/deep.txt", "read-only/file.txt"] {
            std::fs::write(path(file), "text").expect("a file can be written");
        }
        symlink("file.txt", path("data/link")).expect("a link can be made");
        mknodat(CWD, path("data/pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe can be made");
        let output = program.command().args(["--launch-type", &launch_type.to_string()]).output();
        let output = output.expect("the binary runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let lines: Vec<_> = stdout.lines().map(|line| line.trim_start_matches("a/0 │ ")).collect();
        assert_eq!(lines, told, "{launch_type}");
        // No grant would allow it, and none is named.
        for name in ["below", "."] {
            let denial = format!("tried to link `{name}` to `second-below`, but directories have no second names\n");
            assert!(stderr.contains(&denial), "{launch_type}\n{stderr}");
        }
    }
}

#[test]
fn nothing_is_told_of_files_outside() {
    check("stat_outside", "stat `../secret.txt`");
}

#[test]
fn what_is_for_reading_is_not_written() {
    check("write_to_read_only", "open `file.txt`");
}

#[test]
fn a_single_file_comes_without_its_directory() {
    let settings = "sandbox = { files = [{ host = 'granted.txt', guest = '/files/granted.txt' }] }";
    let denial = "lp-host     │ denied: `hostile/0` tried to unlink file `granted.txt`";
    Attack::new("read_beside_file").settings(settings).prepare(files).stderr(denial).check();
}

#[test]
fn wasi_0_3_has_the_same_walls() {
    let tries = [
        ("read", "../secret.txt", "open `../secret.txt`"),
        ("read", "/etc/passwd", "open `/etc/passwd`"),
        ("read", "to-secret", "open `to-secret`"),
        ("read", "to-parent/secret.txt", "open `to-parent/secret.txt`"),
        ("stat", "../secret.txt", "stat `../secret.txt`"),
        ("link", "mine", ABSOLUTE_LINK),
    ];
    for (verb, path, denial) in tries {
        let settings = format!("args = ['{verb}', '{path}']\n{DIRS}");
        let help = if verb == "link" { "" } else { " (allow it with `sandbox.dirs`)" };
        let line = format!("lp-host     │ denied: `hostile/0` tried to {denial}{help}\n");
        Attack::new("hostile_async").settings(&settings).prepare(files).stderr(&line).check();
    }
}
