//! Runs that live, that have died, and that are kept, in directories of temporary files.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use lp_base::own_dir::{MARK, mark_text};
use lp_base::replica::LineSource;

use super::*;
use crate::observe::kept::keep;
use crate::observe::log_line::LogLine;
use crate::observe::recent::RecentLines;

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

#[test]
fn a_run_is_listed_while_its_directory_is_held() {
    let temp = temp();
    let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
    let run = registry.add("counting", &Scheduler::default()).expect("it can be added");
    let mode = std::fs::metadata(run.path()).expect("it is there").mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(registry.runs().expect("it can be listed"), [run.id().clone()]);
    drop(run);
    assert_eq!(registry.runs().expect("it can be listed"), []);
}

/// What a run leaves that was killed, below `root`.
fn dead_run(root: &Path, id: &str) -> PathBuf {
    let left = root.join(id);
    std::fs::create_dir_all(left.join("below")).expect("it can be made");
    std::fs::write(left.join(MARK), mark_text(&format!("run {id}"))).expect("it can be written");
    left
}

#[test]
fn what_a_dead_run_left_is_removed_with_all_that_is_in_it() {
    let temp = temp();
    let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
    let left = dead_run(&registry.root, "counting-2345");
    assert_eq!(registry.runs().expect("it can be listed"), []);
    assert!(!left.exists());
    let left = dead_run(&registry.root, "counting-2345");
    registry.reap(&RunId::parse("counting-2345").expect("it is an id")).expect("it has ended");
    assert!(!left.exists());
}

#[test]
fn whatever_else_is_there_stays_and_is_no_run() {
    let temp = temp();
    let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
    let root = &registry.root;
    let dead = dead_run(root, "dead-2345");
    // By its name it could be a run, by its mark it is the copy of one.
    std::fs::rename(dead_run(root, "first-2345"), root.join("copy-2345")).expect("it can be moved");
    let folders = ["docs", "src", ".git", "notes-2023", "older-2345", "shut-2345"];
    for name in folders {
        std::fs::create_dir(root.join(name)).expect("it can be made");
        std::fs::write(root.join(name).join("control.sock"), "theirs").expect("it can be written");
    }
    std::fs::set_permissions(root.join("shut-2345"), std::fs::Permissions::from_mode(0o000)).expect("it is ours");
    std::fs::write(root.join("file-2345"), "theirs").expect("it can be written");
    symlink("copy-2345", root.join("link-2345")).expect("it can be made");
    symlink("nowhere", root.join("lost-2345")).expect("it can be made");
    let before = names(root);
    for id in ["older-2345", "copy-2345", "shut-2345", "file-2345", "link-2345", "lost-2345", "none-2345"] {
        registry.reap(&RunId::parse(id).expect("it is an id")).expect("there is nothing to wait for");
    }
    assert_eq!(registry.runs().expect("it can be listed"), []);
    let run = registry.add("counting", &Scheduler::default()).expect("it can be added");
    assert_eq!(registry.runs().expect("it can be listed"), [run.id().clone()]);
    drop(run);
    assert!(!dead.exists());
    let left: Vec<_> = before.into_iter().filter(|name| name != "dead-2345").collect();
    assert_eq!(names(root), left);
    std::fs::set_permissions(root.join("shut-2345"), std::fs::Permissions::from_mode(0o700)).expect("it is ours");
    for name in folders {
        assert!(root.join(name).join("control.sock").exists(), "{name}");
    }
}

fn names(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root).expect("it can be listed");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_run_that_is_just_being_added_is_never_swept() {
    let temp = temp();
    let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
    let ended = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                registry.runs().expect("it can be listed");
            }
        });
        for _ in 0..200 {
            let run = registry.add("counting", &Scheduler::default()).expect("it can be added");
            assert!(run.path().join(MARK).exists());
            assert!(registry.runs().expect("it can be listed").contains(run.id()));
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert_eq!(names(&registry.root), [] as [&str; 0]);
}

#[test]
fn a_registry_that_others_can_reach_is_refused() {
    let refused = |prepare: &dyn Fn(&Path)| {
        let temp = temp();
        prepare(&temp.path().join("lp-host"));
        Registry::open(Some(temp.path()), Path::new("/nowhere")).expect_err("it is not private").to_string()
    };
    let open = refused(&|path| {
        std::fs::create_dir(path).expect("it can be made");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("it can be opened");
    });
    assert!(open.ends_with("is open to others"), "{open}");
    let link = refused(&|path| symlink("/", path).expect("it can be made"));
    assert!(link.ends_with("is no directory"), "{link}");
}

