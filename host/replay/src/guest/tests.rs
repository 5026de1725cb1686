//! What guests write and sample, and what the clients of Reverb put into chunks.

use std::num::NonZeroI32;

use lp_base::scheduler::{Scheduler, simulate};
use prost::Message;

use super::messages::{
    Batch, Column, ItemColumn, Keys, NewItem, Request, SampleRequest, Samples, Span, Stream, Tables, Tensor,
    WriteRequest,
};
use super::{Guests, Method, Refusal};
use crate::service::{MemoryLimit, Service};
use crate::table::{Chunk, ChunkHead, ChunkKey, EpisodeId, Gauge, Item, ItemKey, LimiterSpec, TableSpec, Trajectory};
use crate::tests::{fifo, tables};
use crate::wire::{ChunkData, ChunkSlice, Dim, FlatTrajectory, TensorProto, TensorShape, Tensors, TrajectoryColumn};

const FLOAT32: u32 = 1;
const INT32: u32 = 5;
const BYTES: u32 = 15;

/// Runs `test` with these tables in virtual time.
fn check<F: Future<Output = ()>>(
    specs: &[TableSpec],
    limit: Option<MemoryLimit>,
    test: impl Fn(Guests, Scheduler) -> F,
) {
    let run = simulate(7, |scheduler| {
        let service = Service::limited(tables(specs), Gauge::default(), limit, scheduler.clone()).unwrap();
        test(Guests::new(service, None, 1 << 20), scheduler)
    });
    run.unwrap_or_else(|error| panic!("{error:?}"));
}

fn floats(shape: &[u32], numbers: &[f32]) -> Tensor {
    let data: Vec<_> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    Tensor { dtype: FLOAT32, shape: shape.to_vec(), data: data.into() }
}

fn column(source: u32, spans: &[(u64, u32)], squeeze: bool) -> ItemColumn {
    let spans = spans.iter().map(|&(first, count)| Span { first, count }).collect();
    ItemColumn { source, spans, squeeze }
}

fn item(columns: Vec<ItemColumn>) -> NewItem {
    NewItem { table: "t".to_owned(), priority: 1.0, columns }
}

/// What is in a response whose case is `ok` with a message.
fn ok<T: Message + Default>(response: &[u8]) -> T {
    #[derive(Clone, PartialEq, Message)]
    struct Wrapped {
        #[prost(bytes = "vec", tag = "1")]
        value: Vec<u8>,
    }
    let result = Wrapped::decode(response).unwrap().value;
    T::decode(&Wrapped::decode(&result[..]).unwrap().value[..]).unwrap()
}

async fn write(
    guests: &Guests,
    first: u64,
    keep: u32,
    columns: &[Option<Tensor>],
    items: Vec<NewItem>,
) -> Result<usize, Refusal> {
    let columns = columns.iter().map(|value| Column { value: value.clone() }).collect();
    let to = Some(Stream { id: 1, episode: 9, first, keep });
    let request = WriteRequest { to, columns, items }.encode_to_vec();
    let response = guests.call(Some(0), Method::Write, request).await?;
    Ok(ok::<Keys>(&response).keys.len())
}

async fn request(guests: &Guests, method: Method, count: u32, distinct: bool) -> Result<Vec<u8>, Refusal> {
    let request = Request { table: "t".to_owned(), count, timeout_ms: Some(0), distinct };
    guests.call(Some(0), method, SampleRequest { request: Some(request) }.encode_to_vec()).await
}

async fn sampled(guests: &Guests) -> Vec<Tensor> {
    let response = request(guests, Method::Sample, 1, false).await.unwrap();
    ok::<Samples>(&response).samples.remove(0).columns
}

