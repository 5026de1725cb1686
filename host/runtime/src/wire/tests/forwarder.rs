//! The text of components that import `test:t/svc`, with one function `f`, and export the same by calling the import.
//!
//! Every value passes through the guest's memory and the flat core values of its signature, as it does in a guest made
//! by a toolchain, so one call shows the codec in all four places: parameters in and out, results in and out.

mod moves;
pub mod types;

use moves::{Direction, Slot, moves};
use types::Types;

use super::wit_type::{Core, Signature, WitType};

/// The name of the interface that a forwarder imports and exports.
pub const INTERFACE: &str = "test:t/svc";

/// How `f` is declared, lifted and lowered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Style {
    /// `func`, with the blocking ABI on both sides.
    Sync,
    /// `async func`, with the blocking ABI on both sides.
    AsyncBlocking,
    /// `async func`, with the asynchronous ABI: a callback on the export, a subtask on the import.
    Async,
}

/// As many flat values fit the parameters of an export or a blocking import, and the result of an asynchronous task.
const FLAT_MAX: usize = 16;
/// As many flat values fit the parameters of an import that is lowered with the asynchronous ABI.
const FLAT_ASYNC_MAX: usize = 4;

/// The text of the component that forwards a function of this signature in this style.
pub fn component(signature: &Signature, style: Style) -> String {
    let mut types = Types::default();
    let function = types.function(signature, style != Style::Sync);
    let (declarations, aliases) = (types.declarations(), types.aliases());
    let body = match style {
        Style::Sync | Style::AsyncBlocking => blocking(signature, &function),
        Style::Async => asynchronous(signature, &function, &types.result(signature)),
    };
    format!(
        r#"(component
  (import "{INTERFACE}" (instance $svc
{declarations}    (export "f" (func {function}))))
{aliases}{LIBC}
{body}
  (instance $out (export "f" (func $f)))
  (export "{INTERFACE}" (instance $out)))
"#
    )
}

/// A bump allocator, which only ever grows what is reallocated. `reset` frees everything, so that one instance can take any number of calls.
const LIBC: &str = r#"
  (core module $libc-module
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func (export "reset") (global.set $top (i32.const 1024)))
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $size i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $top (i32.add (local.get $at) (local.get $size)))
      (block $fits
        (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
        (br_if $fits (i32.ne (i32.const -1) (memory.grow
          (i32.add (i32.const 2) (i32.shr_u (local.get $size) (i32.const 16))))))
        (unreachable))
      (memory.copy (local.get $at) (local.get $old) (local.get $old-size))
      (local.get $at)))
  (core instance $libc (instantiate $libc-module))
"#;

/// What the core module of either kind imports from the allocator.
const LIBC_IMPORTS: &str = r#"
    (import "libc" "memory" (memory 0))
    (import "libc" "reset" (func $reset))
    (import "libc" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))"#;

/// The core module of a forwarder with the blocking ABI, its import and its export.
fn blocking(signature: &Signature, function: &str) -> String {
    let (params, names) = locals("p", &flat_params(signature));
    let result = signature.result.as_ref().map(|ty| (ty.flat(), ty.size_align()));
    let (import, results, body) = match result {
        None => (params.clone(), String::new(), format!("(call $import {names})")),
        Some((flat, _)) if flat.len() == 1 => {
            let results = format!("(result {})", flat[0].name());
            (format!("{params} {results}"), results, format!("(call $import {names})"))
        }
        Some((_, (size, align))) => {
            let body = format!(
                "(local $ret i32) (local.set $ret {})
      (call $import {names} (local.get $ret)) (local.get $ret)",
                allocate(size, align)
            );
            (format!("{params} (param i32)"), "(result i32)".to_owned(), body)
        }
    };
    let returned = results.replace("result", "param");
    let strings = signature.strings.option();
    format!(
        r#"  (core func $import (canon lower (func $svc "f")
    (memory $libc "memory") (realloc (func $libc "realloc")) {strings}))
  (core module $main-module{LIBC_IMPORTS}
    (import "import" "f" (func $import {import}))
    (func (export "f") {params} {results} {body})
    (func (export "post-return") {returned} (call $reset)))
  (core instance $main (instantiate $main-module
    (with "libc" (instance $libc))
    (with "import" (instance (export "f" (func $import))))))
  (func $f {function} (canon lift (core func $main "f")
    (memory $libc "memory") (realloc (func $libc "realloc")) {strings} (post-return (func $main "post-return"))))"#
    )
}

