//! Inserts, samples and memory of this server beside those of the original, over the same wire and in turns.
//!
//! `cargo bench -p lp-replay -- PYTHON`, where that is a Python that has dm-reverb. Without one, this server is measured alone.
//! The server has one core and the clients have another one. A server's time is what the system counts for its process.

mod client;
#[path = "../../examples/serve.rs"]
mod serve;
mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use client::Work;
use lp_replay::table::{
    Chunk, ChunkHead, ChunkKey, EpisodeId, Gauge, Item, ItemKey, LimiterSpec, Removed, SelectorKind, Table, TableSpec,
    Trajectory,
};
use servers::{Kind, Server};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How often each is measured; the median of the ratios counts.
const ROUNDS: usize = 5;

/// As many slots are saved in one step of a checkpoint.
const SLOTS: usize = 1024;

/// The items whose memory is measured.
const MANY: usize = 1_000_000;

/// What is measured: its name, the bytes of an item, how many operations a round has, and how many items the table. It is full
/// when a round begins: what is measured is the server, and not how the system gives it memory.
const FIGURES: [(&str, Work, usize, usize, usize); 8] = [
    ("insert 400 B", Work::Insert, 400, 400_000, 10_000),
    ("sample 400 B", Work::Sample, 400, 800_000, 10_000),
    ("insert 4 kB", Work::Insert, 4_000, 200_000, 5_000),
    ("sample 4 kB", Work::Sample, 4_000, 400_000, 5_000),
    ("insert 40 kB", Work::Insert, 40_000, 20_000, 1_000),
    ("sample 40 kB", Work::Sample, 40_000, 40_000, 1_000),
    ("insert 400 kB", Work::Insert, 400_000, 2_000, 100),
    ("sample 400 kB", Work::Sample, 400_000, 4_000, 100),
];

/// One round: operations per second, and the server's microseconds for each.
#[derive(Clone, Copy)]
struct Figure {
    rate: f64,
    micros: f64,
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [first, rest @ ..] = &arguments[..]
        && first == "serve"
    {
        return serve::run(rest).expect("the server runs");
    }
    let python = arguments.first().cloned();
    let kinds = [Some(Kind::Own), python.map(Kind::Original)];
    let kinds: Vec<_> = kinds.into_iter().flatten().collect();
    println!(
        "{:16} {:>12} {:>12} {:>8} {:>10} {:>10} {:>8}",
        "", "ours/s", "theirs/s", "ratio", "our µs", "their µs", "ratio"
    );
    for (name, work, bytes, operations, size) in FIGURES {
        let rounds: Vec<Vec<Figure>> = (0..ROUNDS)
            .map(|_| kinds.iter().map(|kind| round(kind, work, bytes, operations, size)).collect())
            .collect();
        print_row(name, &rounds);
    }
    let memory: Vec<_> = kinds.iter().map(memory).collect();
    for (what, index) in [("bytes an item", 0), ("peak", 1)] {
        let figures: Vec<_> = memory.iter().map(|memory| memory[index]).collect();
        let ratio = figures.get(1).map_or(f64::NAN, |theirs| figures[0] / theirs);
        println!("{MANY} items of 400 B, {what}: {figures:.0?}, ratio {ratio:.2}");
    }
    let [growing, step, beside] = longest();
    println!("longest insert into a table that grows to {MANY} items: {growing:?}");
    println!("longest step of a checkpoint of these: {step:?}, longest insert meanwhile: {beside:?}");
    for items in [1_000, 10_000, 100_000, 1_000_000] {
        println!("{items} items: {}", by_size(items));
    }
}

