//! A plan whose nodes have other components than those that run: what that changes for the running program.

use std::collections::BTreeSet;

use super::{CourierPlan, MethodPlan, NodeId, Plan};

impl Plan {
    /// What to run from here on in place of this plan, by a `new` plan of the same program with other components, and the
    /// nodes that have to be started anew for it.
    ///
    /// Callers know a method by its place among all of its node, and those that are not rebuilt go on with what they
    /// know. So every method keeps its place, and so does one that is gone.
    ///
    /// # Panics
    ///
    /// If the plans are of different programs.
    pub fn rebuilt(&self, mut new: Plan) -> (Plan, BTreeSet<NodeId>) {
        assert_eq!(self.nodes.len(), new.nodes.len(), "a rebuilt program has the nodes that it had");
        for (old, new) in self.nodes.iter().zip(&mut new.nodes) {
            new.couriers = in_place(&old.couriers, &new.couriers);
        }
        let pairs = (0..).map(NodeId).zip(self.nodes.iter().zip(&new.nodes));
        let changed = pairs.filter(|(_, (old, new))| old != new).map(|(id, _)| id).collect();
        (new, changed)
    }
}

/// The methods of `old`, as `new` has them where it does, and behind them those that only `new` has.
fn in_place(old: &[CourierPlan], new: &[CourierPlan]) -> Vec<CourierPlan> {
    let mut couriers = old.to_vec();
    for courier in &mut couriers {
        for method in &mut courier.methods {
            if let Some(rebuilt) = find(new, &courier.interface, &method.name) {
                *method = rebuilt.clone();
            }
        }
    }
    for CourierPlan { interface, methods } in new {
        let added = methods.iter().filter(|method| find(old, interface, &method.name).is_none());
        let added: Vec<_> = added.cloned().collect();
        if !added.is_empty() {
            couriers.push(CourierPlan { interface: interface.clone(), methods: added });
        }
    }
    couriers
}

fn find<'a>(couriers: &'a [CourierPlan], interface: &str, method: &str) -> Option<&'a MethodPlan> {
    let mut methods = couriers.iter().filter(|courier| courier.interface == interface).flat_map(|found| &found.methods);
    methods.find(|found| found.name == method)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The couriers that a text such as `a.x a.y b.z` names.
    fn couriers(text: &str) -> Vec<CourierPlan> {
        let mut couriers: Vec<CourierPlan> = Vec::new();
        for (interface, name) in text.split_whitespace().filter_map(|word| word.split_once('.')) {
            let method = MethodPlan { name: name.to_owned(), is_async: false, returns_call_error: false };
            match couriers.last_mut().filter(|last| last.interface == interface) {
                Some(last) => last.methods.push(method),
                None => couriers.push(CourierPlan { interface: interface.to_owned(), methods: vec![method] }),
            }
        }
        couriers
    }

    #[track_caller]
    fn check(old: &str, new: &str, expected: &str) {
        assert_eq!(in_place(&couriers(old), &couriers(new)), couriers(expected), "{old} -> {new}");
    }

    #[test]
    fn methods_keep_their_places() {
        check("a.x a.y", "a.x a.y", "a.x a.y");
        check("a.x b.z", "a.new a.x b.z", "a.x b.z a.new");
        check("a.x a.y b.z", "a.y", "a.x a.y b.z");
        check("a.x b.z a.new", "b.more b.z c.first", "a.x b.z a.new b.more c.first");
    }
}
