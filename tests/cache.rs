//! The compile cache, through the real binary: shared by runs at once, and of no use to who changes it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::run::{Program, script};

/// A program of two components, and the cache that its runs use.
struct Cached {
    program: Program,
    temp: TempDir,
}

impl Cached {
    fn new() -> Self {
        let plain = "[nodes.plain]\nPLAIN\nhandles = { probe = 'plain' }\nrun = false\n";
        let program = Program::new(&(script("ASYNC", "'plain-echo:5'") + plain));
        Self { program, temp: tempfile::tempdir().expect("a temporary directory can be made") }
    }

    fn dir(&self) -> PathBuf {
        self.temp.path().join("cache")
    }

    fn command(&self) -> Command {
        let mut command = self.program.command();
        command.env("LP_HOST_CACHE", self.dir());
        command
    }

    /// Runs the program, which must work whatever is in the cache, and returns what it says.
    #[track_caller]
    fn run(&self) -> String {
        let output = self.command().output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "probe/0 │ 5\n", "{stderr}");
        assert!(output.status.success(), "{stderr}");
        stderr
    }

    /// The entries, by name.
    fn entries(&self) -> Vec<PathBuf> {
        let mut entries = self.files();
        entries.retain(|path| path.extension().is_some_and(|extension| extension == "cwasm"));
        entries
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir()).expect("it can be listed");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("the entry can be read").path()).collect();
        files.sort();
        files
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("it can be read")
}

