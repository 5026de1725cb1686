//! What every command has: arguments, variables, standard streams, clocks and random numbers.

use std::future::Future;
use std::task::{Context, Poll, Waker};

use futures::join;
use wasip3::cli::{environment, exit, stderr, stdin, stdout, terminal_stderr, terminal_stdin, terminal_stdout};
use wasip3::clocks::{monotonic_clock as clock, system_clock};
use wasip3::random::{insecure, insecure_seed, random};
use wasip3::wit_bindgen::StreamResult;
use wasip3::wit_stream;

const MILLISECOND: u64 = 1_000_000;
const DAY: u64 = 24 * 60 * 60 * 1000 * MILLISECOND;

pub async fn check(name: &str) {
    match name {
        "cli-env" => env(),
        "cli-exit" => exit::exit(Err(())),
        "cli-stdio" => stdio().await,
        "cli-stdio-roundtrip" => stdin_is_at_its_end().await,
        "cli-stdout-flush" => lines_are_shown_at_once().await,
        "cli-terminal" => terminal(),
        "monotonic-clock" => monotonic_clock().await,
        "multi-clock-wait" => waits_beside_each_other().await,
        "random" => random_numbers(),
        "wall-clock" => wall_clock(),
        name => panic!("`{name}` is no check"),
    }
}

fn env() {
    let mut variables = environment::get_environment();
    variables.sort();
    assert_eq!(variables, [("baz".into(), "42".into()), ("foo".into(), "bar".to_owned())]);
    assert_eq!(environment::get_arguments(), ["cli-env", "cli-env", "a", "b", "42"]);
    assert_eq!(environment::get_initial_cwd(), None);
}

/// Each stream may be dropped at either end.
async fn stdio() {
    let (input, ended) = stdin::read_via_stream();
    drop(input);
    is!(ended.await, Ok(()));
    let (mut writer, reader) = wit_stream::new();
    let (written, ()) = join!(stdout::write_via_stream(reader).into_future(), async {
        is!(writer.write(b"\n".to_vec()).await.0, StreamResult::Complete(1));
        drop(writer);
    });
    is!(written, Ok(()));
    let (mut writer, reader) = wit_stream::new();
    let (written, ()) = join!(stderr::write_via_stream(reader).into_future(), async {
        is!(writer.write(b"\n".to_vec()).await.0, StreamResult::Complete(1));
        drop(writer);
    });
    is!(written, Ok(()));
}

/// In place of the suite's test, which sends a text to stdin and expects it at the other two.
async fn stdin_is_at_its_end() {
    let (input, ended) = stdin::read_via_stream();
    assert!(input.collect().await.is_empty());
    is!(ended.await, Ok(()));
}

/// In place of the suite's test, which waits for an answer at stdin: the answer is that a file is there.
async fn lines_are_shown_at_once() {
    let (mut writer, reader) = wit_stream::new();
    let (written, ()) = join!(stdout::write_via_stream(reader).into_future(), async {
        assert!(writer.write_all(b"READY\n".to_vec()).await.is_empty());
        while !std::fs::exists("/up/go").expect("the directory can be read") {
            clock::wait_for(5 * MILLISECOND).await;
        }
        drop(writer);
    });
    is!(written, Ok(()));
}

fn terminal() {
    assert!(terminal_stdin::get_terminal_stdin().is_none());
    assert!(terminal_stdout::get_terminal_stdout().is_none());
    assert!(terminal_stderr::get_terminal_stderr().is_none());
}

async fn monotonic_clock() {
    let since = |start: u64| {
        let now = clock::now();
        assert!(start <= now && now - start < DAY, "from {start} to {now}");
        now - start
    };
    let start = clock::now();
    clock::wait_for(MILLISECOND).await;
    assert!(since(start) >= MILLISECOND);
    clock::wait_for(0).await;
    let start = clock::now();
    clock::wait_until(start + MILLISECOND).await;
    assert!(since(start) >= MILLISECOND);
    clock::wait_until(clock::now()).await;
    clock::wait_until(0).await;
    assert!(clock::get_resolution() > 0);
}

/// Waits for many times at once, some of them past: as one is there, so are all before it.
async fn waits_beside_each_other() {
    let start = clock::now();
    // In no order, from 5 ms ago to 10 ms from now.
    let offsets = (0..20).map(|n| n * 7919 % 15_000 * 1000);
    let times: Vec<u64> = offsets.map(|offset| (start + offset).saturating_sub(5 * MILLISECOND)).collect();
    let mut waits: Vec<_> = times.iter().map(|time| Some(Box::pin(clock::wait_until(*time)))).collect();
    for (n, time) in times.iter().enumerate() {
        let Some(wait) = waits[n].take() else { continue };
        wait.await;
        assert!(*time <= clock::now());
        for (m, earlier) in times.iter().enumerate().filter(|(_, earlier)| *earlier <= time) {
            let Some(mut wait) = waits[m].take() else { continue };
            let polled = wait.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!(polled, Poll::Ready(()), "{earlier} is not there at {time}");
        }
    }
}

fn wall_clock() {
    assert!(system_clock::now().nanoseconds < 1_000_000_000);
    assert!((1..1_000_000_000).contains(&system_clock::get_resolution()));
}

fn random_numbers() {
    assert_eq!(random::get_random_bytes(100).len(), 100);
    assert_ne!(random::get_random_bytes(10), random::get_random_bytes(10));
    assert_ne!(random::get_random_u64(), random::get_random_u64());
    assert_eq!(insecure::get_insecure_random_bytes(100).len(), 100);
    assert_ne!(insecure::get_insecure_random_bytes(100), insecure::get_insecure_random_bytes(100));
    assert_ne!(insecure::get_insecure_random_u64(), insecure::get_insecure_random_u64());
    assert_eq!(insecure_seed::get_insecure_seed(), insecure_seed::get_insecure_seed());
}