#[test]
fn an_item_has_the_steps_that_were_picked_across_calls_and_with_gaps() {
    check(&[fifo("t", 10)], None, async |guests, _| {
        let texts = Tensor { dtype: BYTES, shape: vec![2], data: (&b"\x01\x02abc"[..]).into() };
        let first = [Some(floats(&[2, 2], &[0.0, 0.5, 1.0, 1.5])), Some(texts.clone())];
        assert_eq!(write(&guests, 0, 10, &first, Vec::new()).await, Ok(0));
        let second = [Some(floats(&[2, 2], &[2.0, 2.5, 3.0, 3.5])), None];
        let columns = vec![
            column(0, &[(0, 1), (2, 2)], false),
            column(0, &[(3, 1), (1, 1)], false),
            column(0, &[(2, 1)], true),
            column(1, &[(1, 1), (0, 1)], false),
        ];
        assert_eq!(write(&guests, 2, 10, &second, vec![item(columns)]).await, Ok(1));
        let expected = [
            floats(&[3, 2], &[0.0, 0.5, 2.0, 2.5, 3.0, 3.5]),
            floats(&[2, 2], &[3.0, 3.5, 1.0, 1.5]),
            floats(&[2], &[2.0, 2.5]),
            Tensor { data: (&b"\x02\x01bca"[..]).into(), ..texts },
        ];
        assert_eq!(sampled(&guests).await, expected);
    });
}

#[test]
fn steps_are_held_as_long_as_the_writer_says_and_mistakes_are_told() {
    check(&[fifo("t", 10)], None, async |guests, _| {
        let step = |first: u64, items| {
            let (guests, steps) = (guests.clone(), [Some(floats(&[1], &[first as f32]))]);
            async move { write(&guests, first, 2, &steps, items).await }
        };
        for first in 0..3 {
            step(first, Vec::new()).await.unwrap();
        }
        step(3, vec![item(vec![column(0, &[(1, 3)], false)])]).await.unwrap();
        let fails = async |columns: Vec<ItemColumn>, reason: &str| {
            let failed = write(&guests, 4, 2, &[], vec![item(columns)]).await;
            assert!(matches!(&failed, Err(Refusal::Failed(text)) if text.contains(reason)), "{failed:?}");
        };
        fails(vec![column(0, &[(1, 1)], false)], "step 1 of column 0 is not held").await;
        fails(vec![column(1, &[(3, 1)], false)], "step 3 of column 1 is not held").await;
        fails(vec![column(0, &[(2, 2)], true)], "a column that is squeezed has one step, and not 2").await;
        fails(Vec::new(), "must not be empty").await;
        let wrong = [Some(Tensor { data: (&b"abc"[..]).into(), ..floats(&[1], &[0.0]) })];
        assert!(write(&guests, 4, 2, &wrong, Vec::new()).await.is_err());
        let uneven = [Some(floats(&[1], &[0.0])), Some(floats(&[2], &[0.0, 1.0]))];
        assert!(write(&guests, 4, 2, &uneven, Vec::new()).await.is_err());
        let nowhere = NewItem { table: "x".to_owned(), ..item(vec![column(0, &[(3, 1)], false)]) };
        let failed = write(&guests, 4, 2, &[], vec![nowhere]).await;
        assert_eq!(failed, Err(Refusal::Failed("there is no table `x`".to_owned())));
        assert_eq!(sampled(&guests).await, [floats(&[3], &[1.0, 2.0, 3.0])]);
    });
}

#[test]
fn a_batch_is_stacked_and_items_that_differ_make_none() {
    let spec = TableSpec { max_times_sampled: NonZeroI32::new(1), ..fifo("t", 10) };
    check(&[spec], None, async |guests, _| {
        for first in [0, 2] {
            let numbers = [first as f32, first as f32 + 1.0];
            let items = vec![item(vec![column(0, &[(first, 2)], false), column(0, &[(first, 1)], true)])];
            write(&guests, first, 2, &[Some(floats(&[2], &numbers))], items).await.unwrap();
        }
        let batch: Batch = ok(&request(&guests, Method::SampleBatch, 2, false).await.unwrap());
        assert_eq!(batch.columns, [floats(&[2, 2], &[0.0, 1.0, 2.0, 3.0]), floats(&[2], &[0.0, 2.0])]);
        assert_eq!((batch.infos.len(), batch.infos[0].table_size), (2, 2));
        let items = vec![item(vec![column(0, &[(4, 1)], false)]), item(vec![column(0, &[(4, 2)], false)])];
        write(&guests, 4, 2, &[Some(floats(&[2], &[4.0, 5.0]))], items).await.unwrap();
        let failed = request(&guests, Method::SampleBatch, 2, false).await;
        assert!(matches!(&failed, Err(Refusal::Failed(text)) if text.contains("use `sample`")), "{failed:?}");
        assert_eq!(request(&guests, Method::SampleBatch, 1, false).await, Err(Refusal::TimedOut));
    });
}

