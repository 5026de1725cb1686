//! The computing guest on an engine that never interrupts it.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use wasmtime::component::{Component, Linker, TypedFunc};
use wasmtime::{Config, Engine, Store};

/// A store of the guest's.
pub struct Compute {
    store: Mutex<Store<()>>,
    compute: TypedFunc<(u32,), (u64,)>,
}

impl Compute {
    /// Instantiates the component in `path`.
    pub fn new(path: &Path) -> Self {
        let mut config = Config::new();
        config.concurrency_support(false);
        let engine = Engine::new(&config).expect("these settings go together");
        let mut linker = Linker::new(&engine);
        let component = Component::from_file(&engine, path).expect("it was built");
        linker.define_unknown_imports_as_traps(&component).expect("it imports nothing odd");
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &component).expect("it starts");
        let interface = instance.get_export_index(&mut store, None, "bench:calls/compute").expect("it is exported");
        let index = instance.get_export_index(&mut store, Some(&interface), "compute").expect("it is exported");
        let compute = instance.get_typed_func(&mut store, index).expect("it has this type");
        Self { store: Mutex::new(store), compute }
    }

    /// Has it compute.
    pub fn compute(&self, blocks: u32) {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        self.compute.call(&mut *store, (blocks,)).expect("it computes");
    }
}
