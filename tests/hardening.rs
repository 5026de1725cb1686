//! The walls around worker processes, as the kernel sees them and as a guest runs into them.

use std::collections::BTreeMap;
use std::fs::{DirEntry, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde_json::Value;

use crate::run::{Going, Program};
use crate::runs::Machine;

const PROCESSES: &[&str] = &["--launch-type", "processes"];

/// Two workers, of which one has called the other when it says `up`.
fn pair(top: &str) -> Program {
    Program::new(&format!(
        "{top}\n[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\nrun = false\n\
         [nodes.b]\nASYNC\nhandles = {{ probe = 'a' }}\nargs = ['plain-echo:5', 'print:up', 'wait-for-stop']\n"
    ))
}

fn up(machine: &Machine, program: &Program, options: &[&str]) -> Going {
    let mut going = machine.start(program, options);
    going.expect_line("b/0 │ 5");
    going.expect_line("b/0 │ up");
    going
}

fn end(going: Going) -> String {
    going.signal(rustix::process::Signal::TERM);
    going.end().2
}

fn replicas(machine: &Machine) -> Vec<Value> {
    machine.ps()[0]["replicas"].as_array().expect("there are replicas").clone()
}

/// The value of a line such as `Seccomp: 2` of the kernel's account of a process.
fn of_process(replica: &Value, file: &str, key: &str) -> String {
    let text = std::fs::read_to_string(Path::new("/proc").join(replica["pid"].to_string()).join(file));
    let text = text.expect("the process is there");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("the kernel says so");
    line.trim_start_matches(':').split_whitespace().next().unwrap_or_default().to_owned()
}

#[test]
fn ps_shows_the_walls_that_the_kernel_confirms() {
    let (machine, program) = (Machine::new(), pair(""));
    let going = up(&machine, &program, PROCESSES);
    for replica in replicas(&machine) {
        let hardening = &replica["hardening"];
        let applied = |key: &str| hardening[key].as_bool().expect("it is said");
        assert_eq!(of_process(&replica, "status", "NoNewPrivs") == "1", applied("no_new_privileges"), "{replica}");
        assert_eq!(of_process(&replica, "status", "Seccomp") == "2", applied("seccomp"), "{replica}");
        assert_eq!(of_process(&replica, "limits", "Max core file size") == "0", applied("no_core_dumps"), "{replica}");
        // 4096 of the host, two for each of two workers, and 2064 by the limits of the only replica.
        let open_files = hardening["open_files_max"].as_u64().expect("it is said");
        assert!(open_files <= 4096 + 4 + 2064, "{replica}");
        assert_eq!(of_process(&replica, "limits", "Max open files"), open_files.to_string(), "{replica}");
        let missing = hardening["missing"].as_array().expect("it is a list");
        let whole = applied("seccomp") && applied("no_core_dumps") && hardening["landlock"].is_u64();
        assert_eq!(missing.is_empty(), whole, "{replica}");
        let word = if whole { "full" } else { "partial" };
        assert!(machine.data(&["ps"]).contains(word), "{}", machine.data(&["ps"]));
    }
    let stderr = end(going);
    assert!(!stderr.contains("hardened in part") || replicas_are_partial(&stderr), "{stderr}");
}

/// Whether the warning is there once, for two workers.
fn replicas_are_partial(stderr: &str) -> bool {
    stderr.matches("hardened in part").count() == 1
}

#[test]
fn a_program_can_do_without_and_threads_have_none() {
    let (machine, program) = (Machine::new(), pair("hardening = 'off'"));
    let going = up(&machine, &program, PROCESSES);
    for replica in replicas(&machine) {
        assert_eq!(replica["hardening"]["seccomp"], false, "{replica}");
        assert_eq!(of_process(&replica, "status", "Seccomp"), of_this_process("Seccomp"));
    }
    assert!(machine.data(&["ps"]).contains(" off "), "{}", machine.data(&["ps"]));
    end(going);
    let going = up(&machine, &program, &[]);
    assert!(replicas(&machine).iter().all(|replica| replica["hardening"].is_null()));
    end(going);
}

fn of_this_process(key: &str) -> String {
    of_process(&serde_json::json!({ "pid": std::process::id() }), "status", key)
}

/// Runs a command under a kernel that has no Landlock, as far as the command can see.
fn without_landlock<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    // The filter holds for the thread and for what it starts.
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let rules = BTreeMap::from([(libc::SYS_landlock_create_ruleset, Vec::new())]);
            let arch = std::env::consts::ARCH.try_into().expect("a known processor");
            let refuse = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
            let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).expect("it is a filter");
            let filter: BpfProgram = filter.try_into().expect("it can be compiled");
            seccompiler::apply_filter(&filter).expect("it can be applied");
            run()
        });
        running.join().expect("no panic")
    })
}

