//! Values that a guest hands over: as arguments, as a stored result, and as the result of an asynchronous task.

use super::guest::{AT, HEAP, MEMORY, Parts};
use super::*;

/// A value as the guest has it in core values (each an instruction) and in memory, and what it points to.
struct Cheat {
    ty: WitType,
    flat: Vec<String>,
    memory: Vec<u8>,
    heap: Vec<u8>,
}

impl Cheat {
    /// A type whose values are one core value of 32 bits.
    fn scalar(ty: WitType, value: u32) -> Self {
        Self { ty, flat: vec![format!("(i32.const {value})")], memory: vec![], heap: vec![] }
    }

    /// A string or list.
    fn pointer(ty: WitType, offset: u32, length: u32, heap: &[u8]) -> Self {
        let flat = vec![format!("(i32.const {offset})"), format!("(i32.const {length})")];
        Self { ty, flat, memory: [offset.to_le_bytes(), length.to_le_bytes()].concat(), heap: heap.to_vec() }
    }

    /// The guests that hand the value over, one for each way.
    fn guests(self) -> [Parts; 3] {
        let core = |name| {
            let types: Vec<_> = self.ty.flat().into_iter().map(|core| core.name()).collect();
            format!("({name} {})", types.join(" "))
        };
        let values = self.flat.concat();
        let memory = (self.memory.clone(), self.heap.clone());
        let none = Signature { params: vec![], result: None, strings: Strings::Utf8 };
        let passes = Signature { params: vec![self.ty.clone()], ..none.clone() };
        let returns = Signature { result: Some(self.ty.clone()), ..none };

        let mut argument = Parts { memory: memory.clone(), ..Parts::default() };
        argument.imported = argument.types.function(&passes, false);
        argument.core_import = core("param");
        argument.code = format!(r#"(func (export "f") (call $import {values}))"#);

        let mut stored = Parts { memory: memory.clone(), ..Parts::default() };
        stored.exported = stored.types.function(&returns, false);
        stored.code = match self.flat.len() {
            1 => format!(r#"(func (export "f") {} {values})"#, core("result")),
            _ => format!(r#"(func (export "f") (result i32) (i32.const {AT}))"#),
        };

        let mut task = Parts { memory, lift: r#"async (callback (func $main "callback"))"#, ..Parts::default() };
        task.exported = task.types.function(&returns, true);
        task.returned = Some((task.types.result(&returns), core("param")));
        task.code = format!(
            r#"(func (export "f") (result i32) (call $task-return {values}) (i32.const 0))
    (func (export "callback") (param i32 i32 i32) (result i32) (unreachable))"#
        );
        [argument, stored, task].map(|parts| Parts { realloc: "(unreachable)", ..parts })
    }
}

/// Checks that the value is refused in whichever way it is handed over.
fn check_cheat(cheat: Cheat, says: &str) {
    for guest in cheat.guests() {
        check_trapped(&guest.text(), &[], &[], says);
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("n{i}")).collect()
}

#[test]
fn pointers_out_of_bounds() {
    let bounds = "is out of bounds of a memory of 2097152 bytes";
    for ty in [WitType::list(WitType::U8), WitType::list(WitType::S8), WitType::list(WitType::Bool), WitType::String] {
        check_cheat(Cheat::pointer(ty.clone(), MEMORY - 4, 5, &[]), bounds);
        check_cheat(Cheat::pointer(ty.clone(), MEMORY + 1, 0, &[]), bounds);
        check_cheat(Cheat::pointer(ty, u32::MAX, 1, &[]), bounds);
    }
    check_cheat(Cheat::pointer(WitType::list(WitType::U64), MEMORY - 8, 2, &[]), bounds);
    check_cheat(Cheat::pointer(WitType::list(WitType::String), MEMORY - 8, 2, &[]), bounds);
    check_cheat(
        Cheat::pointer(WitType::list(WitType::list(WitType::U16)), HEAP, 1, &[0xfe, 0xff, 0x1f, 0, 2, 0, 0, 0]),
        bounds,
    );
}

#[test]
fn lengths_beyond_what_a_guest_may_make_the_host_copy() {
    let fuel = "too large";
    check_cheat(Cheat::pointer(WitType::list(WitType::U8), 0, u32::MAX, &[]), fuel);
    check_cheat(Cheat::pointer(WitType::String, 0, u32::MAX, &[]), fuel);
    check_cheat(Cheat::pointer(WitType::list(WitType::U64), 8, 1 << 29, &[]), fuel);
    check_cheat(Cheat::pointer(WitType::list(WitType::String), 8, u32::MAX, &[]), fuel);
    // A MiB of the guest's memory, 200 times.
    let again = |length: u32| [0u32.to_le_bytes(), length.to_le_bytes()].concat().repeat(200);
    check_cheat(Cheat::pointer(WitType::list(WitType::list(WitType::U8)), HEAP, 200, &again(1 << 20)), fuel);
    check_cheat(Cheat::pointer(WitType::list(WitType::list(WitType::Bool)), HEAP, 200, &again(1 << 20)), fuel);
    check_cheat(Cheat::pointer(WitType::list(WitType::list(WitType::U32)), HEAP, 200, &again(1 << 18)), fuel);
}

#[test]
fn pointers_that_are_not_aligned() {
    check_cheat(Cheat::pointer(WitType::list(WitType::U16), 1, 1, &[]), "the list at 0x1 is not aligned to 2 bytes");
    check_cheat(Cheat::pointer(WitType::list(WitType::F32), 2, 1, &[]), "the list at 0x2 is not aligned to 4 bytes");
    check_cheat(Cheat::pointer(WitType::list(WitType::F64), 4, 0, &[]), "the list at 0x4 is not aligned to 8 bytes");
    check_cheat(Cheat::pointer(WitType::list(WitType::String), 2, 1, &[]), "the list at 0x2 is not aligned to 4 bytes");
}

#[test]
fn discriminants_without_a_case() {
    let payload = || Some(Box::new(WitType::U8));
    let variants = [
        WitType::Option(Box::new(WitType::U8)),
        WitType::Result(payload(), payload()),
        WitType::Variant(vec![("a".to_owned(), Some(WitType::U8)), ("b".to_owned(), None)]),
    ];
    for ty in variants {
        let flat = vec!["(i32.const 2)".to_owned(), "(i32.const 0)".to_owned()];
        check_cheat(Cheat { ty, flat, memory: vec![2, 0], heap: vec![] }, "2 is not a case of a type with 2 cases");
    }
    let bare = WitType::Variant(names(300).into_iter().map(|name| (name, None)).collect());
    check_cheat(Cheat::scalar(bare, 300), "300 is not a case of a type with 300 cases");
    check_cheat(Cheat::scalar(WitType::Enum(names(3)), 3), "3 is not a case of a type with 3 cases");
    check_cheat(Cheat::scalar(WitType::Enum(names(256)), 256), "256 is not a case of a type with 256 cases");
    check_cheat(Cheat::pointer(WitType::list(WitType::Enum(names(3))), HEAP, 2, &[2, 255]), "255 is not a case");
    check_cheat(Cheat::pointer(WitType::list(WitType::Enum(names(257))), HEAP, 1, &[1, 1]), "257 is not a case");
}

#[test]
fn chars_that_are_none() {
    for (code, says) in [
        (0xd800, "0xd800 is not a char"),
        (0xdfff, "0xdfff is not a char"),
        (0x11_0000, "0x110000 is not a char"),
        (u32::MAX, "0xffffffff is not a char"),
    ] {
        check_cheat(Cheat::scalar(WitType::Char, code), says);
        check_cheat(Cheat::pointer(WitType::list(WitType::Char), HEAP, 1, &code.to_le_bytes()), says);
    }
}

#[test]
fn strings_that_are_not_utf_8() {
    let utf8 = "a string is not valid UTF-8";
    for bytes in [&b"\xff"[..], b"ok \xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"cut \xe2\x82"] {
        check_cheat(Cheat::pointer(WitType::String, HEAP, bytes.len() as u32, bytes), utf8);
    }
    // The list at `HEAP` has one string, which is behind it.
    let nested = [&(HEAP + 8).to_le_bytes()[..], &1u32.to_le_bytes(), b"\xff"].concat();
    check_cheat(Cheat::pointer(WitType::list(WitType::String), HEAP, 1, &nested), utf8);
}

#[test]
fn a_message_names_the_field_that_was_wrong() {
    let ty = WitType::Record(vec![("width".to_owned(), WitType::U8), ("letter".to_owned(), WitType::Char)]);
    let flat = vec!["(i32.const 1)".to_owned(), "(i32.const 0xd800)".to_owned()];
    check_cheat(Cheat { ty, flat, memory: vec![1, 0, 0, 0, 0, 0xd8, 0, 0], heap: vec![] }, "in field `letter`");
}

#[test]
fn results_that_are_stored_out_of_bounds_or_not_aligned() {
    let pair = WitType::Tuple(vec![WitType::U32, WitType::U32]);
    let returns = Signature { params: vec![], result: Some(pair), strings: Strings::Utf8 };
    for (at, says) in [
        (MEMORY - 4, "the result at 0x1ffffc with 8 bytes is out of bounds"),
        (MEMORY, "out of bounds"),
        (u32::MAX - 3, "out of bounds"),
        (2, "the result at 0x2 is not aligned to 4 bytes"),
    ] {
        let mut parts = Parts { realloc: "(unreachable)", ..Parts::default() };
        parts.exported = parts.types.function(&returns, false);
        parts.code = format!(r#"(func (export "f") (result i32) (i32.const {at}))"#);
        check_trapped(&parts.text(), &[], &[], says);
    }
}

#[test]
fn arguments_that_are_stored_out_of_bounds() {
    let params = vec![WitType::U32; 17];
    let passes = Signature { params, result: None, strings: Strings::Utf8 };
    for at in [MEMORY - 64, MEMORY, MEMORY + 4, u32::MAX - 3] {
        let mut parts = Parts { realloc: "(unreachable)", ..Parts::default() };
        parts.imported = parts.types.function(&passes, false);
        parts.core_import = "(param i32)".to_owned();
        parts.code = format!(r#"(func (export "f") (call $import (i32.const {at})))"#);
        check_trapped(&parts.text(), &[], &[], "out of bounds");
    }
}
