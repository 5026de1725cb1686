//! Folders with marks that prove something, and with all that only looks like one.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

const PURPOSE: &str = "run counting-7k2f";

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory can be made")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("it can be written");
}

fn create(path: &Path) -> OwnDir {
    OwnDir::create(path, PURPOSE).expect("it can be made")
}

fn open(path: &Path) -> Option<OwnDir> {
    OwnDir::open(path, PURPOSE).expect("it can be looked at")
}

#[test]
fn a_folder_that_was_made_is_locked_recognised_and_deleted() {
    let temp = temp();
    let path = temp.path().join("own");
    let own = create(&path);
    assert_eq!(own.lock().metadata().expect("it is there").mode() & 0o777, 0o700);
    let found = open(&path).expect("it is marked");
    assert!(found.lock().try_lock().is_err());
    drop(own);
    found.lock().try_lock().expect("nobody holds it now");
    fs::create_dir_all(path.join("below/further")).expect("it can be made");
    write(&path.join("below/file"), "");
    found.remove().expect("it can be deleted");
    assert!(!path.exists());
    found.remove().expect("that it is gone is fine");
}

#[test]
fn nothing_that_is_there_is_made_ones_own() {
    let temp = temp();
    let path = temp.path().join("own");
    let check = |path: &Path| {
        let error = OwnDir::create(path, PURPOSE).expect_err("the name is taken");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    };
    write(&path, "a file");
    check(&path);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "a file");
    let empty = temp.path().join("empty");
    fs::create_dir(&empty).expect("it can be made");
    check(&empty);
    assert!(open(&empty).is_none());
    let link = temp.path().join("link");
    symlink("nowhere", &link).expect("it can be made");
    check(&link);
    for path in [path, empty, link] {
        let error = OwnDir::create_anew(&path, PURPOSE).expect_err("it is not ours");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(fs::symlink_metadata(&path).is_ok());
    }
}

#[test]
fn an_own_folder_makes_way_for_a_new_one() {
    let temp = temp();
    let path = temp.path().join("own");
    drop(create(&path));
    write(&path.join("file"), "");
    OwnDir::create_anew(&path, PURPOSE).expect("it is ours");
    assert!(open(&path).is_some() && !path.join("file").exists());
    OwnDir::create_anew(&path, "something else").expect_err("it was made for something else");
    OwnDir::create_anew(&temp.path().join("other"), PURPOSE).expect("there is none yet");
}

#[test]
fn what_only_looks_like_an_own_folder_is_none() {
    let temp = temp();
    let check = |name: &str, make: &dyn Fn(&Path)| {
        let path = temp.path().join(name);
        make(&path);
        assert!(open(&path).is_none(), "{name}");
    };
    let dir_with = |path: &Path, mark: &dyn Fn(&Path)| {
        fs::create_dir(path).expect("it can be made");
        mark(&path.join(MARK));
    };
    check("missing", &|_| {});
    check("file", &|path| write(path, &mark_text(PURPOSE)));
    check("unmarked", &|path| dir_with(path, &|_| {}));
    check("empty-mark", &|path| dir_with(path, &|mark| write(mark, "")));
    check("other-purpose", &|path| dir_with(path, &|mark| write(mark, &mark_text("run counting-7k2g"))));
    check("more-in-the-mark", &|path| dir_with(path, &|mark| write(mark, &format!("{}\n", mark_text(PURPOSE)))));
    check("long-mark", &|path| dir_with(path, &|mark| write(mark, &mark_text(PURPOSE).repeat(100))));
    check("mark-is-a-folder", &|path| dir_with(path, &|mark| fs::create_dir(mark).expect("it can be made")));
    write(&temp.path().join("mark"), &mark_text(PURPOSE));
    check("mark-is-a-link", &|path| dir_with(path, &|mark| symlink("../mark", mark).expect("it can be made")));
    check("mark-is-a-pipe", &|path| {
        dir_with(path, &|mark| {
            assert!(Command::new("mkfifo").arg(mark).status().expect("there is mkfifo").success());
        });
    });
    drop(create(&temp.path().join("own")));
    check("link", &|path| symlink("own", path).expect("it can be made"));
    assert!(open(&temp.path().join("own")).is_some());
    check("pipe", &|path| {
        assert!(Command::new("mkfifo").arg(path).status().expect("there is mkfifo").success());
    });
}

#[test]
fn links_are_deleted_but_nothing_that_they_lead_to() {
    let temp = temp();
    let (path, theirs) = (temp.path().join("own"), temp.path().join("theirs"));
    fs::create_dir(&theirs).expect("it can be made");
    write(&theirs.join("file"), "theirs");
    let own = create(&path);
    symlink(&theirs, path.join("folder")).expect("it can be made");
    symlink(theirs.join("file"), path.join("file")).expect("it can be made");
    fs::create_dir(path.join("below")).expect("it can be made");
    symlink(&theirs, path.join("below/folder")).expect("it can be made");
    own.remove().expect("it can be deleted");
    assert!(!path.exists());
    assert_eq!(fs::read_to_string(theirs.join("file")).expect("it is there"), "theirs");
}

#[test]
fn what_took_the_place_of_an_own_folder_stays() {
    let temp = temp();
    let path = temp.path().join("own");
    let own = create(&path);
    fs::rename(&path, temp.path().join("moved")).expect("it can be moved");
    fs::create_dir(&path).expect("it can be made");
    write(&path.join("file"), "theirs");
    own.remove().expect("there is nothing to do");
    assert_eq!(fs::read_to_string(path.join("file")).expect("it is there"), "theirs");
    assert!(temp.path().join("moved").join(MARK).exists());
    fs::remove_dir_all(&path).expect("it can be removed");
    symlink("moved", &path).expect("it can be made");
    own.remove().expect("there is nothing to do");
    assert!(temp.path().join("moved").join(MARK).exists());
}