#[test]
fn what_the_kernel_lacks_is_a_warning_or_with_require_a_refusal() {
    let (machine, program) = (Machine::new(), pair(""));
    let stderr = without_landlock(|| {
        let going = up(&machine, &program, PROCESSES);
        let replicas = replicas(&machine);
        assert!(replicas.iter().all(|replica| replica["hardening"]["landlock"].is_null()), "{replicas:?}");
        assert!(replicas.iter().all(|replica| replica["hardening"]["seccomp"] == true), "{replicas:?}");
        assert!(machine.data(&["ps"]).contains(" partial "));
        end(going)
    });
    assert_eq!(stderr.matches("warning: worker processes are hardened in part: no Landlock").count(), 1, "{stderr}");
    let program = pair("hardening = 'require'");
    let (code, _, stderr) = without_landlock(|| machine.start(&program, PROCESSES).end());
    assert_eq!(code, Some(4), "{stderr}");
    assert!(stderr.contains("no Landlock: the kernel lacks it"), "{stderr}");
}

#[test]
fn a_program_that_requires_walls_is_not_run_in_threads() {
    let (machine, program) = (Machine::new(), pair("hardening = 'require'"));
    let (code, _, stderr) = machine.start(&program, &[]).end();
    assert_eq!(code, Some(4), "{stderr}");
    assert!(stderr.contains("`--launch-type processes`"), "{stderr}");
}

/// What a node prints that is granted `shared` and reads a file in it, before and after it was started again. In between,
/// another directory took the place of `shared`.
fn read_twice(hardening: &str) -> String {
    let program = Program::new(&format!(
        "hardening = '{hardening}'\n[nodes.a]\nASYNC\nhandles = {{ probe = 'a' }}\n\
         args = ['print:up', 'wait-for:/data/go', 'read:/data/file', 'trap:on purpose']\n\
         restart = {{ policy = 'on-failure', max = 1, backoff = '1ms' }}\n\
         sandbox = {{ dirs = [{{ host = 'shared', guest = '/data', access = 'read' }}] }}\n"
    ));
    let at = |name: &str| program.dir.path().join(name);
    for name in ["shared", "private"] {
        std::fs::create_dir(at(name)).expect("it can be made");
        std::fs::write(at(name).join("file"), name).expect("it can be written");
    }
    let machine = Machine::new();
    let mut going = machine.start(&program, PROCESSES);
    going.expect_line("a/0 │ up");
    std::fs::rename(at("shared"), at("was-shared")).expect("it can be moved");
    std::fs::rename(at("private"), at("shared")).expect("it can be moved");
    for name in ["shared/go", "was-shared/go"] {
        std::fs::write(at(name), "").expect("it can be written");
    }
    let (code, stdout, stderr) = going.end();
    assert_eq!(code, Some(1), "{stderr}");
    stdout
}

#[test]
fn a_directory_that_took_the_place_of_a_granted_one_is_out_of_reach() {
    let (machine, program) = (Machine::new(), pair(""));
    let going = up(&machine, &program, PROCESSES);
    let has_landlock = replicas(&machine)[0]["hardening"]["landlock"].is_u64();
    end(going);
    let both = "a/0 │ Ok(\"shared\")\na/0 │ up\na/0 │ Ok(\"private\")\n";
    assert_eq!(read_twice("off"), both);
    match has_landlock {
        // It can't even be opened, so that the replica does not start.
        true => assert_eq!(read_twice("auto"), "a/0 │ Ok(\"shared\")\n"),
        false => assert_eq!(read_twice("auto"), both),
    }
}

/// Whether the socket at `path` answers a process of the user `uid`. What it is sent starts a connection between workers,
/// and is a request, if a wrong one, to whoever takes lines.
fn answers(path: &Path, uid: libc::uid_t) -> bool {
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            #[allow(
                unsafe_code,
                reason = "libc's own function changes all threads, and only this one is to be another user"
            )]
            // SAFETY: the call takes numbers alone, and the thread ends before anything else is done with it.
            let changed = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
            assert_eq!(changed, 0, "root can be anybody");
            let mut stream = UnixStream::connect(path).expect("the way is open");
            // Whoever hangs up may do so before this is sent.
            let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
            stream.set_read_timeout(Some(Duration::from_secs(60))).expect("it is a time");
            match stream.read(&mut [0]) {
                Ok(length) => length > 0,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
                    false
                }
            }
        });
        asking.join().expect("no panic")
    })
}

#[test]
fn sockets_hang_up_on_another_user_who_got_to_them() {
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: only root can be another user");
    }
    let (machine, program) = (Machine::new(), pair(""));
    let going = up(&machine, &program, PROCESSES);
    let dir = machine.run_dirs().pop().expect("there is a run");
    let entries = std::fs::read_dir(&dir).expect("it can be listed").map(|entry| entry.expect("it is there"));
    let sockets: Vec<_> = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket())).collect();
    assert_eq!(sockets.len(), 3, "two workers' and the run's own: {sockets:?}");
    // Each of these alone keeps others out.
    let open =
        |path: &Path| std::fs::set_permissions(path, Permissions::from_mode(0o777)).expect("it is the test's own");
    dir.ancestors().take(3).for_each(open);
    let closed = |dir: &&Path| dir.metadata().expect("it is there").permissions().mode() & 0o001 == 0;
    if let Some(closed) = dir.ancestors().skip(3).find(closed) {
        end(going);
        return eprintln!("skipped: nobody else gets past {}", closed.display());
    }
    for socket in sockets.iter().map(DirEntry::path) {
        open(&socket);
        assert!(answers(&socket, 0), "{}", socket.display());
        assert!(!answers(&socket, 65534), "{}", socket.display());
    }
    end(going);
}