/// A chunk of several columns with differences, as the legacy writer of Reverb makes it.
#[test]
fn chunks_of_the_clients_of_reverb_are_unpacked() {
    check(&[fifo("t", 10)], None, async |guests, _| {
        let shape = |sizes: &[i64]| {
            let dim = sizes.iter().map(|size| Dim { size: *size, name: String::new() }).collect();
            Some(TensorShape { dim, unknown_rank: false })
        };
        let packed = |bytes: &[u8]| snap::raw::Encoder::new().compress_vec(bytes).unwrap();
        let differences: Vec<u8> = [7_i32, -3, 1, -1].iter().flat_map(|number| number.to_le_bytes()).collect();
        let whole = TensorProto { dtype: 3, tensor_shape: shape(&[2, 2]), tensor_content: packed(&differences).into() };
        let half = TensorProto { dtype: 1, tensor_shape: shape(&[2]), tensor_content: packed(&[0; 8]).into() };
        let data = Some(Tensors { tensors: vec![half, whole] });
        let chunk = ChunkData { chunk_key: 5, delta_encoded: true, data, data_tensors_len: 2, ..ChunkData::default() };
        let head = ChunkHead { key: ChunkKey(5), episode: EpisodeId(0) };
        let chunk = Chunk::new(head, chunk.encode_to_vec().into(), guests.service.gauge());
        let slice = ChunkSlice { chunk_key: 5, offset: 0, length: 2, index: 1 };
        let insert = async |key: u64, slice: ChunkSlice| {
            let columns = vec![TrajectoryColumn { chunk_slices: vec![slice], squeeze: false }];
            let message = FlatTrajectory { columns }.encode_to_vec();
            let (trajectory, keys) = Trajectory::read(&message).unwrap();
            let item = Item::new(ItemKey(key), trajectory, &keys, |_| Some(chunk.clone())).unwrap();
            guests.service.insert("t", item, 1.0, None).await.unwrap();
        };
        insert(1, slice).await;
        let data: Vec<u8> = [7_i32, -3, 8, -4].iter().flat_map(|number| number.to_le_bytes()).collect();
        assert_eq!(sampled(&guests).await, [Tensor { dtype: INT32, shape: vec![2, 2], data: data.into() }]);
        // What can't be unpacked is told, whoever sent it.
        for (key, wrong) in [(2, ChunkSlice { length: 3, ..slice }), (3, ChunkSlice { index: 2, ..slice })] {
            guests.service.reset("t").unwrap();
            insert(key, wrong).await;
            let failed = request(&guests, Method::Sample, 1, false).await;
            assert!(matches!(&failed, Err(Refusal::Failed(text)) if text.contains("can't be unpacked")), "{failed:?}");
        }
    });
}

#[test]
fn distinct_samples_are_of_as_many_items() {
    use crate::table::SelectorKind::{Prioritized, Uniform};
    for sampler in [Uniform, Prioritized { exponent: 1.0 }] {
        check(&[TableSpec { sampler, ..fifo("t", 10) }], None, async |guests, _| {
            let items = (0..5).map(|_| item(vec![column(0, &[(0, 1)], true)])).collect();
            write(&guests, 0, 1, &[Some(floats(&[1], &[0.0]))], items).await.unwrap();
            for _ in 0..20 {
                let batch: Batch = ok(&request(&guests, Method::SampleBatch, 8, true).await.unwrap());
                let mut keys: Vec<_> = batch.infos.iter().map(|info| info.key).collect();
                keys.sort_unstable();
                keys.dedup();
                assert_eq!((keys.len(), batch.infos.len()), (5, 5));
            }
        });
    }
}

