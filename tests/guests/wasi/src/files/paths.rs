//! What is where, and that no path leads out.

use wasip3::filesystem::types::{DescriptorFlags, DescriptorType, ErrorCode, OpenFlags};

use super::{Dir, FOLLOW, leads_nowhere, leads_out};

pub async fn dotdot(dir: &Dir) {
    let child = dir.make_child("child").await;
    drop(dir.make("x").await);
    is!(dir.open("x").await, Ok(_));
    leads_out(child.open("../x").await);
    leads_out(child.open_as("../y", OpenFlags::CREATE, DescriptorFlags::WRITE).await);
}

pub async fn open_errors(dir: &Dir) {
    dir.make_link_to_parent().await;
    leads_nowhere(dir.open("").await);
    leads_out(dir.open("..").await);
    leads_out(dir.open("/").await);
    leads_out(dir.0.open_at(FOLLOW, "parent".to_owned(), OpenFlags::empty(), DescriptorFlags::READ).await);
}

pub async fn hard_links(dir: &Dir) {
    dir.make_link_to_parent().await;
    is!(dir.link(".", dir, "foo").await, Err(ErrorCode::NotPermitted | ErrorCode::Access));
    for (old, new) in [("", "foo"), ("", ""), ("a.txt", "")] {
        leads_nowhere(dir.link(old, dir, new).await);
    }
    is!(dir.link("a.txt", dir, "a.txt").await, Err(ErrorCode::Exist));
    for outside in ["/", "/a.txt", "..", "parent/foo"] {
        leads_out(dir.link(outside, dir, "a.txt").await);
        leads_out(dir.link("a.txt", dir, outside).await);
    }
    is!(dir.link("a.txt", dir, "c").await, Ok(()));
    is!(dir.unlink("c").await, Ok(()));
    is!(dir.make_dir("d").await, Ok(()));
    is!(dir.link("a.txt", dir, "d/q").await, Ok(()));
    is!(dir.unlink("d/q").await, Ok(()));
    is!(dir.link("d", dir, "e").await, Err(ErrorCode::NotPermitted | ErrorCode::Access));
    is!(dir.remove_dir("d").await, Ok(()));
}

pub async fn mkdir_rmdir(dir: &Dir) {
    dir.make_link_to_parent().await;
    leads_nowhere(dir.make_dir("").await);
    is!(dir.make_dir(".").await, Err(ErrorCode::Exist));
    is!(dir.make_dir("a.txt").await, Err(ErrorCode::Exist));
    for outside in ["..", "/", "../q", "parent/foo"] {
        leads_out(dir.make_dir(outside).await);
    }
    is!(dir.make_dir("q").await, Ok(()));
    for outside in ["../q", "parent/q", "q/../../q", "..", "/", "parent/"] {
        leads_out(dir.remove_dir(outside).await);
    }
    is!(dir.remove_dir("q").await, Ok(()));
    is!(dir.make_dir("q/").await, Ok(()));
    is!(dir.remove_dir("q").await, Ok(()));
    leads_nowhere(dir.remove_dir("").await);
    leads_nowhere(dir.remove_dir("z").await);
    is!(dir.remove_dir(".").await, Err(ErrorCode::Invalid | ErrorCode::Access));
    is!(dir.remove_dir("a.txt").await, Err(ErrorCode::NotDirectory));

    let child = dir.make_child("child").await;
    is!(dir.make_dir("sibling").await, Ok(()));
    is!(child.make_dir("z").await, Ok(()));
    is!(child.remove_dir("z").await, Ok(()));
    for outside in ["../z", "../sibling/z"] {
        leads_out(child.make_dir(outside).await);
        leads_out(child.remove_dir(outside).await);
    }
    leads_out(child.remove_dir("../sibling").await);
    drop(child);
    is!(dir.remove_dir("child").await, Ok(()));
}

pub async fn read_directory(dir: &Dir) {
    dir.make_link_to_parent().await;
    let (entries, ended) = dir.0.read_directory();
    let mut entries = entries.collect().await;
    is!(ended.await, Ok(()));
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["a.txt", "b.txt", "parent"]);
    is!(&entries[0].type_, DescriptorType::RegularFile);
    is!(&entries[1].type_, DescriptorType::RegularFile);
    is!(&entries[2].type_, DescriptorType::SymbolicLink);
    // One that nobody reads to its end is over when it is dropped.
    let (mut entries, ended) = dir.0.read_directory();
    assert!(entries.next().await.is_some());
    drop(entries);
    is!(ended.await, Ok(()));
    let file = dir.open("a.txt").await.expect("it is there");
    let (entries, ended) = file.read_directory();
    assert!(entries.collect().await.is_empty());
    is!(ended.await, Err(ErrorCode::NotDirectory));
}

pub async fn rename(dir: &Dir) {
    dir.make_link_to_parent().await;
    let child = dir.make_child("child").await;
    is!(dir.rename("a.txt", dir, "a.txt").await, Ok(()));
    is!(dir.0.symlink_at("a.txt".to_owned(), "c".to_owned()).await, Ok(()));
    // The link is what goes.
    is!(dir.rename("a.txt", dir, "c").await, Ok(()));
    leads_nowhere(dir.rename("a.txt", dir, "a.txt").await);
    is!(dir.rename("c", dir, "a.txt").await, Ok(()));
    leads_nowhere(dir.rename("c", dir, "a.txt").await);
    is!(dir.rename(".", dir, "q").await, Err(ErrorCode::Busy | ErrorCode::Invalid | ErrorCode::Access));
    for outside in ["../q", "parent/q", "/tmp/q"] {
        leads_out(dir.rename("a.txt", dir, outside).await);
    }
    is!(dir.rename("a.txt", &child, "moved").await, Ok(()));
    leads_nowhere(dir.rename("a.txt", &child, "moved").await);
    leads_nowhere(dir.rename("moved", dir, "moved").await);
    is!(child.rename("moved", dir, "a.txt").await, Ok(()));
    leads_nowhere(child.rename("moved", dir, "a.txt").await);
    drop(child);
    is!(dir.remove_dir("child").await, Ok(()));
}

pub async fn unlink_errors(dir: &Dir) {
    dir.make_link_to_parent().await;
    leads_nowhere(dir.unlink("").await);
    leads_nowhere(dir.unlink("z").await);
    for directory in [".", "..", "../", "/"] {
        is!(dir.unlink(directory).await, Err(ErrorCode::NotPermitted | ErrorCode::IsDirectory | ErrorCode::Access));
    }
    leads_out(dir.unlink("/etc/passwd").await);
    leads_out(dir.unlink("parent/z").await);
}
