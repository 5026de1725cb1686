//! Calls in flight together: 64 to one node, and one to each of 100 replicas.

mod common;

use common::criteria::{group, measure};
use common::direct::{Compiled, ConcurrentEcho, Crowd};
use common::guests::Guests;
use common::nodes::{Flavour, Nodes};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

criterion_group!(benches, in_flight, fan_out);
criterion_main!(benches);

/// The calls that are in flight at any time.
const WIDTH: u32 = 64;
/// The calls that are made at once by one repetition.
const CALLS: u32 = 100 * WIDTH;
/// The replicas that are called at once.
const REPLICAS: u32 = 100;

fn in_flight(criterion: &mut Criterion) {
    let guests = Guests::build(&["bench-echo", "bench-caller"]);
    let nodes = Nodes::start(&guests, Flavour::Async, 1);
    let mut direct = ConcurrentEcho::new(guests.path("bench-echo"));
    let mut group = group(criterion, "64 in flight");
    group.throughput(Throughput::Elements(CALLS.into()));
    measure(&mut group, "node to node", |repetitions| nodes.in_flight(WIDTH, CALLS * repetitions));
    measure(&mut group, "typed bindings", |repetitions| direct.typed_in_flight(WIDTH, CALLS * repetitions));
    measure(&mut group, "Val", |repetitions| direct.val_in_flight(WIDTH, CALLS * repetitions));
    nodes.stop();
}

fn fan_out(criterion: &mut Criterion) {
    let guests = Guests::build(&["bench-echo", "bench-caller"]);
    let nodes = Nodes::start(&guests, Flavour::Async, REPLICAS);
    let mut direct = Crowd::new(&Compiled::new(guests.path("bench-echo")), REPLICAS);
    let mut group = group(criterion, "fan-out to 100 replicas");
    group.throughput(Throughput::Elements(REPLICAS.into()));
    measure(&mut group, "node to node", |rounds| nodes.fan_out(rounds));
    measure(&mut group, "typed bindings", |rounds| direct.typed_fan_out(rounds));
    measure(&mut group, "Val", |rounds| direct.val_fan_out(rounds));
    nodes.stop();
}
