//! A mapper: counts the words of a file and gives every reducer the words that are its share.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use example::counting::reducer_handles::{self, Tally};
use lp_guest::{CallError, join_all};

lp_guest::node!({ world: "mapper-node", path: "../../wit", node: Mapper });

struct Mapper;

impl Guest for Mapper {
    async fn count(file: String) -> Result<u64, String> {
        let text = std::fs::read_to_string(format!("/data/{file}")).map_err(|error| format!("read {file}: {error}"))?;
        let mut counts = BTreeMap::new();
        for word in text.split(|letter: char| !letter.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
            *counts.entry(word.to_ascii_lowercase()).or_insert(0) += 1;
        }
        let words = counts.values().sum();
        deal(counts).await.map_err(|error| format!("add the words of {file}: {error}"))?;
        Ok(words)
    }
}

/// Gives each word to the reducer that has this word from every mapper.
async fn deal(counts: BTreeMap<String, u64>) -> Result<(), CallError> {
    let reducers = reducer_handles::all("reducers");
    let mut shares: Vec<Vec<Tally>> = reducers.iter().map(|_| Vec::new()).collect();
    // The default state of a map would hash differently in every mapper.
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    for (word, count) in counts {
        let share = hasher.hash_one(&word) % shares.len() as u64;
        shares[share as usize].push(Tally { word, count });
    }
    let calls = reducers.iter().zip(shares).map(|(reducer, share)| reducer.add(share));
    join_all(calls).await.into_iter().collect()
}
