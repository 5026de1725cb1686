//! Tables against a model that looks at every item each time.

use std::num::NonZeroI32;
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// One operation.
#[derive(Clone, Debug)]
enum Step {
    Insert { key: u64, priority: f64 },
    Sample,
    Update { key: u64, priority: f64 },
    Delete { key: u64 },
    Reset,
    BeginSnapshot,
    SaveSome,
}

#[derive(Clone, Debug, PartialEq)]
struct Known {
    key: u64,
    priority: f64,
    /// When it was inserted or last got a priority.
    changed: u64,
    times: i32,
}

/// The items in the order in which they were inserted.
struct Model {
    spec: TableSpec,
    items: Vec<Known>,
    counts: Counts,
    unique: i64,
    changes: u64,
}

fn item(key: u64) -> Arc<Item> {
    let chunk = chunk(key, key / 3);
    let message = [0x0a, 0x04, 0x0a, 0x02, 0x08, key as u8];
    let (trajectory, keys) = Trajectory::read(&message).expect("it has one slice");
    Item::new(ItemKey(key), trajectory, &keys, |_| Some(chunk.clone())).expect("the chunk is there")
}

fn chunk(key: u64, episode: u64) -> Chunk {
    let bytes = [0x08, key as u8, 0x12, 0x02, 0x08, episode as u8];
    Chunk::new(ChunkHead::read(&bytes).expect("a chunk"), Bytes::copy_from_slice(&bytes), &Gauge::default())
}

impl Model {
    /// The probability of each item to be selected.
    fn probabilities(&self, kind: SelectorKind) -> Vec<f64> {
        let n = self.items.len();
        let by_weight = |weights: Vec<f64>| {
            let total: f64 = weights.iter().sum();
            weights.iter().map(|weight| if total > 0.0 { weight / total } else { 1.0 / n as f64 }).collect()
        };
        let only = |index: Option<usize>| (0..n).map(|at| f64::from(Some(at) == index)).collect();
        let first = |sign: f64| {
            let order = |a: &usize, b: &usize| {
                let rank = |at: &usize| (self.items[*at].priority * sign, self.items[*at].changed);
                rank(a).partial_cmp(&rank(b)).unwrap()
            };
            only((0..n).min_by(order))
        };
        match kind {
            SelectorKind::Uniform => vec![1.0 / n as f64; n],
            SelectorKind::Prioritized { exponent } => by_weight(
                self.items
                    .iter()
                    .map(|known| if known.priority == 0.0 { 0.0 } else { known.priority.powf(exponent) })
                    .collect(),
            ),
            SelectorKind::Fifo => only(Some(0)),
            SelectorKind::Lifo => only(n.checked_sub(1)),
            SelectorKind::MinHeap => first(1.0),
            SelectorKind::MaxHeap => first(-1.0),
        }
    }

    fn probability(&self, kind: SelectorKind, key: u64) -> f64 {
        self.probabilities(kind)[self.place(key).expect("the item is known")]
    }

    fn place(&self, key: u64) -> Option<usize> {
        self.items.iter().position(|known| known.key == key)
    }

    fn delete(&mut self, key: u64) {
        let place = self.place(key).expect("the item is known");
        self.items.remove(place);
        self.counts.deletes += 1;
    }

    fn change(&mut self, place: usize, priority: f64) {
        self.changes += 1;
        self.items[place].priority = priority;
        self.items[place].changed = self.changes;
    }
}

/// A table and its model, with the snapshot that is on its way.
struct Both {
    table: Table,
    model: Model,
    random: fastrand::Rng,
    /// The model's items when the snapshot began, and what has been saved.
    snapshot: Option<(Vec<Known>, Vec<SavedItem>)>,
}

impl Both {
    fn new(spec: TableSpec, seed: u64) -> Self {
        let table = Table::new(spec.clone()).expect("the table can be made");
        let model = Model { spec, items: Vec::new(), counts: Counts::default(), unique: 0, changes: 0 };
        Self { table, model, random: fastrand::Rng::with_seed(seed), snapshot: None }
    }

