//! The folder that checkpoints are in, with whatever else is there, which is left alone.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::{CHUNKS, CheckpointError, DONE, ITEMS, TABLES};

/// What the names of folders begin with that are on their way to a checkpoint, or from one to nothing.
const UNFINISHED: &str = ".lp-replay-";

/// Held locked by the process that writes.
const LOCK: &str = ".lp-replay.lock";

/// A checkpoint that can't be used.
#[derive(Debug)]
pub struct Refused {
    /// Its folder.
    pub path: PathBuf,
    /// Why.
    pub error: CheckpointError,
}

/// The folder, while this process alone writes to it.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        fs::create_dir_all(path).map_err(CheckpointError::io(path))?;
        let lock_path = path.join(LOCK);
        let lock = File::create(&lock_path).map_err(CheckpointError::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(CheckpointError::Busy(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(CheckpointError::io(&lock_path)(error)),
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Has `fill` write the files of a checkpoint, which is named for that time since 1970, and returns its path.
    pub fn write(
        &self,
        nanos: u128,
        fill: impl FnOnce(&Path) -> Result<(), CheckpointError>,
    ) -> Result<PathBuf, CheckpointError> {
        // Of writers that were killed: nobody else writes.
        for name in names(&self.path)?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            self.delete(name)?;
        }
        let name = self.name(nanos)?;
        let (unfinished, path) = (self.path.join(format!("{UNFINISHED}{name}")), self.path.join(&name));
        fs::create_dir(&unfinished).map_err(CheckpointError::io(&unfinished))?;
        let filled = fill(&unfinished).and_then(|()| {
            let done = unfinished.join(DONE);
            File::create_new(&done).and_then(|file| file.sync_all()).map_err(CheckpointError::io(&done))?;
            sync(&unfinished)?;
            fs::rename(&unfinished, &path).map_err(CheckpointError::io(&path))?;
            sync(&self.path)
        });
        if filled.is_err() {
            // The reason for that is told; what is left is deleted by the next one.
            let _ = self.delete(&format!("{UNFINISHED}{name}"));
        }
        filled.map(|()| path)
    }

    /// A name after those of all checkpoints that are there, even if the clock has been set back.
    fn name(&self, nanos: u128) -> Result<String, CheckpointError> {
        let mut nanos = i128::try_from(nanos).unwrap_or(i128::MAX);
        let last = names(&self.path)?.into_iter().filter(|name| is_date(name)).max();
        loop {
            let name = date(nanos);
            match &last {
                Some(last) if *last >= name => nanos = nanos_of(last).map_or(nanos, |last| last.max(nanos)) + 1_000,
                _ => return Ok(name),
            }
        }
    }

    /// Deletes all checkpoints but the last ones. Those with other files in them stay, and so does what is no checkpoint.
    pub fn keep_last(&self, count: usize) -> Result<(), CheckpointError> {
        let mut checkpoints: Vec<_> = names(&self.path)?
            .into_iter()
            .filter(|name| is_date(name) && self.path.join(name).join(DONE).exists())
            .collect();
        checkpoints.sort_unstable();
        let old = checkpoints.len().saturating_sub(count);
        for name in &checkpoints[..old] {
            let path = self.path.join(name);
            if !names(&path)?.iter().all(|file| [TABLES, ITEMS, CHUNKS, DONE].contains(&file.as_str())) {
                continue;
            }
            let unfinished = format!("{UNFINISHED}{name}");
            fs::rename(&path, self.path.join(&unfinished)).map_err(CheckpointError::io(&path))?;
            self.delete(&unfinished)?;
        }
        Ok(())
    }

    /// Deletes a folder of ours that is no checkpoint: its known files, and itself if it has no others.
    fn delete(&self, name: &str) -> Result<(), CheckpointError> {
        let dir = self.path.join(name);
        if !is_date(name.trim_start_matches(UNFINISHED)) || !dir.is_dir() {
            return Ok(());
        }
        for file in [DONE, TABLES, ITEMS, CHUNKS] {
            let path = dir.join(file);
            if path.exists() {
                fs::remove_file(&path).map_err(CheckpointError::io(&path))?;
            }
        }
        // It stays if somebody has put something there.
        let _ = fs::remove_dir(&dir);
        Ok(())
    }
}

/// The last checkpoint that `read` can read, and those after it that it can't.
pub(super) fn last<T>(
    folder: &Path,
    read: impl Fn(&Path) -> Result<T, CheckpointError>,
) -> Result<(Option<T>, Vec<Refused>), CheckpointError> {
    let mut refused = Vec::new();
    if !folder.exists() {
        return Ok((None, refused));
    }
    // Any name will do, as it does for the original: people rename what they want to keep.
    let mut names = names(folder)?;
    names.retain(|name| !name.starts_with('.') && folder.join(name).join(DONE).exists());
    names.sort_unstable();
    for name in names.iter().rev() {
        let path = folder.join(name);
        match read(&path) {
            Ok(checkpoint) => return Ok((Some(checkpoint), refused)),
            Err(error) => refused.push(Refused { path, error }),
        }
    }
    Ok((None, refused))
}

/// The names of what a folder has, as far as they are text.
fn names(folder: &Path) -> Result<Vec<String>, CheckpointError> {
    let entries = fs::read_dir(folder).map_err(CheckpointError::io(folder))?;
    let names = entries.map(|entry| Ok(entry?.file_name().into_string().ok()));
    let names: std::io::Result<Vec<_>> = names.collect();
    Ok(names.map_err(CheckpointError::io(folder))?.into_iter().flatten().collect())
}

fn sync(folder: &Path) -> Result<(), CheckpointError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(CheckpointError::io(folder))
}

