//! Checkpoints that are written, read, damaged and left behind.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use lp_base::scheduler::Scheduler;

use super::{chunk, fifo, item, item_of, tables};
use crate::checkpoint::{self, CheckpointError, Checkpointer, Configuration, NotRestored, Stored};
use crate::service::Service;
use crate::table::{Counts, Gauge, LimiterSpec, SelectorKind, Table, TableSpec};

fn specs() -> Vec<TableSpec> {
    let sampler = SelectorKind::Prioritized { exponent: 0.5 };
    let first = TableSpec { sampler, signature: Some(b"\x0a\x00".as_slice().into()), ..fifo("a", 100) };
    vec![first, TableSpec { limiter: LimiterSpec::queue(3), ..fifo("b", 3) }]
}

fn service(tables: Vec<Table>) -> Service {
    Service::new(tables, Gauge::default(), Scheduler::default()).unwrap()
}

/// A service with items in both tables, some of which share a chunk.
async fn filled() -> Service {
    let service = service(tables(&specs()));
    let gauge = service.gauge().clone();
    let shared = chunk(1000, 5000, &gauge);
    for key in 0..20 {
        let chunks = [shared.clone(), chunk(key, 100, &gauge)];
        service.insert("a", item_of(key, &chunks), key as f64, None).await.unwrap();
    }
    service.sample("a", 3, None).await.unwrap();
    service.insert("b", item(u64::MAX - 1, &gauge), -2.5, None).await.unwrap();
    service.insert("b", item_of(7, &[shared]), 1.0, None).await.unwrap();
    service
}

/// All that a table is, as text: `Debug` of a float is exact.
fn shown(service: &Service) -> Vec<String> {
    let mut shown = Vec::new();
    for table in service.each_table() {
        let (mut items, mut saved) = (Vec::new(), None);
        table.with(|table, removed| {
            saved = Some(table.begin_snapshot());
            while table.save_some(3, &mut items, removed) {}
        });
        items.sort_by_key(|item| item.sequence);
        shown.push(format!("{saved:?}"));
        for item in &items {
            let chunks: Vec<_> = item.item.chunks().iter().map(|chunk| chunk.message()).collect();
            let (key, trajectory) = (item.item.key(), item.item.trajectory());
            let rest = (item.priority, item.times_sampled, item.inserted_at);
            shown.push(format!("{key:?} {trajectory:?} {chunks:?} {rest:?}"));
        }
    }
    shown
}

fn checkpointer(service: &Service, folder: &Path, keep: usize) -> Checkpointer {
    Checkpointer::new(service.clone(), folder.to_owned(), NonZeroUsize::new(keep).unwrap())
}

fn load(folder: &Path) -> (Option<Stored>, Vec<(PathBuf, String)>) {
    let (stored, refused) = checkpoint::last(folder, &Gauge::default()).unwrap();
    (stored, refused.into_iter().map(|refused| (refused.path, refused.error.to_string())).collect())
}

fn restored(stored: Stored) -> Service {
    service(checkpoint::restore(specs(), stored, Configuration::Stored).unwrap().tables)
}

#[tokio::test]
async fn what_is_loaded_is_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let service = filled().await;
    let before = shown(&service);
    let path = checkpointer(&service, folder.path(), 1).write().await.unwrap();
    assert_eq!(shown(&service), before, "writing changes nothing");
    let (stored, refused) = load(folder.path());
    let stored = stored.unwrap();
    assert_eq!((&stored.path, refused.len(), stored.chunks), (&path, 0, 22));
    assert_eq!(shown(&restored(stored)), before);
}

#[tokio::test]
async fn tables_go_on_while_a_checkpoint_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let service = filled().await;
    let before = shown(&service);
    let table = service.each_table().next().unwrap();
    // As the writer does it, with changes between its steps.
    let (mut items, mut steps) = (Vec::new(), 0);
    table.with(|table, _| Table::begin_snapshot(table));
    while table.with(|table, removed| table.save_some(4, &mut items, removed)) {
        service.mutate("a", &[(crate::table::ItemKey(steps), 77.0)], &[crate::table::ItemKey(19 - steps)]).unwrap();
        service.insert("a", item(100 + steps, service.gauge()), 1.0, None).await.unwrap();
        steps += 1;
    }
    items.sort_by_key(|item| item.sequence);
    assert!(steps > 2 && items.iter().map(|item| item.item.key().0).eq(0..20));
    assert!(items.iter().all(|item| item.priority == item.item.key().0 as f64));
    assert_ne!(shown(&service), before);
    checkpointer(&service, folder.path(), 1).write().await.unwrap();
    assert_eq!(shown(&restored(load(folder.path()).0.unwrap())), shown(&service));
}

