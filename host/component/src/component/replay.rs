//! The interfaces of a replay node, which the host itself implements, in the form of a component.

use std::sync::{Arc, OnceLock};

use lp_base::words::ReplayAccess;
use wit_parser::Resolve;

use super::Component;
use super::description::described_world;

/// What its package and those that it names are, in an order in which they can be read.
const PACKAGES: [(&str, &str); 2] = [
    ("courier.wit", include_str!("../../../../wit/courier/types.wit")),
    ("replay.wit", include_str!("../../../../wit/replay/replay.wit")),
];

/// What a replay node exports: a component that has its types and no code.
///
/// # Panics
/// Never: the text is part of this binary, and a test reads it.
pub fn replay() -> Arc<Component> {
    static REPLAY: OnceLock<Arc<Component>> = OnceLock::new();
    let read = || {
        let mut resolve = Resolve { all_features: true, ..Resolve::default() };
        let packages = PACKAGES.map(|(name, text)| resolve.push_str(name, text).expect("the package is WIT"));
        let world = resolve.select_world(&packages[1..], Some("node")).expect("the package has the world");
        Arc::new(described_world(&resolve, world).expect("the world is one of a component"))
    };
    REPLAY.get_or_init(read).clone()
}

/// Whether the interface of this name is one that a replay node serves, with handles or without.
pub(super) fn is_of_replay(name: &str) -> bool {
    let unversioned = name.split('@').next().unwrap_or_default();
    ReplayAccess::of_interface(unversioned.strip_suffix("-handles").unwrap_or(unversioned)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_node_exports_an_interface_for_each_access_and_calls_can_carry_all_of_it() {
        let component = replay();
        let access: Vec<_> =
            component.couriers.iter().map(|courier| ReplayAccess::of_interface(&courier.name)).collect();
        assert_eq!(access, ReplayAccess::ALL.map(Some));
        for method in component.couriers.iter().flat_map(|courier| &courier.methods) {
            assert_eq!(method.refused, None, "{}", method.name);
            assert!(method.returns_call_error(), "{}", method.name);
        }
    }
}
