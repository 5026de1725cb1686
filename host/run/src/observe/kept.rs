//! What is kept of a detached run when it has ended: its last lines and its end, as files of its directory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::end::RunEnd;
use super::log_line::LogLine;
use super::recent::RecentLines;
use crate::launch::RunDir;

/// The file with the end of the run. A directory that has it is that of a run that has ended and is kept.
pub(super) const END_FILE: &str = "end.json";

/// The file with its last lines: a [`Head`], then a line of JSON for each.
const LINES_FILE: &str = "lines.jsonl";

/// The first line of the file of lines.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The number of the first line that is kept, counted from the start of the run.
    first: u64,
}

/// Ends a run whose last lines and end stay in its directory. On a full disk its end is kept alone.
///
/// # Errors
/// If not even that can be written: nothing is kept then.
pub fn keep(dir: RunDir, end: &RunEnd, recent: &RecentLines) -> io::Result<()> {
    // What the run had there may be what fills the disk.
    dir.clear()?;
    if write_lines(&dir.path().join(LINES_FILE), recent).is_err() {
        let _ = std::fs::remove_file(dir.path().join(LINES_FILE));
    }
    let unfinished = dir.path().join("end.new");
    let mut file = File::create(&unfinished)?;
    file.write_all(&serde_json::to_vec(end)?)?;
    std::fs::rename(unfinished, dir.path().join(END_FILE))?;
    dir.leave();
    Ok(())
}

fn write_lines(path: &Path, recent: &RecentLines) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let (first, lines) = recent.all();
    serde_json::to_writer(&mut file, &Head { first })?;
    file.write_all(b"\n")?;
    for line in lines {
        serde_json::to_writer(&mut file, &*line)?;
        file.write_all(b"\n")?;
    }
    file.flush()
}

/// The end of the run in that directory, if it has ended and is kept.
pub(super) fn read_end(dir: &Path) -> Option<RunEnd> {
    serde_json::from_slice(&std::fs::read(dir.join(END_FILE)).ok()?).ok()
}

/// The last lines of a run that has ended.
pub struct KeptLines {
    /// How many lines came before them that are not kept.
    pub dropped: u64,
    lines: io::Lines<BufReader<File>>,
}

impl KeptLines {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let mut lines = BufReader::new(File::open(dir.join(LINES_FILE))?).lines();
        let head = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
        let Head { first } = serde_json::from_str(&head)?;
        Ok(Self { dropped: first, lines })
    }
}

impl Iterator for KeptLines {
    type Item = io::Result<LogLine>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.lines.next()?;
        Some(line.and_then(|line| serde_json::from_str(&line).map_err(io::Error::from)))
    }
}
