//! Methods of a handle resource: the handle comes before the arguments, wherever a guest puts them.

use std::sync::{Arc, Mutex};

use lp_base::scheduler::Scheduler;
use lp_courier::{CallError, Message};
use lp_sandbox::CallStyle;
use wasmtime::component::{Linker, Resource, ResourceType};
use wasmtime::{Store, StoreContextMut};

use super::super::Payload;
use super::harness::{Concurrency, block_on, compile, engine, system};
use crate::import::{Imported, Outcome, link};
use crate::signature::Signature;

/// The handle's number and the request of one call.
type Call = (u32, Vec<u8>);

/// What the methods were called with.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<Call>>>);

struct Thing;

impl Imported<(), Thing> for Calls {
    fn call(
        &self,
        _: StoreContextMut<'_, ()>,
        handle: Option<Resource<Thing>>,
        request: wasmtime::Result<Message, CallError>,
    ) -> Outcome {
        let request = request.expect("it is small");
        let handle = handle.expect("the method has a handle").rep();
        self.0.lock().unwrap().push((handle, request.to_vec()));
        Outcome::Settled(Ok(Payload::Message(Message::default())))
    }

    fn scheduler<'a>(&self, (): &'a ()) -> &'a Scheduler {
        system()
    }

    fn room(&self, (): &()) -> u64 {
        u64::MAX
    }
}

/// A guest that gets thing 7 and calls a method of it with the arguments 1, 2, 3, …, in core values or in memory.
fn guest(arguments: usize) -> String {
    let params: String = (0..arguments).map(|i| format!(r#" (param "p{i}" u32)"#)).collect();
    let (core, call) = if arguments < 16 {
        let values: String = (1..=arguments).map(|i| format!("(i32.const {i})")).collect();
        ("i32 ".repeat(arguments + 1), format!("(call $f (local.get $thing) {values})"))
    } else {
        let store = |i: usize| format!("(i32.store offset={} (i32.const 64) (i32.const {i}))", 4 * i);
        let stores: String = (1..=arguments).map(store).collect();
        let call = format!("(i32.store (i32.const 64) (local.get $thing)) {stores} (call $f (i32.const 64))");
        ("i32".to_owned(), call)
    };
    format!(
        r#"(component
  (import "test:t/things" (instance $things
    (export "thing" (type $thing (sub resource)))
    (export "get" (func (result (own $thing))))
    (export "[method]thing.f" (func (param "self" (borrow $thing)){params}))))
  (core module $libc (memory (export "memory") 1))
  (core instance $libc (instantiate $libc))
  (core func $get (canon lower (func $things "get")))
  (core func $f (canon lower (func $things "[method]thing.f") (memory $libc "memory")))
  (core module $main
    (import "libc" "memory" (memory 1))
    (import "things" "get" (func $get (result i32)))
    (import "things" "f" (func $f (param {core})))
    (func (export "run") (local $thing i32) (local.set $thing (call $get)) {call}))
  (core instance $main (instantiate $main (with "libc" (instance $libc))
    (with "things" (instance (export "get" (func $get)) (export "f" (func $f))))))
  (func (export "run") (canon lift (core func $main "run"))))
"#
    )
}

fn check_method(arguments: usize) {
    let calls = Calls::default();
    let engine = engine(Concurrency::Off);
    let mut linker = Linker::new(engine);
    let mut things = linker.instance("test:t/things").unwrap();
    things.resource("thing", ResourceType::host::<Thing>(), |_, _| Ok(())).unwrap();
    things.func_wrap("get", |_, (): ()| Ok((Resource::<Thing>::new_own(7),))).unwrap();
    let params = if arguments < 16 { arguments + 1 } else { 1 };
    let signature = Signature { params, results: 0, style: CallStyle::Blocking, fallible: false };
    link(&mut things, "[method]thing.f", &signature, Arc::new(calls.clone())).unwrap();
    let component = compile(&guest(arguments), Concurrency::Off).unwrap();
    block_on(async {
        let mut store = Store::new(engine, ());
        let instance = linker.instantiate_async(&mut store, &component).await.unwrap();
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").unwrap();
        run.call_async(&mut store, ()).await.unwrap();
    });
    // Field `i` holds the number `i`; from 16 on its key has two bytes.
    let field = |i: u32| if i < 16 { vec![i as u8 * 8, i as u8] } else { vec![0x80 | (i * 8) as u8, 1, i as u8] };
    let request: Vec<u8> = (1..=arguments as u32).flat_map(field).collect();
    assert_eq!(*calls.0.lock().unwrap(), [(7, request)]);
}

#[test]
fn a_handle_comes_before_arguments_in_core_values() {
    check_method(0);
    check_method(1);
    check_method(15);
}

#[test]
fn a_handle_comes_before_arguments_in_memory() {
    check_method(16);
    check_method(20);
}