    fn apply(&mut self, step: &Step) {
        let mut removed = Removed::default();
        match *step {
            Step::Insert { key, priority } => self.insert(key, priority, &mut removed),
            Step::Sample => self.sample(&mut removed),
            Step::Update { key, priority } => {
                let place = self.model.place(key);
                assert_eq!(self.table.update(ItemKey(key), priority), Ok(place.is_some()));
                if let Some(place) = place {
                    self.model.change(place, priority);
                }
            }
            Step::Delete { key } => {
                let is_there = self.model.place(key).is_some();
                assert_eq!(self.table.delete(ItemKey(key), &mut removed), is_there);
                if is_there {
                    self.model.delete(key);
                }
            }
            Step::Reset => {
                self.table.reset(&mut removed);
                self.model.items.clear();
                self.model.counts = Counts::default();
                self.model.unique = 0;
            }
            Step::BeginSnapshot => {
                let saved = self.table.begin_snapshot();
                assert_eq!(saved.counts, self.model.counts);
                self.snapshot = Some((self.model.items.clone(), Vec::new()));
            }
            Step::SaveSome => self.save_some(&mut removed),
        }
        self.compare();
    }

    fn insert(&mut self, key: u64, priority: f64, removed: &mut Removed) {
        let place = self.model.place(key);
        let inserted = self.table.insert(item(key), priority, 7, &mut self.random, removed).expect("a good priority");
        assert_eq!(inserted == Inserted::Updated, place.is_some());
        if let Some(place) = place {
            return self.model.change(place, priority);
        }
        self.model.changes += 1;
        self.model.items.push(Known { key, priority, changed: self.model.changes, times: 0 });
        self.model.counts.inserts += 1;
        if self.model.items.len() > self.model.spec.max_size {
            let gone = removed.items[0].key().0;
            assert!(self.model.probability(self.model.spec.remover, gone) > 0.0, "{gone} made room");
            self.model.delete(gone);
        }
        assert_eq!(removed.items.len(), (self.model.counts.deletes > 0 && !removed.items.is_empty()) as usize);
    }

    fn sample(&mut self, removed: &mut Removed) {
        let Some(sample) = self.table.sample(&mut self.random, removed) else {
            return assert!(self.model.items.is_empty());
        };
        let key = sample.item.key().0;
        let expected = self.model.probability(self.model.spec.sampler, key);
        assert!(expected > 0.0 && (sample.probability - expected).abs() < 1e-9, "{key}: {expected}, {sample:?}");
        assert_eq!(sample.table_size, self.model.items.len());
        self.model.counts.samples += 1;
        let place = self.model.place(key).unwrap();
        let known = &mut self.model.items[place];
        self.model.unique += i64::from(known.times == 0);
        known.times += 1;
        assert_eq!((sample.times_sampled, sample.priority), (known.times, known.priority));
        if self.model.spec.max_times_sampled.is_some_and(|most| known.times >= most.get()) {
            self.model.delete(key);
        }
    }

    fn save_some(&mut self, removed: &mut Removed) {
        let Some((expected, saved)) = &mut self.snapshot else { return };
        if self.table.save_some(2, saved, removed) {
            return;
        }
        saved.sort_by_key(|saved| saved.sequence);
        let found: Vec<_> =
            saved.iter().map(|saved| (saved.item.key().0, saved.priority, saved.times_sampled)).collect();
        let expected: Vec<_> = expected.iter().map(|known| (known.key, known.priority, known.times)).collect();
        assert_eq!(found, expected, "the snapshot is of another moment");
        self.snapshot = None;
    }

    fn compare(&self) {
        let info = self.table.info();
        let episodes: std::collections::BTreeSet<_> = self.model.items.iter().map(|known| known.key / 3).collect();
        assert_eq!(info.size, self.model.items.len());
        assert_eq!(info.counts, self.model.counts);
        assert_eq!(info.num_episodes, episodes.len());
        assert_eq!(info.num_unique_samples, self.model.unique);
    }
}

fn kinds() -> impl Strategy<Value = SelectorKind> {
    prop_oneof![
        Just(SelectorKind::Uniform),
        prop_oneof![Just(0.0), Just(0.6), Just(1.0), Just(-1.0)]
            .prop_map(|exponent| SelectorKind::Prioritized { exponent }),
        Just(SelectorKind::Fifo),
        Just(SelectorKind::Lifo),
        Just(SelectorKind::MinHeap),
        Just(SelectorKind::MaxHeap),
    ]
}

