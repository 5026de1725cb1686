//! A store of numbers, and clients whose `run` is a script of their arguments. Some steps have bugs, and others do the same
//! without.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lp_guest::{CallError, program};
use test::bugs::store_handles::{self, Store as Handle};
use wasi::clocks::monotonic_clock::wait_for;

lp_guest::node!({ world: "bugs-node", node: Bugs });

static NUMBERS: LazyLock<Mutex<BTreeMap<String, u64>>> = LazyLock::new(Mutex::default);
static PAID: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

fn numbers() -> MutexGuard<'static, BTreeMap<String, u64>> {
    NUMBERS.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn sleep(ms: u64) {
    wait_for(u64::try_from(Duration::from_millis(ms).as_nanos()).unwrap_or(u64::MAX)).await;
}

struct Bugs;

impl StoreGuest for Bugs {
    async fn get(key: String) -> u64 {
        numbers().get(&key).copied().unwrap_or_default()
    }

    async fn set(key: String, value: u64) {
        numbers().insert(key, value);
    }

    async fn add(key: String, value: u64) {
        *numbers().entry(key).or_default() += value;
    }

    async fn pay(key: String, value: u64) {
        *numbers().entry(key).or_default() += value;
        sleep(1).await;
    }

    async fn pay_once(id: String, key: String, value: u64) {
        let is_first = PAID.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        if is_first {
            *numbers().entry(key).or_default() += value;
            sleep(1).await;
        }
    }

    async fn claim(key: String, value: u64) -> bool {
        claim(key, value, false)
    }

    async fn claim_again(key: String, value: u64) -> bool {
        claim(key, value, true)
    }
}

fn claim(key: String, value: u64, again: bool) -> bool {
    let mut numbers = numbers();
    let number = numbers.entry(key).or_default();
    let is_free = *number == 0 || (again && *number == value);
    if is_free {
        *number = value;
    }
    is_free
}

impl RunGuest for Bugs {
    async fn run() -> Result<(), ()> {
        for step in std::env::args().skip(1) {
            let words: Vec<_> = step.split(':').collect();
            if let Err(error) = run_step(&words).await {
                println!("{step}: {error}");
                return Err(());
            }
        }
        Ok(())
    }
}

/// The replica of a handle.
fn store(name: &str) -> Handle {
    store_handles::get(name).expect("the node has the handle")
}

/// Who this is, as a number other than 0.
fn own() -> u64 {
    program::replica_index() as u64 + 1
}

async fn run_step(words: &[&str]) -> Result<(), String> {
    let text = |place: usize| words.get(place).copied().unwrap_or_default();
    let number = |place: usize| text(place).parse::<u64>().unwrap_or_default();
    let failed = |error: CallError| error.to_string();
    let key = || text(1).to_owned();
    let main = store("store");
    match text(0) {
        "noise" => {
            for _ in 0..number(1) {
                main.get("noise".to_owned()).await.map_err(failed)?;
            }
        }
        // Takes about so many milliseconds and gives nobody a turn, so that clients of a plain run keep apart.
        "compute" => {
            std::hint::black_box((0..number(1) * 1_000_000).fold(0u64, |sum, next| std::hint::black_box(sum ^ next)));
        }
        "set" => main.set(key(), number(2)).await.map_err(failed)?,
        "add" => main.add(key(), number(2)).await.map_err(failed)?,
        // A lost update: another client may set the number between the two.
        "increment" => {
            let value = main.get(key()).await.map_err(failed)?;
            main.set(key(), value + 1).await.map_err(failed)?;
        }
        "never" => {
            let value = main.get(key()).await.map_err(failed)?;
            if value == number(2) {
                return Err(format!("found {value}"));
            }
        }
        // Fails if the number changes between two looks from the one value to the other.
        "never-from" => {
            let first = main.get(key()).await.map_err(failed)?;
            let second = main.get(key()).await.map_err(failed)?;
            if (first, second) == (number(2), number(3)) {
                return Err(format!("found {first}, then {second}"));
            }
        }
        "until" => {
            while main.get(key()).await.map_err(failed)? < number(2) {
                sleep(10).await;
            }
        }
        "expect" => {
            let value = main.get(key()).await.map_err(failed)?;
            if value != number(2) {
                return Err(format!("found {value}"));
            }
        }
        "claim-checked" => claim_checked(&main, text(1)).await.map_err(failed)?,
        "claim" => {
            if main.claim(key(), own()).await.map_err(failed)? {
                store("orders").add(key(), 1).await.map_err(failed)?;
            }
        }
        "expect-order" => {
            let orders = store("orders").get(key()).await.map_err(failed)?;
            if orders > number(2) {
                return Err(format!("found {orders} orders"));
            }
        }
        "pay" => pay(&main, number(1), false).await,
        "pay-once" => pay(&main, number(1), true).await,
        "lock" => lock(&main, number(1), false).await.map_err(failed)?,
        "lock-again" => lock(&main, number(1), true).await.map_err(failed)?,
        _ => return Err("no such step".to_owned()),
    }
    Ok(())
}

/// A check of one node, then an act at another one: the seat may be taken meanwhile.
async fn claim_checked(seats: &Handle, key: &str) -> Result<(), CallError> {
    if seats.get(key.to_owned()).await? == 0 {
        store("orders").add(key.to_owned(), 1).await?;
        seats.set(key.to_owned(), own()).await?;
    }
    Ok(())
}

/// Pays 1 so many times, each until that is answered. Without an id, a payment whose answer was lost is made twice.
async fn pay(bank: &Handle, times: u64, with_id: bool) {
    for time in 0..times {
        sleep(20).await;
        let id = format!("{}-{time}", own());
        loop {
            let paid = match with_id {
                true => bank.pay_once(id.clone(), "paid".to_owned(), 1).await,
                false => bank.pay("paid".to_owned(), 1).await,
            };
            match paid {
                Ok(()) => break,
                Err(_) => sleep(10).await,
            }
        }
    }
}

/// Takes a lock so many times. Who crashes with it and starts again can only take it `again` if the lock knows its owner.
async fn lock(locks: &Handle, times: u64, again: bool) -> Result<(), CallError> {
    for _ in 0..times {
        sleep(50).await;
        let key = || "lock".to_owned();
        loop {
            let taken = match again {
                true => locks.claim_again(key(), own()).await?,
                false => locks.claim(key(), own()).await?,
            };
            if taken {
                break;
            }
            sleep(5).await;
        }
        sleep(1).await;
        locks.set(key(), 0).await?;
    }
    Ok(())
}
