//! What is in a file, and as what it is open.

use futures::join;
use wasip3::filesystem::types::{Advice, Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags};
use wasip3::wit_bindgen::StreamResult;
use wasip3::wit_stream;

use super::Dir;

const READ: DescriptorFlags = DescriptorFlags::READ;
const WRITE: DescriptorFlags = DescriptorFlags::WRITE;

pub async fn advise(dir: &Dir) {
    is!(dir.0.advise(0, 0, Advice::Normal).await, Err(ErrorCode::BadDescriptor));
    let file = dir.open("a.txt").await.expect("it is there");
    let size = file.stat().await.expect("it can be seen").size;
    let all = [Advice::Normal, Advice::Sequential, Advice::Random, Advice::WillNeed, Advice::DontNeed, Advice::NoReuse];
    for advice in all {
        for offset in [0, size.saturating_sub(4096), size, size + 4096] {
            for length in [0, 10, 4096, size, size + 4096] {
                is!(file.advise(offset, length, advice).await, Ok(()) | Err(ErrorCode::FileTooLarge));
            }
        }
    }
}

pub async fn flags_and_type(dir: &Dir) {
    is!(dir.0.get_flags().await, Ok(flags) if flags == READ | DescriptorFlags::MUTATE_DIRECTORY);
    is!(dir.0.get_type().await, Ok(DescriptorType::Directory));
    is!(dir.open_as(".", OpenFlags::empty(), WRITE).await, Ok(_) | Err(ErrorCode::IsDirectory));
    let same = dir.open_as(".", OpenFlags::empty(), DescriptorFlags::empty()).await.expect("it is there");
    is!(same.get_flags().await, Ok(READ));
    is!(same.get_type().await, Ok(DescriptorType::Directory));
    let create = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
    let opened = [
        ("a.txt", OpenFlags::empty(), READ, READ),
        // Without any, a file is for reading; what is exclusive means nothing where nothing is made.
        ("a.txt", OpenFlags::empty(), DescriptorFlags::empty(), READ),
        ("a.txt", OpenFlags::EXCLUSIVE, DescriptorFlags::empty(), READ),
        ("a.txt", OpenFlags::empty(), WRITE, WRITE),
        ("made", create, READ | WRITE, READ | WRITE),
        // What is made is for writing.
        ("made", create, DescriptorFlags::empty(), READ | WRITE),
        ("made", create, READ, READ | WRITE),
        ("made", create, WRITE, WRITE),
    ];
    for (path, open, flags, as_what) in opened {
        let file = dir.open_as(path, open, flags).await.expect("it can be opened");
        is!(file.get_flags().await, Ok(flags) if flags == as_what);
        is!(file.get_type().await, Ok(DescriptorType::RegularFile));
        drop(file);
        if path == "made" {
            is!(dir.unlink(path).await, Ok(()));
        }
    }
}

pub async fn io(dir: &Dir) {
    let a = dir.make("a").await;
    is!(write(&a, 0, b"test-a\n").await, Ok(()));
    for (offset, rest) in [(0, &b"test-a\n"[..]), (1, b"est-a\n"), (6, b"\n"), (7, b""), (17, b"")] {
        is!(read(&a, 0, offset).await, Ok(bytes) if bytes.is_empty());
        is!(read(&a, 1, offset).await, Ok(bytes) if bytes == rest[..rest.len().min(1)]);
        is!(read_all(&a, offset).await, Ok(bytes) if bytes == rest);
    }
    is!(read(&a, 1, u64::MAX).await, Err(ErrorCode::Invalid));
    is!(a.sync_data().await, Ok(()));
    is!(a.sync().await, Ok(()));

    let c = dir.make("c").await;
    let steps = [(&b"hello!"[..], &b"hello!"[..]), (b"byeee", b"byeee!")];
    is!(read_all(&c, 0).await, Ok(bytes) if bytes.is_empty());
    for (written, whole) in steps {
        is!(write(&c, 0, written).await, Ok(()));
        is!(read_all(&c, 0).await, Ok(bytes) if bytes == whole);
    }
    is!(append(&c, b" laters!!").await, Ok(()));
    is!(read_all(&c, 0).await, Ok(bytes) if bytes == b"byeee! laters!!");
    is!(c.stat().await, Ok(stat) if stat.size == 15);
    is!(c.sync_data().await, Ok(()));
    let again = dir.open("c").await.expect("it is there");
    is!(read_all(&again, 0).await, Ok(bytes) if bytes == b"byeee! laters!!");
}

/// Reads no more than `size` bytes.
async fn read(file: &Descriptor, size: usize, offset: u64) -> Result<Vec<u8>, ErrorCode> {
    let (mut stream, ended) = file.read_via_stream(offset);
    let mut bytes = Vec::with_capacity(size);
    while let (StreamResult::Complete(_), read) = stream.read(std::mem::take(&mut bytes)).await {
        bytes = read;
        if bytes.len() == size {
            break;
        }
    }
    drop(stream);
    ended.await.map(|()| bytes)
}

async fn read_all(file: &Descriptor, offset: u64) -> Result<Vec<u8>, ErrorCode> {
    let (stream, ended) = file.read_via_stream(offset);
    let bytes = stream.collect().await;
    ended.await.map(|()| bytes)
}

async fn write(file: &Descriptor, offset: u64, bytes: &[u8]) -> Result<(), ErrorCode> {
    let (mut writer, reader) = wit_stream::new();
    let (written, ()) = join!(file.write_via_stream(reader, offset).into_future(), async {
        assert!(writer.write_all(bytes.to_vec()).await.is_empty());
        drop(writer);
    });
    written
}

async fn append(file: &Descriptor, bytes: &[u8]) -> Result<(), ErrorCode> {
    let (mut writer, reader) = wit_stream::new();
    let (written, ()) = join!(file.append_via_stream(reader).into_future(), async {
        assert!(writer.write_all(bytes.to_vec()).await.is_empty());
        drop(writer);
    });
    written
}

pub async fn set_size(dir: &Dir) {
    let made = dir.make("c").await;
    is!(made.stat().await, Ok(stat) if stat.size == 0);
    is!(made.set_size(42).await, Ok(()));
    is!(made.stat().await, Ok(stat) if stat.size == 42);
    let writer = dir.open_as("c", OpenFlags::empty(), READ | WRITE).await.expect("it is there");
    let reader = dir.open("c").await.expect("it is there");
    is!(writer.set_size(69).await, Ok(()));
    for file in [&made, &writer, &reader] {
        is!(file.stat().await, Ok(stat) if stat.size == 69);
    }
    let truncated = dir.open_as("c", OpenFlags::TRUNCATE, READ | WRITE).await.expect("it is there");
    for file in [&made, &writer, &reader, &truncated] {
        is!(file.stat().await, Ok(stat) if stat.size == 0);
    }
    is!(reader.set_size(100).await, Err(ErrorCode::Invalid | ErrorCode::BadDescriptor | ErrorCode::Access));
    is!(writer.set_size(u64::MAX).await, Err(ErrorCode::Invalid | ErrorCode::FileTooLarge));
    // A file without a name is there for whoever has it open.
    is!(dir.unlink("c").await, Ok(()));
    is!(writer.set_size(42).await, Ok(()));
    is!(reader.stat().await, Ok(stat) if stat.size == 42);
}
