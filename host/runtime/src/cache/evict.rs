//! How much a compile cache keeps: its entries by the time at which they were last used, and which of them go.
//!
//! Nothing else in the folder is looked at or deleted, whatever it is: an entry is a file of this user's with a name that
//! only lp-host gives.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::is_private;

/// How many bytes a compile cache keeps where nobody says otherwise: some fifty Python components, or a thousand in Rust.
pub const CACHE_BYTES_MAX: u64 = 2 << 30;

/// How exactly the time of last use is kept. An entry that was used a moment ago is not written to again.
const USE_EXACTNESS: Duration = Duration::from_secs(60);

/// The length of the digest that names an entry.
const DIGEST_CHARS: usize = 64;

/// What a compile cache keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheUsage {
    /// How many compiled components.
    pub entries: usize,
    /// Their size together.
    pub bytes: u64,
}

struct Entry {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// What is in `dir`.
pub(super) fn usage(dir: &Path) -> io::Result<CacheUsage> {
    let entries = entries(dir)?;
    Ok(CacheUsage { entries: entries.len(), bytes: entries.iter().map(|entry| entry.bytes).sum() })
}

/// Deletes the entries that were not used for the longest time until the rest has at most `bytes_max`, and returns what
/// was deleted. Of processes that do so at once, each deletes what the others have left.
pub(super) fn shrink(dir: &Path, bytes_max: u64) -> io::Result<CacheUsage> {
    let mut entries = entries(dir)?;
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.used));
    let (mut kept, mut deleted) = (0_u64, CacheUsage::default());
    for entry in entries {
        kept = kept.saturating_add(entry.bytes);
        if kept <= bytes_max {
            continue;
        }
        kept -= entry.bytes;
        match fs::remove_file(&entry.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => {
                removed?;
                deleted.entries += 1;
                deleted.bytes += entry.bytes;
            }
        }
    }
    Ok(deleted)
}

/// Notes that an entry is in use. A process that may only read the cache leaves that to the one that fills it.
pub(super) fn touch(path: &Path, now: SystemTime) {
    let is_recent = |used: SystemTime| now.duration_since(used).is_ok_and(|age| age < USE_EXACTNESS);
    let used = fs::metadata(path).and_then(|metadata| metadata.modified());
    if used.is_ok_and(|used| !is_recent(used)) {
        let _ = fs::File::options().append(true).open(path).and_then(|file| file.set_modified(now));
    }
}

fn entries(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // Of a link, the link itself is looked at.
        let Ok(metadata) = entry.metadata() else { continue };
        if is_entry(&entry.file_name().to_string_lossy()) && metadata.is_file() && is_private(&metadata) {
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            entries.push(Entry { path: entry.path(), bytes: metadata.len(), used });
        }
    }
    Ok(entries)
}

/// Whether a file has the name of an entry, or of one that is being written, or was when its process was killed.
fn is_entry(name: &str) -> bool {
    let Some((digest, rest)) = name.split_once('.') else { return false };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_temporary =
        |rest: &str| rest.split_once('-').is_some_and(|(pid, number)| is_number(pid) && is_number(number));
    let is_digest =
        digest.len() == DIGEST_CHARS && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_digest && (rest == "cwasm" || rest.strip_prefix("cwasm.").is_some_and(is_temporary))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{OpenOptionsExt, symlink};

    use super::*;

    fn digest(letter: char) -> String {
        letter.to_string().repeat(DIGEST_CHARS)
    }

    /// Writes a file of 100 bytes that was last used so many seconds after some time.
    fn write(dir: &Path, name: &str, mode: u32, used: u64) -> PathBuf {
        let path = dir.join(name);
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(mode).open(&path).expect("it can be made");
        file.set_len(100).expect("it can be written");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(used)).expect("its time can be set");
        path
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let temp = tempfile::tempdir().expect("a temporary directory can be made");
        let oldest = write(temp.path(), &format!("{}.cwasm", digest('a')), 0o600, 1);
        let newest = write(temp.path(), &format!("{}.cwasm", digest('b')), 0o600, 3);
        let left_over = write(temp.path(), &format!("{}.cwasm.12-0", digest('c')), 0o600, 2);
        assert_eq!(usage(temp.path()).expect("it can be listed"), CacheUsage { entries: 3, bytes: 300 });
        assert_eq!(shrink(temp.path(), 300).expect("it can be listed"), CacheUsage::default());
        assert_eq!(shrink(temp.path(), 299).expect("it can be listed"), CacheUsage { entries: 1, bytes: 100 });
        assert!(!oldest.exists() && newest.exists() && left_over.exists());
        touch(&newest, SystemTime::now());
        touch(&left_over, SystemTime::now());
        assert_eq!(shrink(temp.path(), 0).expect("it can be listed"), CacheUsage { entries: 2, bytes: 200 });
    }

    #[test]
    fn an_entry_in_use_is_newer_than_one_that_is_not() {
        let temp = tempfile::tempdir().expect("a temporary directory can be made");
        let used = write(temp.path(), &format!("{}.cwasm", digest('a')), 0o600, 1);
        let unused = write(temp.path(), &format!("{}.cwasm", digest('b')), 0o600, 2);
        touch(&used, SystemTime::now());
        shrink(temp.path(), 100).expect("it can be listed");
        assert!(used.exists() && !unused.exists());
    }

    #[test]
    fn what_is_no_entry_stays() {
        let temp = tempfile::tempdir().expect("a temporary directory can be made");
        let outside = tempfile::tempdir().expect("a temporary directory can be made");
        let theirs = write(outside.path(), "theirs", 0o600, 1);
        let link = temp.path().join(format!("{}.cwasm", digest('a')));
        symlink(&theirs, &link).expect("a link can be made");
        let folder = temp.path().join(format!("{}.cwasm", digest('b')));
        fs::create_dir_all(folder.join("below")).expect("it can be made");
        let mut files = vec![link, folder, theirs];
        files.push(write(temp.path(), &format!("{}.cwasm", digest('c')), 0o644, 1));
        let names = ["key", "notes.cwasm", "é.cwasm"].map(str::to_owned);
        let near = ["A", "ab"].map(|letter| format!("{}.cwasm", letter.repeat(DIGEST_CHARS)));
        let ends =
            ["cwasm.bak", "cwasm.1-", "cwasm.1-2-3", "wasm", "cwasm~"].map(|end| format!("{}.{end}", digest('d')));
        files.extend(names.iter().chain(&near).chain(&ends).map(|name| write(temp.path(), name, 0o600, 1)));
        assert_eq!(shrink(temp.path(), 0).expect("it can be listed"), CacheUsage::default());
        for file in files {
            assert!(fs::symlink_metadata(&file).is_ok(), "{} is gone", file.display());
        }
    }
}
