//! What is known of a file, and whether two are one.

use wasip3::clocks::system_clock::Instant;
use wasip3::filesystem::types::{
    Descriptor, DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue, NewTimestamp, PathFlags,
};

use super::{Dir, FOLLOW, leads_nowhere, leads_out, no_follow};

pub async fn is_same_object(dir: &Dir) {
    is!(dir.link("a.txt", dir, "c").await, Ok(()));
    let mut opened = Vec::new();
    for path in [".", "a.txt", "b.txt", "c"] {
        opened.push(dir.open(path).await.expect("it is there"));
    }
    for (n, one) in opened.iter().enumerate() {
        for (m, other) in opened.iter().enumerate() {
            let same = n == m || n % 2 == 1 && m % 2 == 1;
            assert_eq!(one.is_same_object(other).await, same, "{n} and {m}");
        }
    }
    assert!(dir.0.is_same_object(&opened[0]).await);
}

pub async fn metadata_hash(dir: &Dir) {
    let child = dir.make_child("child").await;
    is!(dir.link("a.txt", &child, "link").await, Ok(()));
    let (a, b) = (dir.open("a.txt").await.expect("it is there"), dir.open("b.txt").await.expect("it is there"));
    let link = child.open("link").await.expect("it is there");
    let (of_a, of_b) = (hash(&a).await, hash(&b).await);
    assert_eq!(of_a, hash(&a).await);
    assert_eq!(of_a, hash(&link).await);
    assert_ne!(of_a, of_b);
    assert_ne!(hash(&dir.0).await, of_a);
    for flags in [no_follow(), FOLLOW] {
        assert_eq!(hash_at(dir, flags, "a.txt").await, of_a);
        assert_eq!(hash_at(&child, flags, "link").await, of_a);
        assert_eq!(hash_at(dir, flags, "b.txt").await, of_b);
        assert_eq!(hash_at(dir, flags, ".").await, hash(&dir.0).await);
    }
    leads_nowhere(dir.0.metadata_hash_at(no_follow(), String::new()).await);
    for outside in ["/", "/etc/passwd", "/does-not-exist"] {
        leads_out(dir.0.metadata_hash_at(no_follow(), outside.to_owned()).await);
    }
}

async fn hash(file: &Descriptor) -> (u64, u64) {
    let MetadataHashValue { lower, upper } = file.metadata_hash().await.expect("it has one");
    (lower, upper)
}

async fn hash_at(dir: &Dir, flags: PathFlags, path: &str) -> (u64, u64) {
    let hash = dir.0.metadata_hash_at(flags, path.to_owned()).await;
    let MetadataHashValue { lower, upper } = hash.expect("it has one");
    (lower, upper)
}

pub async fn stat(dir: &Dir) {
    dir.make_link_to_parent().await;
    let at = async |flags, path: &str| dir.0.stat_at(flags, path.to_owned()).await;
    let file = dir.open("a.txt").await.expect("it is there");
    looks_right(&dir.0.stat().await, &DescriptorType::Directory);
    looks_right(&file.stat().await, &DescriptorType::RegularFile);
    looks_right(&at(no_follow(), "b.txt").await, &DescriptorType::RegularFile);
    looks_right(&at(no_follow(), "parent").await, &DescriptorType::SymbolicLink);
    let (whole, at_dot) = (dir.0.stat().await, at(no_follow(), ".").await);
    assert_eq!(format!("{whole:?}"), format!("{at_dot:?}"));
    for path in ["z.txt", "."] {
        is!(file.stat_at(no_follow(), path.to_owned()).await, Err(ErrorCode::NotDirectory));
    }
    leads_nowhere(at(no_follow(), "").await);
    leads_nowhere(at(no_follow(), "z.txt").await);
    for outside in ["..", "/", "/etc/passwd", "parent", "parent/test"] {
        leads_out(at(FOLLOW, outside).await);
    }
    set_times(dir, &file).await;
}

fn looks_right(stat: &Result<DescriptorStat, ErrorCode>, ty: &DescriptorType) {
    let stat = stat.as_ref().expect("it is there");
    assert_eq!(format!("{:?}", stat.type_), format!("{ty:?}"));
    let times = [stat.data_access_timestamp, stat.data_modification_timestamp, stat.status_change_timestamp];
    assert!(times.into_iter().flatten().all(|time| time.nanoseconds < 1_000_000_000));
}

async fn set_times(dir: &Dir, file: &Descriptor) {
    let [read, changed] = [42, 69].map(|seconds| Instant { seconds, nanoseconds: 0 });
    let set = async |flags, path: &str| {
        let (read, changed) = (NewTimestamp::Timestamp(read), NewTimestamp::Timestamp(changed));
        dir.0.set_times_at(flags, path.to_owned(), read, changed).await
    };
    leads_nowhere(set(no_follow(), "z.txt").await);
    leads_nowhere(set(FOLLOW, "").await);
    for outside in ["/", "..", "../foo", "parent", "parent/foo"] {
        leads_out(set(FOLLOW, outside).await);
    }
    let times = async || {
        let stat = file.stat().await.expect("it is there");
        let times = [stat.data_access_timestamp, stat.data_modification_timestamp];
        times.map(|time| time.map(|time| (time.seconds, time.nanoseconds)))
    };
    let before = times().await;
    is!(set(no_follow(), "a.txt").await, Ok(()));
    assert_eq!(times().await, [Some((42, 0)), Some((69, 0))]);
    let [was_read, was_changed] = before.map(|time| {
        let (seconds, nanoseconds) = time.expect("the system keeps times");
        NewTimestamp::Timestamp(Instant { seconds, nanoseconds })
    });
    // A descriptor for reading may be refused; the suite allows that.
    match file.set_times(was_read, was_changed).await {
        Ok(()) => assert_eq!(times().await, before),
        Err(error) => is!(error, ErrorCode::Access | ErrorCode::NotPermitted),
    }
}
