//! `InsertStream`: chunks and the items that refer to them come, keys of items that are in their tables go.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use lp_base::protobuf::{FormatError, Reader, Value};
use smallvec::SmallVec;

use super::call::Call;
use super::messages::Incoming;
use super::payload;
use super::status::Status;
use crate::service::{Held, Inserts, Progress, Service, ServiceError};
use crate::table::{Chunk, ChunkHead, ChunkKey, Item, ItemKey, Trajectory};
use crate::wire::InsertStreamResponse;

/// As many keys may gather before they are sent, while there is more to read.
const KEYS_MAX: usize = 512;

/// A chunk of at least this size is kept as the part of its request that it is, if that is most of it.
const PART_BYTES: usize = 16 << 10;

/// What a request says, as far as it is not kept.
#[derive(Default)]
struct Request<'a> {
    chunks: SmallVec<[&'a [u8]; 4]>,
    items: SmallVec<[RequestedItem<'a>; 4]>,
    keep: SmallVec<[ChunkKey; 8]>,
}

#[derive(Default)]
struct RequestedItem<'a> {
    key: u64,
    table: &'a [u8],
    priority: f64,
    trajectory: &'a [u8],
}

impl<'a> Request<'a> {
    fn read(message: &'a [u8]) -> Result<Self, FormatError> {
        let mut request = Self::default();
        let mut reader = Reader(message);
        while let Some(field) = reader.next_field()? {
            match (field.number, field.value) {
                (1, Value::Bytes(chunk)) => request.chunks.push(chunk),
                (2, Value::Bytes(item)) => request.items.push(RequestedItem::read(item)?),
                (3, Value::Varint(key)) => request.keep.push(ChunkKey(key)),
                (3, Value::Bytes(packed)) => {
                    let mut keys = Reader(packed);
                    while !keys.0.is_empty() {
                        request.keep.push(ChunkKey(keys.varint()?));
                    }
                }
                (1..=3, _) => return Err(field.unexpected()),
                _ => {}
            }
        }
        Ok(request)
    }
}

impl<'a> RequestedItem<'a> {
    fn read(message: &'a [u8]) -> Result<Self, FormatError> {
        let mut item = Self::default();
        let mut reader = Reader(message);
        while let Some(field) = reader.next_field()? {
            match (field.number, field.value) {
                (1, Value::Varint(key)) => item.key = key,
                (2, Value::Bytes(table)) => item.table = table,
                (5, Value::Fixed64(priority)) => item.priority = f64::from_bits(priority),
                (8, Value::Bytes(trajectory)) => item.trajectory = trajectory,
                (1 | 2 | 5 | 8, _) => return Err(field.unexpected()),
                _ => {}
            }
        }
        Ok(item)
    }
}

/// Serves one stream until its client sends no more and all of its items are in.
pub(super) async fn serve(call: &mut Call, service: &Service) -> Result<(), Status> {
    let mut stream = InsertStream::new(service);
    loop {
        match poll_fn(|cx| stream.poll_event(call, cx)).await? {
            Event::Request(Some(request)) => {
                if let Err(status) = stream.take(&request) {
                    // What is in is in, and the client should know.
                    stream.send_keys(call)?;
                    return Err(status);
                }
            }
            Event::Request(None) => stream.has_ended = true,
            Event::Inserted(key) => stream.keys.push(key.0),
            Event::Send => stream.send_keys(call)?,
            Event::End => return Ok(()),
        }
    }
}

/// Takes a request, whatever it says.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz(service: &Service, request: &[u8]) {
    let mut stream = InsertStream::new(service);
    let message = Incoming { bytes: Bytes::copy_from_slice(request), is_part: false };
    // Refused or not is all the same: nothing must break.
    let _ = stream.take(&message);
}

struct InsertStream<'a> {
    service: &'a Service,
    inserts: Inserts,
    /// The chunks that items to come may refer to.
    held: HashMap<ChunkKey, Chunk>,
    held_bytes: usize,
    /// Counts that for the service, with the part of a message that has come.
    counted: Held,
    /// The items that are in and of which the client has not heard.
    keys: Vec<u64>,
    has_ended: bool,
}

enum Event {
    /// The client sent something, or sends no more.
    Request(Option<Incoming>),
    /// An item that waited is in.
    Inserted(ItemKey),
    /// There is nothing else to do than to send the keys.
    Send,
    /// Everything is done.
    End,
}

impl<'a> InsertStream<'a> {
    fn new(service: &'a Service) -> Self {
        let inserts = service.inserts();
        let (held, counted) = (HashMap::new(), service.held());
        Self { service, inserts, held, held_bytes: 0, counted, keys: Vec::new(), has_ended: false }
    }