fn priorities() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(1.0), 0.0..10.0]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keys = 0..24_u64;
    let step = prop_oneof![
        8 => (keys.clone(), priorities()).prop_map(|(key, priority)| Step::Insert { key, priority }),
        6 => Just(Step::Sample),
        4 => (keys.clone(), priorities()).prop_map(|(key, priority)| Step::Update { key, priority }),
        3 => keys.prop_map(|key| Step::Delete { key }),
        1 => Just(Step::Reset),
        1 => Just(Step::BeginSnapshot),
        4 => Just(Step::SaveSome),
    ];
    prop::collection::vec(step, 1..120)
}

fn spec(sampler: SelectorKind, remover: SelectorKind, max_size: usize, times: i32) -> TableSpec {
    let limiter = LimiterSpec::min_size(1);
    let max_times_sampled = NonZeroI32::new(times);
    TableSpec { name: "t".to_owned(), sampler, remover, max_size, max_times_sampled, limiter, signature: None }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_does_as_its_model(
        sampler in kinds(),
        remover in kinds(),
        max_size in prop_oneof![1..12_usize, Just(100)],
        times in 0..4,
        seed in any::<u64>(),
        steps in steps(),
    ) {
        let mut both = Both::new(spec(sampler, remover, max_size, times), seed);
        for step in &steps {
            both.apply(step);
        }
    }
}

#[test]
fn samples_come_as_often_as_their_probability_says() {
    for (kind, total) in [(SelectorKind::Prioritized { exponent: 0.5 }, 1.0 + 2.0 + 3.0), (SelectorKind::Uniform, 4.0)]
    {
        let mut table = Table::new(spec(kind, SelectorKind::Fifo, 10, 0)).unwrap();
        let (mut random, mut removed) = (fastrand::Rng::with_seed(1), Removed::default());
        for (key, priority) in [(0, 0.0), (1, 1.0), (2, 4.0), (3, 9.0)] {
            table.insert(item(key), priority, 0, &mut random, &mut removed).unwrap();
        }
        let mut found = [0_u32; 4];
        for _ in 0..60_000 {
            found[table.sample(&mut random, &mut removed).unwrap().item.key().0 as usize] += 1;
        }
        for (key, count) in found.into_iter().enumerate() {
            let weight = if kind == SelectorKind::Uniform { 1.0 } else { key as f64 };
            assert!((f64::from(count) / 60_000.0 - weight / total).abs() < 0.01, "{kind:?}: {found:?}");
        }
    }
}

#[test]
fn a_bad_priority_is_refused_and_the_table_lives_on() {
    let mut table = Table::new(spec(SelectorKind::Fifo, SelectorKind::Prioritized { exponent: 2.0 }, 10, 0)).unwrap();
    let (mut random, mut removed) = (fastrand::Rng::with_seed(1), Removed::default());
    for (priority, error) in [
        (-1.0, PriorityError::Negative),
        (f64::NAN, PriorityError::NaN),
        (1e200, PriorityError::TooLarge(1e200)),
        (f64::INFINITY, PriorityError::TooLarge(f64::INFINITY)),
    ] {
        assert_eq!(table.insert(item(1), priority, 0, &mut random, &mut removed), Err(error));
        assert_eq!(table.update(ItemKey(1), priority), Err(error));
    }
    assert_eq!(table.insert(item(1), 0.0, 0, &mut random, &mut removed), Ok(Inserted::New));
    assert!(table.sample(&mut random, &mut removed).is_some());
}