#[test]
fn a_node_that_is_full_has_inserts_wait_or_items_make_room() {
    for evicts in [false, true] {
        let limit = MemoryLimit { bytes: 10_000, evicts };
        check(&[fifo("t", 100)], Some(limit), async |guests, scheduler| {
            let keeper = guests.clone();
            let _keeping = scheduler.spawn(async move { keeper.service.keep_room().await });
            let mut chance = fastrand::Rng::with_seed(1);
            let numbers: Vec<f32> = (0..4000).map(|_| chance.f32()).collect();
            let insert = async |first: u64| {
                let items = vec![item(vec![column(0, &[(first, 1)], true)])];
                write(&guests, first, 0, &[Some(floats(&[1, 1000], &numbers[..1000]))], items).await
            };
            for first in 0..2 {
                insert(first).await.unwrap();
            }
            let tables = async || {
                let response = guests.call(None, Method::Info, Vec::new()).await.unwrap();
                ok::<Tables>(&response).tables.remove(0)
            };
            if evicts {
                insert(2).await.unwrap();
                assert_eq!(tables().await.size, 2);
            } else {
                let other = guests.clone();
                let numbers = numbers.clone();
                let third = scheduler.spawn(async move {
                    let items = vec![item(vec![column(0, &[(2, 1)], true)])];
                    write(&other, 2, 0, &[Some(floats(&[1, 1000], &numbers[..1000]))], items).await
                });
                scheduler.sleep(std::time::Duration::from_secs(1)).await;
                let info = tables().await;
                assert_eq!((info.size, info.waits.len()), (2, 1));
                assert!(info.waits[0].reason.contains("10000 are all that it may have"), "{}", info.waits[0].reason);
                guests.service.mutate("t", &[], &[ItemKey(request_key(&guests).await)]).unwrap();
                third.await.unwrap().unwrap();
                assert_eq!(tables().await.size, 2);
            }
            let failed = write(
                &guests,
                3,
                0,
                &[Some(floats(&[1, 4000], &numbers))],
                vec![item(vec![column(0, &[(3, 1)], true)])],
            )
            .await;
            assert!(
                matches!(&failed, Err(Refusal::Failed(text)) if text.contains("more than the 10000")),
                "{failed:?}"
            );
        });
    }
}

async fn request_key(guests: &Guests) -> u64 {
    let response = request(guests, Method::Sample, 1, false).await.unwrap();
    ok::<Samples>(&response).samples[0].info.unwrap().key
}

#[test]
fn a_limiter_is_changed_while_others_wait_for_it() {
    let spec = TableSpec { limiter: LimiterSpec::min_size(5), ..fifo("t", 10) };
    check(&[spec], None, async |guests, scheduler| {
        let items = vec![item(vec![column(0, &[(0, 1)], true)])];
        write(&guests, 0, 1, &[Some(floats(&[1], &[3.0]))], items).await.unwrap();
        let other = guests.clone();
        let waiting = scheduler.spawn(async move {
            let request = Request { table: "t".to_owned(), count: 1, timeout_ms: None, distinct: false };
            other.call(None, Method::Sample, SampleRequest { request: Some(request) }.encode_to_vec()).await
        });
        scheduler.sleep(std::time::Duration::from_secs(1)).await;
        let limiter =
            super::messages::RateLimiter { samples_per_insert: 1.0, min_size: 1, min_diff: -1e9, max_diff: 1e9 };
        let set = |limiter| super::messages::SetRateLimiterRequest { table: "t".to_owned(), limiter: Some(limiter) };
        let wrong = super::messages::RateLimiter { min_size: 0, ..limiter };
        assert!(guests.call(None, Method::SetRateLimiter, set(wrong).encode_to_vec()).await.is_err());
        guests.call(None, Method::SetRateLimiter, set(limiter).encode_to_vec()).await.unwrap();
        assert_eq!(ok::<Samples>(&waiting.await.unwrap().unwrap()).samples.len(), 1);
    });
}

#[test]
fn a_step_that_is_an_item_by_itself_is_not_packed_with_many_others() {
    use super::messages::Tensor;
    use super::tensor::parts;
    // Of 4000 bytes each, of 8, and of none.
    for (inner, item_rows, sizes) in [
        (1000, Some(1), vec![1; 40]),
        (1000, Some(16), vec![16, 16, 8]),
        (1000, None, vec![16, 16, 8]),
        (2, Some(1), vec![40]),
        (0, Some(1), vec![40]),
    ] {
        let data: Vec<u8> = (0..inner * 4 * 40).map(|byte| byte as u8).collect();
        let tensor = Tensor { dtype: 1, shape: vec![40, inner], data: data.clone().into() };
        let parts = parts(&tensor, item_rows);
        assert!(parts.iter().map(|(_, part)| part.shape[0]).eq(sizes), "{inner} {item_rows:?}");
        let firsts = parts.iter().scan(0, |first, (_, part)| Some(std::mem::replace(first, *first + part.shape[0])));
        assert!(parts.iter().map(|(first, _)| *first).eq(firsts));
        assert_eq!(parts.iter().flat_map(|(_, part)| part.data.to_vec()).collect::<Vec<_>>(), data);
    }
}
