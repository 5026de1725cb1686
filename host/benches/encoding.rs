//! A large value of each class of types, there and back: the encoding is most of it.

mod common;

use common::CLASSES;
use common::criteria::{group, measure};
use common::direct::ConcurrentEcho;
use common::guests::Guests;
use common::nodes::{Flavour, Nodes};
use criterion::{Criterion, criterion_group, criterion_main};

criterion_group!(benches, classes);
criterion_main!(benches);

fn classes(criterion: &mut Criterion) {
    let guests = Guests::build(&["bench-echo", "bench-caller"]);
    let nodes = Nodes::start(&guests, Flavour::Async, 1);
    let mut direct = ConcurrentEcho::new(guests.path("bench-echo"));
    for case in CLASSES {
        let mut group = group(criterion, case.name);
        measure(&mut group, "node to node", |calls| nodes.call_from_node(case, calls));
        measure(&mut group, "typed bindings", |calls| direct.typed(case, calls));
        measure(&mut group, "Val", |calls| direct.val(case, calls));
    }
    nodes.stop();
}