/// The core module of a forwarder with the asynchronous ABI, its import, its export and the intrinsics it needs.
fn asynchronous(signature: &Signature, function: &str, result: &str) -> String {
    let flat = flat_params(signature);
    let (params, names) = locals("p", &flat);
    let tuple = WitType::Tuple(signature.params.clone());
    let (mut import, mut arguments, mut before) = (params.clone(), names, String::new());
    if flat.len() > FLAT_ASYNC_MAX {
        let (size, align) = tuple.size_align();
        let slots = Slot::named("p", &flat);
        before = format!("(local.set $base {}) {}", allocate(size, align), moves(&tuple, Direction::Store, slots));
        (import, arguments) = ("(param i32)".to_owned(), "(local.get $base)".to_owned());
    }
    if let Some(ty) = &signature.result {
        let (size, align) = ty.size_align();
        before += &format!(" (global.set $ret {})", allocate(size, align));
        import += " (param i32)";
        arguments += " (global.get $ret)";
    }
    let strings = signature.strings.option();
    let (returned, finish) = finish(signature.result.as_ref());
    format!(
        r#"  (core func $import (canon lower (func $svc "f") async
    (memory $libc "memory") (realloc (func $libc "realloc")) {strings}))
  (core func $task-return (canon task.return {result} (memory $libc "memory") {strings}))
  (core func $set-new (canon waitable-set.new))
  (core func $set-drop (canon waitable-set.drop))
  (core func $join (canon waitable.join))
  (core func $subtask-drop (canon subtask.drop))
  (core module $main-module{LIBC_IMPORTS}
    (import "import" "f" (func $import {import} (result i32)))
    (import "import" "task-return" (func $task-return {returned}))
    (import "import" "set-new" (func $set-new (result i32)))
    (import "import" "set-drop" (func $set-drop (param i32)))
    (import "import" "join" (func $join (param i32 i32)))
    (import "import" "subtask-drop" (func $subtask-drop (param i32)))
    (global $ret (mut i32) (i32.const 0))
    (global $set (mut i32) (i32.const 0))
    (func $finish {finish} (call $reset))
    (func (export "f") {params} (result i32) (local $base i32) (local $status i32)
      {before}
      (local.set $status (call $import {arguments}))
      (if (i32.eq (i32.and (local.get $status) (i32.const 15)) (i32.const 2))
        (then (call $finish) (return (i32.const 0))))
      (global.set $set (call $set-new))
      (call $join (i32.shr_u (local.get $status) (i32.const 4)) (global.get $set))
      (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
    (func (export "callback") (param $event i32) (param $subtask i32) (param $state i32) (result i32)
      (if (i32.ne (local.get $state) (i32.const 2))
        (then (return (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))))
      (call $join (local.get $subtask) (i32.const 0))
      (call $subtask-drop (local.get $subtask))
      (call $set-drop (global.get $set))
      (call $finish)
      (i32.const 0)))
  (core instance $main (instantiate $main-module
    (with "libc" (instance $libc))
    (with "import" (instance
      (export "f" (func $import))
      (export "task-return" (func $task-return))
      (export "set-new" (func $set-new))
      (export "set-drop" (func $set-drop))
      (export "join" (func $join))
      (export "subtask-drop" (func $subtask-drop))))))
  (func $f {function} (canon lift (core func $main "f") async (callback (func $main "callback"))
    (memory $libc "memory") (realloc (func $libc "realloc")) {strings}))"#
    )
}

/// The parameters of `task.return` and the code that hands it the import's result from memory.
fn finish(result: Option<&WitType>) -> (String, String) {
    let Some(ty) = result else {
        return (String::new(), "(call $task-return)".to_owned());
    };
    let flat = ty.flat();
    if flat.len() > FLAT_MAX {
        return ("(param i32)".to_owned(), "(call $task-return (global.get $ret))".to_owned());
    }
    let (params, names) = locals("r", &flat);
    let loads = moves(ty, Direction::Load, Slot::named("r", &flat));
    let declared = params.replace("param", "local");
    let body = format!(
        "{declared} (local $base i32) (local.set $base (global.get $ret))
      {loads}
      (call $task-return {names})"
    );
    (params, body)
}

/// The core parameters of the export and of a blocking import.
fn flat_params(signature: &Signature) -> Vec<Core> {
    let flat: Vec<_> = signature.params.iter().flat_map(WitType::flat).collect();
    if flat.len() > FLAT_MAX { vec![Core::I32] } else { flat }
}

/// Declares core values as parameters, and gets them all.
fn locals(prefix: &str, flat: &[Core]) -> (String, String) {
    let each = |text: fn(&str, usize, &str) -> String| -> String {
        flat.iter().enumerate().map(|(i, core)| text(prefix, i, core.name())).collect()
    };
    (
        each(|prefix, i, core| format!("(param ${prefix}{i} {core})")),
        each(|prefix, i, _| format!("(local.get ${prefix}{i})")),
    )
}

fn allocate(size: u32, align: u32) -> String {
    format!("(call $realloc (i32.const 0) (i32.const 0) (i32.const {align}) (i32.const {size}))")
}
