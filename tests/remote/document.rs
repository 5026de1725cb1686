//! The commands of docs/remote.md, as a user types them, on two machines and a third one that knew nothing of them before.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{Links, Net};
use crate::host;
use crate::run::Program;
use crate::runs::eventually;

/// A machine of a user who has `lp-host` in the `PATH`, and nothing of it at home.
struct Machine<'a> {
    net: &'a Net,
    end: usize,
    home: PathBuf,
    path: String,
}

impl Machine<'_> {
    /// What runs an `sh` here, to which the script is still to be given.
    fn sh(&self, script: &str) -> Command {
        let mut command = self.net.enter(self.end);
        command.args(["sh", "-c", script]).env_clear().current_dir(&self.home);
        command.env("HOME", &self.home).env("XDG_RUNTIME_DIR", &self.home).env("PATH", &self.path).env("USER", "ada");
        command
    }

    /// What commands print that succeed.
    #[track_caller]
    fn type_in(&self, script: &str) -> (String, String) {
        let output = self.sh(&format!("set -e\n{script}")).output().expect("sh runs");
        let text = |bytes| String::from_utf8(bytes).expect("it is UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{script}\n{stdout}{stderr}");
        (stdout, stderr)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.join("log")).unwrap_or_default()
    }
}

/// Commands that go on in the end, and end with this.
struct GoesOn(Child);

impl GoesOn {
    /// Starts them, and gives the first line that they print.
    fn start(machine: &Machine<'_>, script: &str) -> (Self, String) {
        // They end with this process, whatever becomes of that.
        let mut command = machine.sh("exec 3<&0; setsid sh -c \"$1\" </dev/null & read -r _ <&3; kill -- -$!; wait");
        let log = fs::File::create(machine.home.join("log")).expect("it can be made");
        command.args(["sh", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("sh runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it can be read");
        (Self(child), line.trim_end().to_owned())
    }
}

impl Drop for GoesOn {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The blocks of code in a section of a document: their language, and their text.
fn blocks(document: &str, section: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(host::root().join("docs").join(document)).expect("it is there");
    let start = text.find(&format!("\n## {section}\n")).expect("it has the section") + 1;
    let section = text[start..].split("\n## ").next().unwrap_or_default();
    let blocks = section.split("\n```").skip(1).step_by(2);
    blocks
        .map(|block| block.split_once('\n').expect("it has a first line"))
        .map(|(language, text)| (language.to_owned(), text.to_owned()))
        .collect()
}

#[test]
fn the_commands_of_the_document_lead_from_nothing_to_a_program_on_two_machines() {
    let Some(net) = Net::new(2, Links::Good) else {
        return eprintln!("skipped: the machine has no network namespaces");
    };
    let blocks = blocks("remote.md", "Two machines in five minutes");
    let blocks: Vec<_> = blocks.iter().map(|(language, text)| (language.as_str(), text.as_str())).collect();
    let [("sh", agent), ("sh", identity), ("sh", known), ("toml", hosts), ("sh", run)] = blocks[..] else {
        panic!("the document has other blocks: {blocks:?}")
    };
    let dir = TempDir::new().expect("a temporary directory can be made");
    std::os::unix::fs::symlink(host::BINARY, dir.path().join("lp-host")).expect("it can be made");
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap_or_default());
    let machines = ["first", "second", "own"].map(|name| dir.path().join(name));
    let machines: Vec<_> = machines
        .into_iter()
        .enumerate()
        .map(|(end, home)| {
            fs::create_dir(&home).expect("it can be made");
            Machine { net: &net, end, home, path: path.clone() }
        })
        .collect();
    let [first, second, own] = &machines[..] else { unreachable!("they are three") };

    let (_agents, fingerprints): (Vec<_>, Vec<_>) =
        [first, second].map(|machine| GoesOn::start(machine, agent)).into_iter().unzip();
    for machine in [first, second] {
        eventually("the agent says that it serves nobody yet", || machine.log().contains("nobody may use it yet"));
        assert!(machine.log().contains("listening at 0.0.0.0:7411"), "{}", machine.log());
    }
    let (line, _) = own.type_in(identity);
    for machine in [first, second] {
        machine.type_in(&known.replace("SHA256:… ada@laptop", line.trim_end()));
    }
    let mut parts = hosts.split("SHA256:…");
    let hosts = [parts.next(), Some(&fingerprints[0]), parts.next(), Some(&fingerprints[1]), parts.next()];
    let hosts: String = hosts.map(|part| part.expect("it has two fingerprints")).concat();
    let hosts = hosts.replace("10.0.0.1", &Net::address(0)).replace("10.0.0.2", &Net::address(1));
    fs::write(own.home.join("hosts.toml"), hosts).expect("it can be written");
    let program = Program::new("[nodes.a]\nASYNC\nhandles = { probe = 'a' }\nreplicas = 2\nargs = ['print:up']\n");
    fs::copy(program.path(), own.home.join("program.toml")).expect("it can be copied");

    let (stdout, stderr) = own.type_in(run);
    let [_, a, b, lines @ ..] = &stdout.lines().collect::<Vec<_>>()[..] else { panic!("{stdout}{stderr}") };
    let words = |line: &str| line.split_whitespace().take(3).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!([words(a), words(b)], [["a/0", "a", "a/0"], ["a/1", "b", "a/1"]], "{stdout}");
    let mut lines = lines.to_vec();
    lines.sort_unstable();
    assert_eq!(lines, ["a/0 │ up", "a/1 │ up"], "{stdout}{stderr}");
}
