//! The latency of one call, there and back: between nodes, from the host to a node, and without lp-host.

mod common;

use common::SIZES;
use common::criteria::{group, measure};
use common::direct::{ConcurrentEcho, PlainEcho};
use common::guests::Guests;
use common::nodes::{Flavour, Nodes};
use criterion::{Criterion, criterion_group, criterion_main};

criterion_group!(benches, concurrent, plain);
criterion_main!(benches);

fn concurrent(criterion: &mut Criterion) {
    let guests = Guests::build(&["bench-echo", "bench-caller"]);
    let nodes = Nodes::start(&guests, Flavour::Async, 1);
    let mut direct = ConcurrentEcho::new(guests.path("bench-echo"));
    for case in SIZES {
        let mut group = group(criterion, &format!("async {}", case.name));
        measure(&mut group, "node to node", |calls| nodes.call_from_node(case, calls));
        measure(&mut group, "host to node", |calls| nodes.call_from_host(case, calls));
        measure(&mut group, "typed bindings", |calls| direct.typed(case, calls));
        measure(&mut group, "Val", |calls| direct.val(case, calls));
    }
    nodes.stop();
}

fn plain(criterion: &mut Criterion) {
    let guests = Guests::build(&["bench-echo-plain", "bench-caller-plain"]);
    let nodes = Nodes::start(&guests, Flavour::Plain, 1);
    let mut direct = PlainEcho::new(guests.path("bench-echo-plain"));
    for case in SIZES {
        let mut group = group(criterion, &format!("plain {}", case.name));
        measure(&mut group, "node to node", |calls| nodes.call_from_node(case, calls));
        measure(&mut group, "host to node", |calls| nodes.call_from_host(case, calls));
        measure(&mut group, "typed bindings", |calls| direct.typed(case, calls));
        measure(&mut group, "Val", |calls| direct.val(case, calls));
    }
    nodes.stop();
}