/// Damages one byte or the length of a file.
fn damage(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_checkpoint_is_refused_and_the_one_before_is_used() {
    let service = filled().await;
    let before = shown(&service);
    let names = ["tables.tfrecord", "items.tfrecord", "chunks.tfrecord"];
    for name in names {
        for at in 0..40 {
            let folder = tempfile::tempdir().unwrap();
            let writer = checkpointer(&service, folder.path(), 5);
            let (first, second) = (writer.write().await.unwrap(), writer.write().await.unwrap());
            damage(&second.join(name), |bytes| match at {
                0..20 => bytes.truncate(bytes.len() * at / 20),
                _ => {
                    let place = bytes.len() * (at - 20) / 20;
                    bytes[place] ^= 0x10;
                }
            });
            let (stored, refused) = load(folder.path());
            let stored = stored.expect("one of both is whole");
            if stored.path == second {
                // Compressed data may say the same in two ways.
                assert_eq!(shown(&restored(stored)), before, "{name} {at}");
                continue;
            }
            assert_eq!((stored.path, refused.len()), (first, 1), "{name} {at}");
            assert!(refused[0].0 == second && refused[0].1.starts_with(name), "{refused:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = checkpointer(&service, folder.path(), 5).write().await.unwrap();
        fs::remove_file(path.join(name)).unwrap();
        let (stored, refused) = load(folder.path());
        assert!(stored.is_none() && refused.len() == 1);
    }
}

#[tokio::test]
async fn only_checkpoints_are_deleted_and_only_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, files: &[&str]| {
        fs::create_dir(folder.path().join(name)).unwrap();
        for file in files {
            fs::write(folder.path().join(name).join(file), "").unwrap();
        }
    };
    make("zzz", &["note"]);
    make("2020-01-01T00:00:00+00:00", &["DONE", "note"]);
    make("2020-01-01T00:00:01+00:00", &["tables.tfrecord"]);
    make("2020-01-01T00:00:02+00:00", &["DONE", "tables.tfrecord"]);
    make(".lp-replay-2020-01-01T00:00:03+00:00", &["tables.tfrecord"]);
    make(".lp-replay-mine", &["tables.tfrecord"]);
    let service = filled().await;
    let writer = checkpointer(&service, folder.path(), 2);
    let mut paths = Vec::new();
    for _ in 0..4 {
        paths.push(writer.write().await.unwrap());
    }
    assert!(paths.is_sorted());
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    let mut expected =
        [".lp-replay-mine", ".lp-replay.lock", "2020-01-01T00:00:00+00:00", "2020-01-01T00:00:01+00:00", "zzz"]
            .map(std::ffi::OsString::from)
            .to_vec();
    expected.extend(paths[2..].iter().map(|path| path.file_name().unwrap().to_owned()));
    expected.sort();
    assert_eq!(left, expected);
    assert!(folder.path().join("zzz/note").exists());
}

#[tokio::test]
async fn a_name_comes_after_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let future = "2999-12-31T23:59:59.999999999+00:00";
    fs::create_dir(folder.path().join(future)).unwrap();
    let path = checkpointer(&filled().await, folder.path(), 1).write().await.unwrap();
    assert_eq!(path.file_name().unwrap(), "3000-01-01T00:00:00.000000999+00:00");
    assert_eq!(load(folder.path()).0.unwrap().path, path);
}

#[tokio::test]
async fn one_server_writes_to_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let lock = fs::File::create(folder.path().join(".lp-replay.lock")).unwrap();
    lock.lock().unwrap();
    let writer = checkpointer(&filled().await, folder.path(), 1);
    assert!(matches!(writer.write().await, Err(CheckpointError::Busy(_))));
    drop(lock);
    writer.write().await.unwrap();
}

#[tokio::test]
async fn chunks_that_were_sent_again_are_one_and_others_of_the_same_key_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(tables(&specs()));
    let gauge = service.gauge().clone();
    service.insert("a", item_of(1, &[chunk(5, 10, &gauge)]), 1.0, None).await.unwrap();
    service.insert("a", item_of(2, &[chunk(5, 10, &gauge)]), 1.0, None).await.unwrap();
    let writer = checkpointer(&service, folder.path(), 1);
    writer.write().await.unwrap();
    assert_eq!(load(folder.path()).0.unwrap().chunks, 1);
    service.insert("a", item_of(3, &[chunk(5, 11, &gauge)]), 1.0, None).await.unwrap();
    assert!(matches!(writer.write().await, Err(CheckpointError::SameKey(key)) if key.0 == 5));
    assert_eq!(load(folder.path()).0.unwrap().chunks, 1, "the one before is still there");
}

#[tokio::test]
async fn the_program_may_have_its_way_and_what_differs_is_said() {
    let folder = tempfile::tempdir().unwrap();
    checkpointer(&filled().await, folder.path(), 1).write().await.unwrap();
    let stored = || load(folder.path()).0.unwrap();
    let mut given = specs();
    given[0].max_size = 50;
    given[1].sampler = SelectorKind::Lifo;
    given.push(fifo("c", 1));
    for (configuration, size) in [(Configuration::Stored, 100), (Configuration::Given, 50)] {
        let restored = checkpoint::restore(given.clone(), stored(), configuration).unwrap();
        assert_eq!(restored.tables[0].spec().max_size, size);
        assert_eq!(restored.tables.iter().map(Table::len).collect::<Vec<_>>(), [20, 2, 0]);
        let counts = Counts { inserts: 20, samples: 3, deletes: 0 };
        assert_eq!(restored.tables[0].info().counts, counts);
        let differences: Vec<_> = restored
            .differences
            .iter()
            .map(|it| format!("{} {} {} {}", it.table, it.setting, it.stored, it.given))
            .collect();
        assert_eq!(differences, ["a max_size 100 50", "b sampler Fifo Lifo"]);
    }
    given[0].max_size = 19;
    let refused = checkpoint::restore(given.clone(), stored(), Configuration::Given).unwrap_err();
    assert_eq!(refused.to_string(), "table `a`: there are more items than the table's max_size (19)");
    given.remove(0);
    let refused = checkpoint::restore(given, stored(), Configuration::Stored).unwrap_err();
    assert!(matches!(refused, NotRestored::NoTable(name) if name == "a"));
}
