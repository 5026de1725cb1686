//! The listings of `wasi:filesystem` 0.3.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lp_base::scheduler::Scheduler;
use rustix::fs::FileType;
use tokio::sync::oneshot;
use wasmtime::component::{Destination, FutureReader, Linker, StreamProducer, StreamReader, StreamResult, VecBuffer};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::p3::bindings::filesystem::types::{DescriptorType, DirectoryEntry, ErrorCode};

use crate::files::{Entry, Fd, Listing};
use crate::state::State;

type Ended = oneshot::Sender<Result<(), ErrorCode>>;
type Reading = Pin<Box<dyn Future<Output = (Listing, io::Result<Vec<Entry>>)> + Send>>;

/// Has directories be read as the guest takes their entries.
pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.3.0")?;
    types.func_wrap(
        "[method]descriptor.read-directory",
        |mut store: StoreContextMut<'_, State>, (directory,): (Fd,)| {
            let (ended, end) = oneshot::channel();
            let state = store.data_mut();
            let stream = match state.list(&directory)? {
                Some(listing) => {
                    let scheduler = state.spec.scheduler.clone();
                    StreamReader::new(&mut store, Entries { scheduler, next: Next::Part(listing), ended: Some(ended) })?
                }
                None => {
                    // The end is read after this: it can't have been dropped.
                    let _ = ended.send(Err(ErrorCode::NotDirectory));
                    StreamReader::new(&mut store, std::iter::empty())?
                }
            };
            Ok(((stream, FutureReader::new(&mut store, end)?),))
        },
    )
}

/// What the entries of a directory come from.
struct Entries {
    scheduler: Scheduler,
    next: Next,
    /// Who is told of the end, until then.
    ended: Option<Ended>,
}

enum Next {
    /// A part is to be read when the guest asks for it.
    Part(Listing),
    /// It is being read.
    Reading(Reading),
    /// There is no more.
    Nothing,
}

impl Entries {
    /// The next entries, and none at the end.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<Entry>>> {
        loop {
            match std::mem::replace(&mut self.next, Next::Nothing) {
                Next::Part(listing) => {
                    self.next = Next::Reading(Box::pin(super::read(self.scheduler.clone(), listing)));
                }
                Next::Reading(mut reading) => match reading.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.next = Next::Reading(reading);
                        return Poll::Pending;
                    }
                    Poll::Ready((listing, part)) => {
                        self.next = Next::Part(listing);
                        return Poll::Ready(part);
                    }
                },
                Next::Nothing => return Poll::Ready(Ok(Vec::new())),
            }
        }
    }

    fn end(&mut self, result: Result<(), ErrorCode>) -> StreamResult {
        self.next = Next::Nothing;
        if let Some(ended) = self.ended.take() {
            // A guest need not wait for it.
            let _ = ended.send(result);
        }
        StreamResult::Dropped
    }
}

impl StreamProducer<State> for Entries {
    type Item = DirectoryEntry;
    type Buffer = VecBuffer<DirectoryEntry>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, State>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<Result<StreamResult>> {
        // A guest that only asks whether there are any finds out when it reads.
        if destination.remaining(&mut store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let part = match self.poll_part(cx) {
            // What is being read is for the next time.
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            part => ready!(part),
        };
        Poll::Ready(Ok(match part {
            Ok(part) if part.is_empty() => self.end(Ok(())),
            Ok(part) => {
                let entries = part.into_iter().map(|Entry { name, ty }| DirectoryEntry { type_: shown(ty), name });
                destination.set_buffer(VecBuffer::from(entries.collect::<Vec<_>>()));
                StreamResult::Completed
            }
            Err(failure) => self.end(Err(failure.into())),
        }))
    }
}

impl Drop for Entries {
    /// A guest that stops to read has had what it wanted.
    fn drop(&mut self) {
        self.end(Ok(()));
    }
}

fn shown(ty: FileType) -> DescriptorType {
    match ty {
        FileType::RegularFile => DescriptorType::RegularFile,
        FileType::Directory => DescriptorType::Directory,
        FileType::Symlink => DescriptorType::SymbolicLink,
        FileType::BlockDevice => DescriptorType::BlockDevice,
        FileType::CharacterDevice => DescriptorType::CharacterDevice,
        FileType::Fifo => DescriptorType::Fifo,
        FileType::Socket => DescriptorType::Socket,
        FileType::Unknown => DescriptorType::Other(None),
    }
}
