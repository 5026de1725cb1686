//! A reducer: adds up the counts of its share of all words.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use exports::example::counting::reducer::Tally;

lp_guest::node!({ world: "reducer-node", path: "../../wit", node: Reducer });

static TOTALS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

struct Reducer;

impl Guest for Reducer {
    fn add(tallies: Vec<Tally>) {
        let mut totals = totals();
        for Tally { word, count } in tallies {
            *totals.entry(word).or_insert(0) += count;
        }
    }

    fn totals() -> Vec<Tally> {
        totals().iter().map(|(word, count)| Tally { word: word.clone(), count: *count }).collect()
    }
}

fn totals() -> MutexGuard<'static, BTreeMap<String, u64>> {
    TOTALS.lock().expect("a node that panics takes no more calls")
}