    fn poll_event(&mut self, call: &mut Call, cx: &mut Context<'_>) -> Poll<Result<Event, Status>> {
        if let Poll::Ready(status) = call.poll_gone(cx) {
            return Poll::Ready(Err(status));
        }
        if let Poll::Ready(done) = self.inserts.poll_done(cx) {
            return Poll::Ready(done.map(Event::Inserted).map_err(Status::from));
        }
        // A client that takes no keys gets to send no items.
        let can_send = self.keys.is_empty() || call.poll_ready(cx)?.is_ready();
        let can_take = can_send && !self.has_ended && !self.inserts.is_full() && self.keys.len() < KEYS_MAX;
        if can_take {
            if let Poll::Ready(request) = call.messages.poll_next(cx) {
                return Poll::Ready(request.map(Event::Request));
            }
            self.counted.set(self.held_bytes + call.messages.begun_bytes())?;
        }
        if can_send && !self.keys.is_empty() {
            return Poll::Ready(Ok(Event::Send));
        }
        let is_done = self.has_ended && self.keys.is_empty() && self.inserts.waiting() == 0;
        if is_done {
            return Poll::Ready(Ok(Event::End));
        }
        self.counted.poll_over(cx).map(|error| Err(error.into()))
    }

    fn send_keys(&mut self, call: &mut Call) -> Result<(), Status> {
        let keys = std::mem::take(&mut self.keys);
        if keys.is_empty() { Ok(()) } else { call.send(payload::message(&InsertStreamResponse { keys })) }
    }

    fn take(&mut self, message: &Incoming) -> Result<(), Status> {
        let request = Request::read(&message.bytes).map_err(Status::malformed)?;
        if request.chunks.is_empty() && request.items.is_empty() {
            return Err(Status::invalid("the request has neither chunks nor items"));
        }
        for chunk in &request.chunks {
            self.hold(chunk, message)?;
        }
        if request.items.is_empty() {
            return Ok(());
        }
        for item in &request.items {
            self.insert(item)?;
        }
        self.keep(&request.keep)
    }

    fn hold(&mut self, chunk: &[u8], message: &Incoming) -> Result<(), Status> {
        let head = ChunkHead::read(chunk).map_err(Status::malformed)?;
        // Clients repeat the chunks that several items have.
        if self.held.contains_key(&head.key) {
            return Ok(());
        }
        self.held_bytes += chunk.len();
        self.counted.set(self.held_bytes)?;
        let is_most = !message.is_part && chunk.len() >= PART_BYTES && chunk.len() * 2 > message.bytes.len();
        let kept = if is_most { message.bytes.slice_ref(chunk) } else { Bytes::copy_from_slice(chunk) };
        self.held.insert(head.key, Chunk::new(head, kept, self.service.gauge()));
        Ok(())
    }

    fn insert(&mut self, requested: &RequestedItem<'_>) -> Result<(), Status> {
        let key = ItemKey(requested.key);
        let (trajectory, chunks) =
            Trajectory::read(requested.trajectory).map_err(|error| Status::of_item(error.into(), key))?;
        let table = std::str::from_utf8(requested.table).map_err(Status::malformed)?;
        let item = Item::new(key, trajectory, &chunks, |key| self.held.get(&key).cloned())
            .map_err(|missing| Status::from(ServiceError::NoChunk(missing)))?;
        let progress = self.inserts.insert(table, item, requested.priority);
        if progress.map_err(|error| Status::of_item(error, key))? == Progress::Done {
            self.keys.push(key.0);
        }
        Ok(())
    }

    /// Lets go of the chunks that no item will refer to any more.
    fn keep(&mut self, keys: &[ChunkKey]) -> Result<(), Status> {
        if keys.len() < self.held.len() {
            // A look at all of few keys is quicker than a set of them.
            let many: HashSet<ChunkKey> = if keys.len() > 8 { keys.iter().copied().collect() } else { HashSet::new() };
            let is_kept = |key: &ChunkKey| if many.is_empty() { keys.contains(key) } else { many.contains(key) };
            self.held.retain(|key, _| is_kept(key));
            self.held_bytes = self.held.values().map(|chunk| chunk.message().len()).sum();
        }
        match keys.iter().find(|key| !self.held.contains_key(*key)) {
            None => Ok(()),
            Some(missing) => Err(Status::failed_precondition(format!(
                "chunk {missing} is to be kept, but the stream does not have it"
            ))),
        }
    }
}
