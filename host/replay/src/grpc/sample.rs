//! `SampleStream`: a client asks for samples, and gets as many, piece by piece.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use prost::Message as _;

use super::call::Call;
use super::payload::{Payload, Writer, varint_len};
use super::status::Status;
use crate::service::{Batch, Service};
use crate::table::Sample;
use crate::wire::{SampleStreamRequest, Timestamp};

/// The most samples that are taken from a table at once.
const BATCH: usize = 256;

/// A message ends with the chunk that brings it to as many bytes of chunks.
const MESSAGE_BYTES: usize = 2 << 20;

/// Serves one stream until its client sends no more.
pub(super) async fn serve(call: &mut Call, service: &Service) -> Result<(), Status> {
    while let Some(request) = call.next().await? {
        let request = SampleStreamRequest::decode(request.bytes).map_err(Status::malformed)?;
        if request.num_samples <= 0 {
            let text = format!("`num_samples` must be > 0 (got {}).", request.num_samples);
            return Err(Status::invalid(text));
        }
        // Absent or negative is for ever. The original takes 0 for that too, but only over a network.
        let timeout = request.rate_limiter_timeout.and_then(|timeout| u64::try_from(timeout.milliseconds).ok());
        let timeout = timeout.map(Duration::from_millis);
        let mut left = usize::try_from(request.num_samples).unwrap_or(usize::MAX);
        while left > 0 {
            poll_fn(|cx| call.poll_ready(cx)).await?;
            let batch = sample(call, service, &request.table, left.min(BATCH), timeout).await?;
            left -= batch.samples.len();
            let mut packer = Packer::new(&request.table, batch);
            while let Some(message) = packer.next_message() {
                poll_fn(|cx| call.poll_ready(cx)).await?;
                call.send(message)?;
            }
        }
    }
    Ok(())
}

/// Samples, unless the client goes first.
async fn sample(
    call: &mut Call,
    service: &Service,
    table: &str,
    count: usize,
    timeout: Option<Duration>,
) -> Result<Batch, Status> {
    let mut batch = pin!(service.sample(table, count, timeout));
    poll_fn(|cx| {
        if let Poll::Ready(batch) = batch.as_mut().poll(cx) {
            return Poll::Ready(batch.map_err(Status::from));
        }
        call.poll_gone(cx).map(Err)
    })
    .await
}

/// Puts samples into messages.
struct Packer<'a> {
    table: &'a str,
    was_limited: bool,
    samples: VecDeque<Sample>,
    /// How many chunks of the first sample are in messages before.
    chunks_sent: usize,
}

impl<'a> Packer<'a> {
    fn new(table: &'a str, batch: Batch) -> Self {
        Self { table, was_limited: batch.was_limited, samples: batch.samples.into(), chunks_sent: 0 }
    }

    /// The next `SampleStreamResponse`.
    fn next_message(&mut self) -> Option<Payload> {
        let bytes: usize = self.samples.iter().map(|sample| sample.item.bytes().min(4096) + 128).sum();
        let mut writer = Writer::new(bytes.min(MESSAGE_BYTES));
        let mut packed = 0;
        while packed <= MESSAGE_BYTES
            && let Some(sample) = self.samples.front()
        {
            packed += write_entry(
                &mut writer,
                self.table,
                sample,
                self.was_limited,
                &mut self.chunks_sent,
                MESSAGE_BYTES.saturating_sub(packed),
            );
            if self.chunks_sent == sample.item.chunks().len() {
                self.samples.pop_front();
                self.chunks_sent = 0;
            }
        }
        (writer.len() > 0).then(|| writer.finish())
    }
}

/// Writes a `SampleEntry` with the chunks from `sent` on, up to the one that goes beyond `room`. Returns their bytes.
fn write_entry(
    writer: &mut Writer,
    table: &str,
    sample: &Sample,
    was_limited: bool,
    sent: &mut usize,
    room: usize,
) -> usize {
    let left = &sample.item.chunks()[*sent..];
    let mut bytes = 0;
    let count = left.iter().position(|chunk| {
        bytes += chunk.message().len();
        bytes > room
    });
    let chunks = &left[..count.map_or(left.len(), |last| last + 1)];
    let is_end = chunks.len() == left.len();
    let info = if *sent == 0 { info(table, sample, was_limited) } else { Vec::new() };
    *sent += chunks.len();
    let field_len = |length: usize| 1 + varint_len(length as u64) + length;
    let info_len = if info.is_empty() { 0 } else { field_len(info.len()) };
    let chunks_len: usize = chunks.iter().map(|chunk| field_len(chunk.message().len())).sum();
    writer.put(&[0x0a]);
    writer.put_varint((info_len + chunks_len + if is_end { 2 } else { 0 }) as u64);
    if !info.is_empty() {
        writer.put(&[0x0a]);
        writer.put_varint(info.len() as u64);
        writer.put(&info);
    }
    for chunk in chunks {
        writer.put(&[0x12]);
        writer.put_varint(chunk.message().len() as u64);
        writer.put_shared(chunk.message());
    }
    if is_end {
        writer.put(&[0x18, 1]);
    }
    bytes
}

/// A `SampleInfo`.
fn info(table: &str, sample: &Sample, was_limited: bool) -> Vec<u8> {
    let trajectory = sample.item.trajectory().message();
    let mut item = Vec::with_capacity(64 + table.len() + trajectory.len());
    let item_buffer = &mut item;
    prost::encoding::uint64::encode(1, &sample.item.key().0, item_buffer);
    prost::encoding::bytes::encode(2, &table.as_bytes().to_vec(), item_buffer);
    prost::encoding::double::encode(5, &sample.priority, item_buffer);
    prost::encoding::int32::encode(6, &sample.times_sampled, item_buffer);
    prost::encoding::message::encode(7, &Timestamp::from_nanos(sample.inserted_at), item_buffer);
    item_buffer.push(0x42);
    prost::encoding::encode_varint(trajectory.len() as u64, item_buffer);
    item_buffer.extend_from_slice(trajectory);
    let mut info = Vec::with_capacity(item.len() + 40);
    info.push(0x0a);
    prost::encoding::encode_varint(item.len() as u64, &mut info);
    info.extend_from_slice(&item);
    prost::encoding::double::encode(2, &sample.probability, &mut info);
    prost::encoding::int64::encode(3, &(sample.table_size as i64), &mut info);
    if was_limited {
        prost::encoding::bool::encode(4, &true, &mut info);
    }
    info
}
