//! The directory of a run: the sockets that are there while it runs, for nobody but its user.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use lp_base::own_dir::OwnDir;
use lp_base::scheduler::Scheduler;

/// The longest name of a socket in a run's directory, with its ending.
pub const SOCKET_NAME_BYTES_MAX: usize = 24;

/// How much of a program's name is in the id of its run.
const PROGRAM_BYTES_MAX: usize = 16;

/// How many characters make the id of a run differ from others of the same program.
const SUFFIX_BYTES: usize = 4;

/// The characters of a suffix: none that is easily taken for another.
const SUFFIX_ALPHABET: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// The longest path of a Unix socket, which is kept in 108 bytes with a zero at its end.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// How often a free id is looked for: with half a million of them, a second attempt is rare.
const ATTEMPTS_MAX: usize = 100;

/// What a run is called by its users, such as `counting-7k2f`. It is the name of its directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// The longest id.
    pub const BYTES_MAX: usize = PROGRAM_BYTES_MAX + 1 + SUFFIX_BYTES;

    /// An id for a run of `program`, as good as sure to be its alone.
    pub fn new(program: &str, scheduler: &Scheduler) -> Self {
        Self::random(program, &mut scheduler.random("run id"))
    }

    fn random(program: &str, random: &mut fastrand::Rng) -> Self {
        // Names of programs are ASCII, so any cut of one is a string.
        let program = program[..program.len().min(PROGRAM_BYTES_MAX)].trim_end_matches('-');
        let letter = |_| char::from(SUFFIX_ALPHABET[random.usize(..SUFFIX_ALPHABET.len())]);
        let suffix: String = (0..SUFFIX_BYTES).map(letter).collect();
        Self(format!("{program}-{suffix}"))
    }

    /// The id that `text` is, if it has the form of one: the beginning of a program's name, and a suffix of four characters.
    pub fn parse(text: &str) -> Option<Self> {
        let (program, suffix) = text.rsplit_once('-')?;
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid = program.starts_with(|c: char| c.is_ascii_lowercase())
            && program.len() <= PROGRAM_BYTES_MAX
            && program.chars().all(is_plain)
            && !program.ends_with('-')
            && suffix.len() == SUFFIX_BYTES
            && suffix.bytes().all(|c| SUFFIX_ALPHABET.contains(&c));
        valid.then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The directory of a run of this process. Dropping it removes the directory with all that is in it, unless the run has ended
/// by [`RunDir::leave`].
///
/// It is locked as long as this lives, which is how others know that the run does. Its mark tells it apart from a folder
/// of the user's with such a name.
#[derive(Debug)]
pub struct RunDir {
    id: RunId,
    dir: OwnDir,
    /// Whether what is in it is for those who look at the run when it has ended.
    stays: bool,
}

impl RunDir {
    /// Makes the directory of a new run of `program` below `root`, with an id that nothing there has.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn create(root: &Path, program: &str, scheduler: &Scheduler) -> io::Result<Self> {
        let mut random = scheduler.random("run id");
        for _ in 0..ATTEMPTS_MAX {
            let id = RunId::random(program, &mut random);
            match OwnDir::create(&root.join(id.as_str()), &purpose(&id)) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => return Ok(Self { dir: made?, id, stays: false }),
            }
        }
        Err(io::Error::new(ErrorKind::AlreadyExists, "every id that was tried is taken"))
    }

    /// The directory of the run `id` below `root`, dead or alive; `None` if no lp-host made what is there, if anything is.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn find(root: &Path, id: &RunId) -> io::Result<Option<OwnDir>> {
        OwnDir::open(&root.join(id.as_str()), &purpose(id))
    }

    /// What the run is called.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// Where it is. The path of a socket in it is short enough.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Removes everything in it, such as the sockets of a run that has ended.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn clear(&self) -> io::Result<()> {
        self.dir.remove_all_but(&[])
    }

    /// Ends the run, and leaves its directory as it is.
    pub fn leave(mut self) {
        self.stays = true;
    }

    /// The path for the socket called `name` in it.
    ///
    /// # Panics
    ///
    /// If `name.sock` is longer than [`SOCKET_NAME_BYTES_MAX`].
    pub fn socket(&self, name: &str) -> PathBuf {
        socket_path(self.path(), name)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if !self.stays {
            // What is left over is removed by the guardian, or by the next run.
            let _ = self.dir.remove();
        }
    }
}

/// What the mark in a run's directory says that it is for. The id is part of it, so that a copy by another name is no run.
fn purpose(id: &RunId) -> String {
    format!("run {id}")
}

/// The path for the socket called `name` in the run directory `dir`.
///
/// # Panics
///
/// If `name.sock` is longer than [`SOCKET_NAME_BYTES_MAX`].
pub fn socket_path(dir: &Path, name: &str) -> PathBuf {
    let name = format!("{name}.sock");
    assert!(name.len() <= SOCKET_NAME_BYTES_MAX, "the name of a socket is as short as its path has to be: {name}");
    dir.join(name)
}

/// Whether the sockets of runs below `root` have paths that the system takes.
pub fn has_room_for_sockets(root: &Path) -> bool {
    root.as_os_str().len() + 1 + RunId::BYTES_MAX + 1 + SOCKET_NAME_BYTES_MAX <= SOCKET_PATH_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_begins_with_the_program_and_is_short() {
        for program in ["a", "counting", "a-name-that-is-a-good-deal-too-long", "cut-at-a-dash---x"] {
            let id = RunId::random(program, &mut fastrand::Rng::new());
            assert!(id.as_str().len() <= RunId::BYTES_MAX, "{id}");
            assert!(id.as_str().starts_with(&program[..program.len().min(14)]), "{id}");
            assert_eq!(RunId::parse(id.as_str()), Some(id));
        }
        let others = [
            "",
            "..",
            "a/b",
            ".git",
            "docs",
            "counting",
            "counting-7k2",
            "counting-7k2fg",
            "counting-7k2o",
            "counting-7K2f",
            "Counting-7k2f",
            "counting--7k2f",
            "-7k2f",
            "7-7k2f",
            "counting_7k2f",
            "a-name-that-is-lo-7k2f",
        ];
        for other in others {
            assert_eq!(RunId::parse(other), None, "{other}");
        }
        assert!(RunId::parse("a-name-that-is-l-7k2f").is_some());
    }

    #[test]
    fn the_longest_root_leaves_room_for_the_longest_socket() {
        let longest = PathBuf::from("/".to_owned() + &"x".repeat(59));
        assert!(has_room_for_sockets(&longest));
        assert!(!has_room_for_sockets(&longest.join("y")));
        let socket = socket_path(&longest.join("x".repeat(RunId::BYTES_MAX)), &"s".repeat(SOCKET_NAME_BYTES_MAX - 5));
        assert_eq!(socket.as_os_str().len(), SOCKET_PATH_BYTES_MAX);
    }
}
