//! Distributed programs made of sandboxed WebAssembly components: the library behind the command `lp-host`.
//!
//! A program that is built in Rust runs in five lines:
//!
//! ```
//! # // A component that does nothing, in place of one of yours.
//! # let dir = tempfile::tempdir()?;
//! # let text = r#"(component
//! #   (core module $m (func (export "run") (result i32) (i32.const 0)))
//! #   (core instance $i (instantiate $m))
//! #   (func $run (result (result)) (canon lift (core func $i "run")))
//! #   (instance $r (export "run" (func $run)))
//! #   (export "wasi:cli/run@0.2.0" (instance $r)))"#;
//! # let component = dir.path().join("hello.wasm");
//! # std::fs::write(&component, wat::parse_str(text)?)?;
//! use lp_host::RunOptions;
//! use lp_host::plan::LaunchType;
//! use lp_host::program::{Node, Program};
//! use lp_host::supervise::Outcome;
//!
//! let mut program = Program::new("hello");
//! program.add_node(Node::component("hello", component).replicas(2));
//! let (plan, components) = lp_host::lower(&program.link()?, LaunchType::Threads);
//! let run = lp_host::run(plan, RunOptions { components, ..RunOptions::default() });
//! let report = tokio::runtime::Runtime::new()?.block_on(run)?;
//! # assert_eq!(report.replicas.len(), 2);
//! assert_eq!(report.outcome, Outcome::Finished);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`testing::ProgramTest`] runs one in a `#[test]`, in virtual time, in the sandbox that `lp-host test` has:
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let text = r#"(component
//! #   (core module $m
//! #     (global $sum (mut i64) (i64.const 0))
//! #     (func (export "add") (param i64) (result i64)
//! #       (global.set $sum (i64.add (global.get $sum) (local.get 0)))
//! #       (global.get $sum)))
//! #   (core instance $i (instantiate $m))
//! #   (func $add (param "n" u64) (result u64) (canon lift (core func $i "add")))
//! #   (instance $c (export "add" (func $add)))
//! #   (export "demo:counting/counter" (instance $c)))"#;
//! # std::fs::write(dir.path().join("counter.wasm"), wat::parse_str(text)?)?;
//! # let file = dir.path().join("program.toml");
//! # std::fs::write(&file, "name = 'counting'\n[nodes.counter]\ncomponent = 'counter.wasm'\n")?;
//! use lp_host::testing::ProgramTest;
//!
//! // Another program: `.without_run("client")`, `.double("store", ["get(_) -> none"])`, `.component("store", "fake.wasm")`.
//! let test = ProgramTest::load(file)?.seed(7);
//! let ran = test.run(async |program| {
//!     assert_eq!(program.call("counter.add(2)").await.as_deref(), Ok("2"));
//!     program.call("counter.add(3)").await
//! })?;
//! assert_eq!(ran.calls_of("counter").count(), 2);
//! assert_eq!(ran.value?, "5");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`RunOptions`] says where output goes, what is kept and how the program is stopped. With [`scheduler::simulate`] a program runs
//! in virtual time, as a seed decides.
//!
#![doc = include_str!("../ARCHITECTURE.md")]

pub use lp_agent as agent;
pub use lp_base::{calls, interfaces, lease, own_dir, plan, protobuf, replica, scheduler, shown, words};
pub use lp_build as build;
pub use lp_component::{component, proto, script, value};
pub use lp_courier as courier;
pub use lp_engine as engine;
pub use lp_program::{lower, program};
pub use lp_remote as remote;
pub use lp_replay as replay;
pub use lp_run::{RunError, RunOptions, run};
pub use lp_run::{launch, node, observe, supervise, worker};
pub use lp_runtime as runtime;
pub use lp_sandbox as sandbox;
pub use lp_testing as testing;
pub use lp_trust as trust;

pub mod cli;