/// A time since 1970 as the original writes it, in UTC: `2026-11-23T00:00:50.951115385+00:00`, without zeros at the end of the
/// fraction.
fn date(nanos: i128) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    let (hour, minute, second) = time.to_hms();
    let fraction = format!(".{:09}", time.nanosecond());
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}+00:00")
}

/// Whether a name has the form of [`date`], in whatever zone.
fn is_date(name: &str) -> bool {
    let Some((start, rest)) = name.split_at_checked(19) else { return false };
    let fits = |text: &str, form: &str| {
        let char_fits = |(c, form): (char, char)| if form == '0' { c.is_ascii_digit() } else { c == form };
        text.len() == form.len() && text.chars().zip(form.chars()).all(char_fits)
    };
    let Some(zone) = rest.find(['+', '-']) else { return false };
    let (fraction, zone) = rest.split_at(zone);
    let is_fraction = fraction.strip_prefix('.').is_some_and(|digits| fits(digits, &"0".repeat(digits.len().max(1))));
    fits(start, "0000-00-00T00:00:00") && (fraction.is_empty() || is_fraction) && fits(&zone[1..], "00:00")
}

/// The time since 1970 that a name says, whatever its zone: to come after it by name is what matters.
fn nanos_of(name: &str) -> Option<i128> {
    let number = |range: std::ops::Range<usize>| name.get(range)?.parse::<u32>().ok();
    let month = time::Month::try_from(u8::try_from(number(5..7)?).ok()?).ok()?;
    let day = u8::try_from(number(8..10)?).ok()?;
    let date = time::Date::from_calendar_date(i32::try_from(number(0..4)?).ok()?, month, day).ok()?;
    let part = |range: std::ops::Range<usize>| number(range).and_then(|value| u8::try_from(value).ok());
    let time = time::Time::from_hms(part(11..13)?, part(14..16)?, part(17..19)?).ok()?;
    let fraction: String =
        name[19..].strip_prefix('.').unwrap_or("").chars().take_while(char::is_ascii_digit).collect();
    let fraction = format!("{fraction:0<9}");
    let nanos: i128 = fraction.get(..9)?.parse().ok()?;
    Some(date.with_time(time).assume_utc().unix_timestamp_nanos() + nanos)
}

#[cfg(test)]
mod tests {
    use super::{date, is_date, nanos_of};

    #[test]
    fn names_are_those_of_the_original_and_read_back() {
        for (nanos, name) in [
            (1_795_392_050_951_115_385, "2026-11-23T00:00:50.951115385+00:00"),
            (1_795_392_050_950_000_000, "2026-11-23T00:00:50.95+00:00"),
            (1_795_392_050_000_000_000, "2026-11-23T00:00:50+00:00"),
        ] {
            assert_eq!(date(nanos), name);
            assert!(is_date(name));
            assert_eq!(nanos_of(name), Some(nanos));
        }
        assert!(is_date("2026-11-23T00:00:50.9-08:30"));
        for name in
            ["zzz", "2026-11-23", "2026-11-23T00:00:50", "2026-11-23T00:00:50.+00:00", "2026-11-23T00:00:50+00:00x"]
        {
            assert!(!is_date(name), "{name}");
        }
    }
}