#[test]
fn a_directory_that_is_missing_or_too_long_is_passed_over() {
    let temp = temp();
    let registry = Registry::open(Some(Path::new("/nowhere")), temp.path()).expect("it can be made");
    assert!(registry.root.starts_with(temp.path()));
    let deep = temp.path().join("x".repeat(100));
    std::fs::create_dir(&deep).expect("it can be made");
    let registry = Registry::open(Some(&deep), temp.path()).expect("it can be made");
    assert_eq!(registry.root.parent(), Some(temp.path()));
    let registry = Registry::open(Some(&deep), &deep).expect("it can be made");
    assert_eq!(registry.root.parent(), Some(Path::new("/tmp")));
}

/// A run of `program` that has ended at a moment, and is kept.
fn finished(registry: &Registry, program: &str, ended_unix_s: u64) -> RunId {
    let run = registry.add(program, &Scheduler::default()).expect("it can be added");
    let id = run.id().clone();
    std::fs::write(run.path().join("plan.json"), "").expect("it can be written");
    let (program, table) = (program.to_owned(), "a table".to_owned());
    let end = RunEnd { program, exit_code: 3, ended_unix_s, table, report: serde_json::Value::Null };
    let recent = RecentLines::default();
    for text in ["one", "two"] {
        recent.push(LogLine { replica: "a/0".to_owned(), source: LineSource::Stdout, line: text.to_owned() });
    }
    keep(run, &end, &recent).expect("it can be written");
    id
}

fn at(unix_s: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s)
}

#[test]
fn a_detached_run_is_kept_for_a_day() {
    let temp = temp();
    let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
    let now = Scheduler::default().wall().duration_since(SystemTime::UNIX_EPOCH).expect("it is later").as_secs();
    let id = finished(&registry, "counting", now);
    assert_eq!(registry.runs().expect("it can be listed"), []);
    registry.reap(&id).expect("it has ended");
    let day = KEPT_TIME.as_secs();
    let [kept] = &registry.finished(at(now + day)).expect("it can be listed")[..] else { panic!("there is one") };
    assert_eq!((&kept.id, kept.end.exit_code, kept.end.table.as_str()), (&id, 3, "a table"));
    let lines = kept.lines().expect("they are there");
    assert_eq!(lines.dropped, 0);
    assert_eq!(lines.map(|line| line.expect("it is one").line).collect::<Vec<_>>(), ["one", "two"]);
    let dir = registry.run_dir(&id);
    assert_eq!(names(&dir), [MARK, "end.json", "lines.jsonl"]);
    // Without its lines, as when the disk was full, there is still its end.
    std::fs::remove_file(dir.join("lines.jsonl")).expect("it is there");
    assert!(registry.finished(at(now)).expect("it can be listed")[0].lines().is_err());
    assert!(registry.finished(at(now + day + 1)).expect("it can be listed").is_empty());
    assert!(!dir.exists());
}

#[test]
fn the_last_detached_runs_are_kept_and_nothing_of_anybody_else_is_removed() {
    let temp = temp();
    let registry = Registry::open(Some(temp.path()), Path::new("/nowhere")).expect("it can be made");
    let now = Scheduler::default().wall().duration_since(SystemTime::UNIX_EPOCH).expect("it is later").as_secs();
    let theirs = registry.root.join("theirs-2345");
    std::fs::create_dir(&theirs).expect("it can be made");
    std::fs::write(theirs.join(END_FILE), "theirs").expect("it can be written");
    let ids: Vec<_> = (0..=KEPT_MAX as u64).map(|second| finished(&registry, "counting", now + second)).collect();
    let kept: Vec<_> = registry.finished(at(now)).expect("it can be listed").into_iter().map(|run| run.id).collect();
    assert_eq!(kept, ids[1..]);
    assert!(!registry.run_dir(&ids[0]).exists());
    assert!(theirs.join(END_FILE).exists());
    // What can't be read is of no use to anybody.
    std::fs::write(registry.run_dir(&ids[1]).join(END_FILE), "torn").expect("it can be written");
    assert_eq!(registry.finished(at(now)).expect("it can be listed").len(), KEPT_MAX - 1);
    assert!(!registry.run_dir(&ids[1]).exists());
}
