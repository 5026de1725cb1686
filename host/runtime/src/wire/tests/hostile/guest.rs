//! The text of components whose core values, memory and allocator are a test's choice.

use super::super::forwarder::INTERFACE;
use super::super::forwarder::types::Types;

/// The parts of a guest that imports and exports an `f`. By default it does nothing.
#[derive(Default)]
pub struct Parts {
    pub types: Types,
    /// The imported `f`, without the enclosing `(func …)`, and its core type.
    pub imported: String,
    pub core_import: String,
    /// The exported `f`, without the enclosing `(func …)`.
    pub exported: String,
    /// Core functions: the export "f", and what the canonical options in `lift` name.
    pub code: String,
    pub lift: &'static str,
    /// The result of an asynchronous task, for a guest that calls `$task-return`, and its core type.
    pub returned: Option<(String, String)>,
    /// What `realloc` returns.
    pub realloc: &'static str,
    /// What the memory holds at `AT` and at `HEAP`.
    pub memory: (Vec<u8>, Vec<u8>),
}

/// Where the value that is handed over is in memory.
pub const AT: u32 = 64;
/// Where what it points to is in memory.
pub const HEAP: u32 = 4096;
/// The size of the memory: 2 MiB.
pub const MEMORY: u32 = 1 << 21;

impl Parts {
    /// The text of the component.
    pub fn text(&self) -> String {
        let Parts { imported, core_import, exported, code, lift, realloc, .. } = self;
        let (declarations, aliases) = (self.types.declarations(), self.types.aliases());
        let (at, heap) = (data(AT, &self.memory.0), data(HEAP, &self.memory.1));
        let (task_return, import_task_return, with_task_return) = self.task_return();
        format!(
            r#"(component
  (import "{INTERFACE}" (instance $svc
{declarations}    (export "f" (func {imported}))))
{aliases}
  (core module $libc-module
    (memory (export "memory") 32)
    {at}
    {heap}
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc}))
  (core instance $libc (instantiate $libc-module))
  (core func $import (canon lower (func $svc "f") (memory $libc "memory") (realloc (func $libc "realloc"))))
  {task_return}
  (core module $main-module
    (import "import" "f" (func $import {core_import}))
    {import_task_return}
    {code})
  (core instance $main (instantiate $main-module
    (with "import" (instance (export "f" (func $import)) {with_task_return}))))
  (func $f {exported} (canon lift (core func $main "f") {lift}
    (memory $libc "memory") (realloc (func $libc "realloc"))))
  (instance $out (export "f" (func $f)))
  (export "{INTERFACE}" (instance $out)))
"#
        )
    }

    /// The intrinsic, its import into the core module, and what satisfies that.
    fn task_return(&self) -> (String, String, &'static str) {
        let Some((result, core)) = &self.returned else {
            return (String::new(), String::new(), "");
        };
        (
            format!(r#"(core func $task-return (canon task.return {result} (memory $libc "memory")))"#),
            format!(r#"(import "import" "task-return" (func $task-return {core}))"#),
            r#"(export "task-return" (func $task-return))"#,
        )
    }
}

fn data(at: u32, bytes: &[u8]) -> String {
    let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!(r#"(data (i32.const {at}) "{bytes}")"#)
}
