//! Collections that grow a little at a time. One that doubles moves all that it has, which at a million items would hold up
//! everybody for a tenth of a second.

use std::hash::Hash;
use std::ops::{Index, IndexMut};

use hashbrown::hash_map::Entry;
use hashbrown::{DefaultHashBuilder, HashMap};

/// As many elements are moved at most when a [`Pages`] grows.
const PAGE: usize = 4096;

/// A sequence.
#[derive(Debug)]
pub(super) struct Pages<T>(Vec<Vec<T>>);

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Pages<T> {
    pub fn len(&self) -> usize {
        self.0.len().saturating_sub(1) * PAGE + self.0.last().map_or(0, Vec::len)
    }

    pub fn push(&mut self, element: T) {
        match self.0.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => page.push(element),
            None => {
                // A small table has a part of a page, which does double.
                let room = if self.0.is_empty() { 0 } else { PAGE };
                let mut page = Vec::with_capacity(room);
                page.push(element);
                self.0.push(page);
            }
        }
    }

    /// The elements from `start` on, and before `end`.
    pub fn range(&self, start: usize, end: usize) -> impl Iterator<Item = &T> {
        (start..end).map(|index| &self[index])
    }
}

impl<T: Clone> Pages<T> {
    /// Sets an element, with others before it if it is beyond the end.
    pub fn set(&mut self, index: usize, element: T) {
        while self.len() <= index {
            self.push(element.clone());
        }
        self[index] = element;
    }
}

impl<T> Index<usize> for Pages<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.0[index / PAGE][index % PAGE]
    }
}

impl<T> IndexMut<usize> for Pages<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.0[index / PAGE][index % PAGE]
    }
}

/// As many maps make up a [`Shards`]. One of them that grows moves its part.
const SHARDS: usize = 64;

/// A map from ids, which are numbers.
#[derive(Debug)]
pub(super) struct Shards<K, V>(Box<[HashMap<K, V>]>);

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| HashMap::default()).collect())
    }
}

impl<K: Copy + Eq + Hash + Into<u64>, V> Shards<K, V> {
    /// The bits of the product are those that the maps' own hash does not begin with.
    fn shard(key: K) -> usize {
        (key.into().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(HashMap::len).sum()
    }

    pub fn get(&self, key: K) -> Option<&V> {
        self.0[Self::shard(key)].get(&key)
    }

    pub fn entry(&mut self, key: K) -> Entry<'_, K, V, DefaultHashBuilder> {
        self.0[Self::shard(key)].entry(key)
    }

    pub fn insert(&mut self, key: K, value: V) {
        self.0[Self::shard(key)].insert(key, value);
    }

    pub fn remove(&mut self, key: K) {
        self.0[Self::shard(key)].remove(&key);
    }
}
