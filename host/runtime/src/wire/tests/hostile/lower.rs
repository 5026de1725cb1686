//! Places for a value that a guest gives the host: what its `realloc` returns, and where it wants a result stored.

use super::guest::{MEMORY, Parts};
use super::*;

/// A guest that takes a value of the type, with an allocator that returns `realloc`.
fn takes(ty: WitType, realloc: &'static str) -> String {
    let mut parts = Parts { realloc, ..Parts::default() };
    let core: String = ty.flat().iter().map(|core| format!("(param {})", core.name())).collect();
    parts.exported = parts.types.function(&Signature { params: vec![ty], result: None, strings: Strings::Utf8 }, false);
    parts.code = format!(r#"(func (export "f") {core})"#);
    parts.text()
}

/// A guest that wants the result of its import, of a type with several core values, stored at `at`.
fn stores(ty: WitType, at: u32) -> String {
    let mut parts = Parts { realloc: "(i32.const 1024)", ..Parts::default() };
    parts.imported =
        parts.types.function(&Signature { params: vec![], result: Some(ty), strings: Strings::Utf8 }, false);
    parts.core_import = "(param i32)".to_owned();
    parts.code = format!(r#"(func (export "f") (call $import (i32.const {at})))"#);
    parts.text()
}

#[test]
fn allocations_out_of_bounds() {
    let says = "realloc return: beyond end of memory";
    let four = [0x0a, 4, 1, 2, 3, 4];
    for realloc in ["(i32.const 0x1ffffd)", "(i32.const 0x200000)", "(i32.const -1)"] {
        check_trapped(&takes(WitType::list(WitType::U8), realloc), &four, &[], says);
        check_trapped(&takes(WitType::String, realloc), &four, &[], says);
    }
    check_trapped(&takes(WitType::list(WitType::U32), "(i32.const -4)"), &four, &[], says);
    check_trapped(&takes(WitType::list(WitType::String), "(i32.const -4)"), &four, &[], says);
    // More parameters than fit core values are stored in one allocation.
    let many = WitType::Tuple(vec![WitType::U64; 17]);
    let mut parts = Parts { realloc: "(i32.const 0x1fffc8)", ..Parts::default() };
    parts.exported =
        parts.types.function(&Signature { params: vec![many], result: None, strings: Strings::Utf8 }, false);
    parts.code = r#"(func (export "f") (param i32))"#.to_owned();
    check_trapped(&parts.text(), &[], &[], says);
}

#[test]
fn allocations_that_are_not_aligned() {
    let says = "realloc return: result not aligned";
    check_trapped(&takes(WitType::list(WitType::U32), "(i32.const 2)"), &[0x0a, 4, 1, 2, 3, 4], &[], says);
    check_trapped(&takes(WitType::list(WitType::String), "(i32.const 1)"), &[0x0a, 0], &[], says);
}

#[test]
fn an_allocator_that_traps() {
    check_trapped(&takes(WitType::String, "(unreachable)"), &[0x0a, 1, 0x61], &[], "unreachable");
}

#[test]
fn an_allocator_that_returns_the_same_memory_every_time_only_spoils_its_own_guest() {
    block_on(async {
        let text = takes(WitType::list(WitType::list(WitType::U8)), "(i32.const 1024)");
        let mut guest = Guest::new(&text, Concurrency::On, Codec::Wire).await.unwrap();
        let request = [0x0a, 1, 1, 0x0a, 2, 2, 2, 0x0a, 1, 3];
        guest.call(Values::Bytes(request.to_vec())).await.unwrap();
        guest.call(Values::Bytes(request.to_vec())).await.unwrap();
    });
}

#[test]
fn results_that_are_wanted_out_of_bounds() {
    let pair = WitType::Tuple(vec![WitType::U64, WitType::U64]);
    let response = [0x0a, 4, 0x08, 1, 0x10, 1];
    for at in [MEMORY - 8, MEMORY, MEMORY + 8, u32::MAX - 7] {
        check_trapped(&stores(pair.clone(), at), &[], &response, "out of bounds");
        check_trapped(&stores(WitType::list(WitType::U8), at & !3 | 4), &[], &[0x0a, 1, 1], "out of bounds");
    }
}

#[test]
fn elements_for_more_memory_than_an_address_can_name() {
    // Two bytes for each element on the wire, a kilobyte in memory.
    let wide = WitType::Tuple(vec![WitType::Tuple(vec![WitType::F64; 128])]);
    let request = [0x0a, 0].repeat(1 << 22);
    check_trapped(
        &takes(WitType::list(wide), "(i32.const 0)"),
        &request,
        &[],
        "a list of 4194304 elements of 1024 bytes is longer than a memory can be",
    );
}
