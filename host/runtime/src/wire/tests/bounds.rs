//! How much a message may become: judged before it is made, exactly, and with an error for the call alone.

use lp_courier::CallError;

use super::forwarder::{Style, component};
use super::harness::{Codec, Concurrency, Guest, Host, Values, block_on};
use super::wit_type::{Signature, Strings, WitType};

fn forwarder(params: Vec<WitType>, result: Option<WitType>) -> Guest {
    let text = component(&Signature { params, result, strings: Strings::Utf8 }, Style::Sync);
    block_on(Guest::new(&text, Concurrency::Off, Codec::Wire)).expect("the guest is valid")
}

/// Checks that a request of one parameter becomes exactly `bytes`, and comes through unchanged in a guest with that room.
#[track_caller]
fn check(ty: WitType, request: &[u8], bytes: u64) {
    let mut guest = forwarder(vec![ty], None);
    assert!(guest.has_room(request, bytes), "{} bytes should fit {bytes}", request.len());
    assert!(!guest.has_room(request, bytes - 1), "{} bytes should not fit {}", request.len(), bytes - 1);
    *guest.host() = Host { reply: Some(Values::Bytes(Vec::new())), ..Host::default() };
    block_on(guest.call(Values::Bytes(request.to_vec()))).expect("it is a request");
    let Some(Values::Bytes(received)) = guest.host().received.take() else { panic!("the import was not called") };
    assert!(received == request, "{} bytes became {}", request.len(), received.len());
}

fn wide(ty: WitType) -> WitType {
    WitType::Tuple(vec![ty; 1000])
}

/// What the pointer and the length of a string or list take, and what an allocation does beside its content.
const POINTER: u64 = 8;
const ALLOCATION: u64 = 16;

#[test]
fn elements_count_as_what_they_become() {
    let elements = |element: &[u8]| element.repeat(1000);
    let list = POINTER + ALLOCATION;
    check(WitType::list(wide(WitType::U8)), &elements(&[0x0a, 0]), list + 1000 * 1000);
    check(WitType::list(wide(WitType::U8)), &elements(&[0x0a, 3, 0x18, 0x80 | 1, 1]), list + 1000 * 1000);
    // Absent strings are allocated too.
    check(WitType::list(wide(WitType::String)), &[0x0a, 0], list + 1000 * (POINTER + ALLOCATION));
    check(
        WitType::list(wide(WitType::String)),
        &[0x0a, 5, 0x12, 3, 0x61, 0x62, 0x63],
        list + 1000 * (POINTER + ALLOCATION) + 3,
    );
    // An option that is absent allocates nothing for what it would have.
    let option = WitType::Option(Box::new(WitType::String));
    check(WitType::list(wide(option.clone())), &[0x0a, 0], list + 1000 * 12);
    check(WitType::list(wide(option)), &[0x0a, 3, 0x0a, 1, 0x61], list + 1000 * 12 + ALLOCATION + 1);
}

#[test]
fn bytes_and_numbers_count_as_they_are() {
    let list = POINTER + ALLOCATION;
    check(WitType::list(WitType::U8), &[&[0x0a, 100][..], &[7; 100]].concat(), list + 100);
    check(WitType::list(WitType::U16), &[&[0x0a, 100][..], &[7; 100]].concat(), list + 200);
    check(WitType::list(WitType::F64), &[&[0x0a, 80][..], &[7; 80]].concat(), list + 80);
    check(WitType::String, &[&[0x0a, 100][..], &[0x61; 100]].concat(), list + 100);
}

#[test]
fn nothing_is_made_of_a_request_to_find_out_that_it_is_too_much() {
    // 16 MiB that would become 8 GiB.
    let guest = forwarder(vec![WitType::list(wide(WitType::U8))], None);
    let request = [0x0a, 0].repeat(8 << 20);
    assert!(!guest.has_room(&request, 1 << 30));
    assert!(guest.has_room(&request, 1 << 33));
}

#[test]
fn a_result_at_the_limit_is_returned_and_one_past_it_fails_its_call_alone() {
    let bytes = WitType::list(WitType::U8);
    let mut guest = forwarder(Vec::new(), Some(bytes));
    let response = [&[0x0a, 100][..], &[7; 100]].concat();
    for (limit, returned) in [(response.len(), true), (response.len() - 1, false), (response.len(), true)] {
        guest.limit_messages(limit);
        *guest.host() = Host { reply: Some(Values::Bytes(response.clone())), ..Host::default() };
        let result = block_on(guest.call(Values::Bytes(Vec::new())));
        match result {
            Ok(Values::Bytes(bytes)) if returned => assert_eq!(bytes, response),
            Err(error) if !returned => assert_eq!(error.to_string(), CallError::TooLarge.to_string()),
            result => panic!("with a limit of {limit} it is {result:?}"),
        }
    }
}

#[test]
fn what_is_small_in_memory_and_large_on_the_wire_is_too_large_by_that() {
    let element = WitType::Tuple(vec![WitType::U8]);
    let mut guest = forwarder(Vec::new(), Some(WitType::list(element)));
    let response = [0x0a, 2, 0x08, 7].repeat(100);
    for (limit, returned) in [(response.len(), true), (response.len() - 1, false)] {
        guest.limit_messages(limit);
        *guest.host() = Host { reply: Some(Values::Bytes(response.clone())), ..Host::default() };
        assert_eq!(block_on(guest.call(Values::Bytes(Vec::new()))).is_ok(), returned, "{limit}");
    }
}

/// `result<T, call-error>`.
fn fallible(ok: WitType) -> WitType {
    let payload = |name: &str| (name == "failed").then_some(WitType::String);
    let cases = CallError::CASES.iter().map(|name| ((*name).to_owned(), payload(name)));
    WitType::Result(Some(Box::new(ok)), Some(Box::new(WitType::Variant(cases.collect()))))
}

#[test]
fn a_caller_without_room_for_a_result_gets_an_error_value() {
    let mut guest = forwarder(Vec::new(), Some(fallible(WitType::list(wide(WitType::U8)))));
    let elements = [0x0a, 0].repeat(100);
    // The result is a message in field 1, its case in field 1 of that, and the list a wrapper around its elements.
    let content = [&[0x0a, 0xc8, 1][..], &elements].concat();
    let response = [&[0x0a, 0xcb, 1][..], &content].concat();
    let too_large = CallError::TooLarge.case() as u8 + 1;
    let refused = vec![0x0a, 4, 0x12, 2, too_large << 3 | 2, 0];
    let needed = 16 + ALLOCATION + 100 * 1000;
    for (room, expected) in [(None, &response), (Some(needed), &response), (Some(needed - 1), &refused)] {
        *guest.host() = Host { reply: Some(Values::Bytes(response.clone())), room, ..Host::default() };
        let result = block_on(guest.call(Values::Bytes(Vec::new()))).expect("the guest lives");
        let Values::Bytes(result) = result else { unreachable!("the codec gives bytes") };
        assert_eq!(&result, expected, "with room for {room:?}");
    }
}
