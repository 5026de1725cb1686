//! Who may call the replicas of a node: those of the nodes that hold a handle of it.

use std::ops::Range;
use std::sync::Arc;

use lp_base::calls::ReplicaIndex;

/// The replicas that may call those of one node. Clones share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callers(Arc<[Range<u32>]>);

impl Callers {
    /// The callers in `ranges` of replica indices, of which each is the replicas of one node.
    pub fn new(ranges: impl IntoIterator<Item = Range<u32>>) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_by_key(|range| range.start);
        Self(ranges.into())
    }

    /// Whether `caller` is one of them. Asked for every call, so it costs a comparison for most nodes.
    pub fn contain(&self, caller: ReplicaIndex) -> bool {
        match &*self.0 {
            [only] => only.contains(&caller.0),
            ranges => {
                let after = ranges.partition_point(|range| range.start <= caller.0);
                after.checked_sub(1).is_some_and(|place| ranges[place].contains(&caller.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_one_of_the_ranges_and_nothing_beside_them() {
        let check = |nodes: &[(u32, u32)], callers: &[u32]| {
            let known = Callers::new(nodes.iter().map(|&(start, end)| start..end));
            let found: Vec<_> = (0..12).filter(|&index| known.contain(ReplicaIndex(index))).collect();
            assert_eq!(found, callers, "{nodes:?}");
        };
        check(&[], &[]);
        check(&[(2, 4)], &[2, 3]);
        check(&[(7, 8), (0, 1), (2, 5)], &[0, 2, 3, 4, 7]);
    }
}