fn print_row(name: &str, rounds: &[Vec<Figure>]) {
    let of = |index: usize, figure: fn(&Figure) -> f64| {
        median(rounds.iter().map(|round| round.get(index).map_or(f64::NAN, figure)).collect())
    };
    let ratio = |figure: fn(&Figure) -> f64| {
        median(rounds.iter().map(|round| figure(&round[0]) / round.get(1).map_or(f64::NAN, figure)).collect())
    };
    let rate: fn(&Figure) -> f64 = |it| it.rate;
    let micros: fn(&Figure) -> f64 = |it| it.micros;
    println!(
        "{name:16} {:12.0} {:12.0} {:8.2} {:10.2} {:10.2} {:8.2}",
        of(0, rate),
        of(1, rate),
        ratio(rate),
        of(0, micros),
        of(1, micros),
        ratio(micros)
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn round(kind: &Kind, work: Work, bytes: usize, operations: usize, size: usize) -> Figure {
    let server = Server::start(kind, size);
    client::run(&server.address, Work::Insert, bytes, 2 * size);
    let (before, start) = (server.cpu_seconds(), Instant::now());
    client::run(&server.address, work, bytes, operations);
    let (time, cpu) = (start.elapsed().as_secs_f64(), server.cpu_seconds() - before);
    Figure { rate: operations as f64 / time, micros: cpu * 1e6 / operations as f64 }
}

/// The resident bytes that a server takes for each item, at the end and at most.
fn memory(kind: &Kind) -> [f64; 2] {
    let server = Server::start(kind, 2 * MANY);
    let before = server.resident();
    client::run(&server.address, Work::Insert, 400, MANY);
    ["VmRSS:", "VmHWM:"].map(|what| (server.status(what) - before) / MANY as f64)
}

/// The time that this thread has had a core.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn table() -> Table {
    let limiter = LimiterSpec::min_size(1);
    let (sampler, remover) = (SelectorKind::Prioritized { exponent: 0.6 }, SelectorKind::MinHeap);
    let name = "t".to_owned();
    let spec = TableSpec { name, sampler, remover, max_size: MANY, max_times_sampled: None, limiter, signature: None };
    Table::new(spec).expect("a table")
}

/// An item with a chunk of its own, which is no message but for its key.
fn item(key: u64, gauge: &Gauge) -> Arc<Item> {
    // A column with a slice of chunk 0.
    let (trajectory, keys) = Trajectory::read(&[0x0a, 0x02, 0x0a, 0x00]).expect("a trajectory");
    let head = ChunkHead { key: ChunkKey(key), episode: EpisodeId(key) };
    let mut message = vec![0x2a_u8; 400];
    message[..9].copy_from_slice(&[[0x09].as_slice(), &key.to_le_bytes()].concat());
    let chunk = Chunk::new(head, message.into(), gauge);
    let key = ItemKey(key.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Item::new(key, trajectory, &keys, |_| Some(chunk.clone())).expect("an item")
}

/// The longest times for which a table is held up: by an insert while it grows, by a step of a checkpoint, and by an insert
/// between such steps. Then each item that makes room is saved first.
fn longest() -> [Duration; 3] {
    let mut table = table();
    let (mut random, mut removed) = (fastrand::Rng::with_seed(1), Removed::default());
    let gauge = Gauge::default();
    let mut keys = 0..;
    let mut insert = |table: &mut Table, count: usize| {
        let mut longest = Duration::ZERO;
        for key in keys.by_ref().take(count) {
            let item = item(key, &gauge);
            let start = thread_time();
            table.insert(item, 1.0, 0, &mut random, &mut removed).expect("a good priority");
            longest = longest.max(thread_time() - start);
            // As the service does it: without the lock.
            removed = Removed::default();
        }
        longest
    };
    let growing = insert(&mut table, MANY);
    let (mut saved, mut step, mut beside) = (Vec::new(), Duration::ZERO, Duration::ZERO);
    table.begin_snapshot();
    loop {
        beside = beside.max(insert(&mut table, 2_000));
        saved.reserve(Table::saved_at_once(SLOTS));
        let mut removed = Removed::default();
        let start = thread_time();
        let is_more = table.save_some(SLOTS, &mut saved, &mut removed);
        step = step.max(thread_time() - start);
        if !is_more {
            assert_eq!(saved.len(), MANY);
            return [growing, step, beside];
        }
    }
}

/// The server's microseconds for an insert and a sample once there are so many items.
fn by_size(items: usize) -> String {
    let server = Server::start(&Kind::Own, 2 * MANY);
    client::run(&server.address, Work::Insert, 400, items);
    let mut figures = Vec::new();
    for work in [Work::Insert, Work::Sample] {
        let before = server.cpu_seconds();
        client::run(&server.address, work, 400, 100_000);
        figures.push(format!("{work:?} {:.2} µs", (server.cpu_seconds() - before) * 10.0));
    }
    figures.join(", ")
}