#[test]
fn a_lifo_remover_takes_the_newcomer() {
    let mut table = Table::new(spec(SelectorKind::Fifo, SelectorKind::Lifo, 2, 0)).unwrap();
    let (mut random, mut removed) = (fastrand::Rng::with_seed(1), Removed::default());
    for key in 0..4 {
        table.insert(item(key), 1.0, 0, &mut random, &mut removed).unwrap();
    }
    assert_eq!(removed.items.iter().map(|item| item.key().0).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_limiter_follows_the_formula() {
    let counts = |inserts, samples, deletes| Counts { inserts, samples, deletes };
    let limiter = |spec, counts| Limiter { spec, counts };
    let ratio = LimiterSpec::sample_to_insert_ratio(2.0, 3, 4.0);
    for (limiter, can_insert, can_sample) in [
        (limiter(LimiterSpec::min_size(2), counts(1, 0, 0)), true, false),
        (limiter(LimiterSpec::min_size(2), counts(2, 0, 0)), true, true),
        (limiter(LimiterSpec::min_size(2), counts(3, 9, 2)), true, false),
        (limiter(LimiterSpec::queue(2), counts(2, 0, 0)), false, true),
        (limiter(LimiterSpec::queue(2), counts(2, 1, 1)), true, true),
        (limiter(LimiterSpec::queue(2), counts(2, 2, 2)), true, false),
        // 2 * 5 = 10 is the most, and 2 the least.
        (limiter(ratio, counts(5, 0, 0)), false, true),
        (limiter(ratio, counts(5, 1, 0)), false, true),
        (limiter(ratio, counts(5, 2, 0)), true, true),
        (limiter(ratio, counts(5, 8, 0)), true, false),
        (limiter(ratio, counts(9, 0, 7)), true, false),
    ] {
        assert_eq!((limiter.can_insert(), limiter.can_sample()), (can_insert, can_sample), "{limiter:?}");
        assert_eq!(limiter.insert_waits().is_none(), can_insert);
        assert_eq!(limiter.sample_waits().is_none(), can_sample);
    }
    let bad = LimiterSpec { min_diff: 1.0, ..LimiterSpec::queue(0) };
    assert_eq!(bad.check(), Err(LimiterError::Bounds { min: 1.0, max: 0.0 }));
    assert_eq!(LimiterSpec::min_size(0).check(), Err(LimiterError::MinSize(0)));
    assert_eq!(LimiterSpec::sample_to_insert_ratio(0.0, 1, 1.0).check(), Err(LimiterError::Ratio(0.0)));
}

#[test]
fn a_trajectory_names_each_chunk_once_in_the_order_of_appearance() {
    let slice = |key: u8| vec![0x0a, 0x02, 0x08, key];
    let column = |keys: &[u8]| {
        let slices: Vec<_> = keys.iter().flat_map(|key| slice(*key)).collect();
        [vec![0x0a, slices.len() as u8], slices].concat()
    };
    let keys = |columns: &[&[u8]]| {
        let message: Vec<_> = columns.iter().flat_map(|keys| column(keys)).collect();
        Trajectory::read(&message).map(|(_, keys)| keys.iter().map(|key| key.0).collect::<Vec<_>>())
    };
    assert_eq!(keys(&[&[3, 1, 3], &[2, 1]]), Ok(vec![3, 1, 2]));
    let many: Vec<u8> = (0..20).chain(0..10).collect();
    assert_eq!(keys(&[&many, &many]), Ok((0..20).collect()));
    assert_eq!(keys(&[&[], &[1]]), Err(TrajectoryError::Empty));
    assert_eq!(keys(&[]), Err(TrajectoryError::Empty));
    assert!(matches!(Trajectory::read(&[0x0a, 9]), Err(TrajectoryError::Malformed(_))));
}

#[test]
fn a_chunk_is_freed_with_the_last_item_that_has_it() {
    let gauge = Gauge::default();
    let shared = Chunk::new(chunk(1, 1).0.head, Bytes::from_static(&[8, 1]), &gauge);
    let item = |key| {
        let (trajectory, keys) = Trajectory::read(&[0x0a, 0x04, 0x0a, 0x02, 0x08, 1]).unwrap();
        Item::new(ItemKey(key), trajectory, &keys, |_| Some(shared.clone())).unwrap()
    };
    let (mut random, mut removed) = (fastrand::Rng::with_seed(1), Removed::default());
    let mut tables = [SelectorKind::Fifo, SelectorKind::Lifo].map(|kind| Table::new(spec(kind, kind, 10, 0)).unwrap());
    for table in &mut tables {
        table.insert(item(1), 1.0, 0, &mut random, &mut removed).unwrap();
    }
    let references = |chunk: &Chunk| Arc::strong_count(&chunk.0);
    assert_eq!(references(&shared), 3);
    assert!(tables[0].delete(ItemKey(1), &mut removed));
    tables[1].reset(&mut removed);
    drop(removed);
    assert_eq!((references(&shared), gauge.bytes()), (1, 2));
    drop(shared);
    assert_eq!(gauge.bytes(), 0);
}