#[test]
fn runs_at_once_share_a_cache_and_leave_it_whole() {
    let cached = Cached::new();
    let types = crate::host::LAUNCH_TYPES.iter().map(ToString::to_string);
    let started: Vec<_> = types
        .map(|launch_type| {
            let mut command = cached.command();
            command.args(["--launch-type", &launch_type]).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("the binary runs")
        })
        .collect();
    for child in started {
        let output = child.wait_with_output().expect("it can be waited for");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "probe/0 │ 5\n",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    // Two entries and the key, and nothing half written.
    assert_eq!((cached.entries().len(), cached.files().len()), (2, 3), "{:?}", cached.files());
    for file in cached.files() {
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[test]
fn an_entry_that_was_cut_changed_swapped_or_sealed_by_another_is_made_again() {
    let cached = Cached::new();
    cached.run();
    let entries = cached.entries();
    let [first, second] = &entries[..] else { panic!("there are two entries: {entries:?}") };
    let (whole, other) = (read(first), read(second));
    let other_cache = Cached::new();
    other_cache.run();
    let foreign = read(&other_cache.dir().join(first.file_name().expect("it has a name")));
    let flipped = |place: usize| {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        changed
    };
    let damaged = [
        Vec::new(),
        whole[..10].to_vec(),
        whole[..32].to_vec(),
        whole[..whole.len() - 1].to_vec(),
        [&whole[..], b"more"].concat(),
        flipped(0),
        flipped(40),
        flipped(whole.len() / 2),
        flipped(whole.len() - 1),
        other,
        foreign,
    ];
    for (case, damaged) in damaged.iter().enumerate() {
        assert_ne!(*damaged, whole, "case {case}");
        std::fs::write(first, damaged).expect("it can be written");
        cached.run();
        assert!(read(first) == whole, "case {case} was not made again");
    }
}

#[test]
fn a_cache_or_a_key_that_others_can_read_is_not_used() {
    let cached = Cached::new();
    cached.run();
    let entries = cached.entries();
    entries.iter().for_each(|entry| std::fs::remove_file(entry).expect("it can be removed"));
    for path in [cached.dir(), cached.dir().join("key")] {
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
        let private = if path.is_dir() { 0o700 } else { 0o600 };
        mode(private | 0o044);
        let stderr = cached.run();
        assert!(stderr.contains("is open to other users; `chmod -R go="), "{stderr}");
        assert_eq!(cached.entries(), Vec::<PathBuf>::new());
        mode(private);
    }
    cached.run();
    assert_eq!(cached.entries(), entries);
}

#[test]
fn a_key_that_was_lost_is_made_again_and_so_are_the_entries() {
    let cached = Cached::new();
    cached.run();
    let before = read(&cached.entries()[0]);
    std::fs::remove_file(cached.dir().join("key")).expect("it can be removed");
    cached.run();
    let after = read(&cached.entries()[0]);
    assert!(before[..32] != after[..32] && before[32..] == after[32..]);
}

#[test]
fn a_file_that_is_no_key_is_neither_used_nor_replaced() {
    let cached = Cached::new();
    cached.run();
    let before = read(&cached.entries()[0]);
    for text in ["", "short", "longer than the thirty-two bytes of a key"] {
        std::fs::write(cached.dir().join("key"), text).expect("it can be written");
        let stderr = cached.run();
        assert!(stderr.contains("key` is not a key of lp-host; delete it or move it away"), "{stderr}");
        assert_eq!(read(&cached.dir().join("key")), text.as_bytes());
        assert!(read(&cached.entries()[0]) == before);
    }
}

#[test]
fn a_cache_keeps_no_more_than_it_may() {
    let cached = Cached::new();
    cached.run();
    let sizes = || cached.entries().iter().map(|entry| read(entry).len()).sum::<usize>();
    let (both, entries) = (sizes(), cached.entries());
    entries.iter().for_each(|entry| std::fs::remove_file(entry).expect("it can be removed"));
    let run = |bytes_max: &str| {
        let output = cached.command().env("LP_HOST_CACHE_MAX", bytes_max).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
    };
    run(&format!("{both}B"));
    assert_eq!(cached.entries(), entries);
    entries.iter().for_each(|entry| std::fs::remove_file(entry).expect("it can be removed"));
    run(&format!("{}B", both - 1));
    assert_eq!(cached.entries().len(), 1);
    // A program runs where nothing can be kept, too.
    cached.entries().iter().for_each(|entry| std::fs::remove_file(entry).expect("it can be removed"));
    run("0B");
    assert_eq!((cached.entries().len(), cached.files().len()), (0, 1), "{:?}", cached.files());
    let output = cached.command().env("LP_HOST_CACHE_MAX", "2GB").output().expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("`LP_HOST_CACHE_MAX` is `2GB`, which is not a size"), "{stderr}");
}

#[test]
fn a_cache_is_shown_and_cleared() {
    let cached = Cached::new();
    let cache = |words: &[&str]| {
        let mut command = Command::new(crate::host::BINARY);
        command.arg("cache").args(words).env("LP_HOST_CACHE", cached.dir()).env_remove("LP_HOST_CACHE_MAX");
        let output = command.output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        (String::from_utf8_lossy(&output.stdout).into_owned(), stderr)
    };
    let json = |words: &[&str]| -> serde_json::Value {
        serde_json::from_str(&cache(&[words, &["--format", "json"]].concat()).0).expect("it is JSON")
    };
    assert_eq!(json(&[])["entries"], 0);
    assert!(!cached.dir().exists(), "looking at a cache makes none");
    cached.run();
    let bytes: usize = cached.entries().iter().map(|entry| read(entry).len()).sum();
    let shown = json(&[]);
    assert_eq!((&shown["entries"], &shown["bytes"]), (&2.into(), &bytes.into()));
    assert_eq!(shown["bytes_max"], 2_u64 << 30);
    let text = cache(&[]).0;
    assert!(text.contains("\ncompiled: 2 components\n") && text.ends_with(" of at most 2GiB\n"), "{text}");
    // What lp-host did not put there stays, whatever its name.
    let theirs = cached.dir().join("notes.cwasm");
    std::fs::write(&theirs, "theirs").expect("it can be written");
    let cleared = json(&["clear"]);
    assert_eq!((&cleared["entries_deleted"], &cleared["bytes_deleted"]), (&2.into(), &bytes.into()));
    assert_eq!(cached.files(), [cached.dir().join("key"), theirs]);
    assert!(cache(&["clear"]).1.contains("deleted 0 components (0 B)"));
    cached.run();
    assert_eq!(json(&[])["entries"], 2);
}
