//! What a call carries beside its message, as gRPC metadata.
//!
//! Other gRPC clients need none of it; `lp-replica` lets them pick a replica, and `traceparent` is W3C's.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use lp_base::calls::{Origin, ReplicaIndex};
use lp_base::words::WhenFull;

use crate::{CallContext, CallOptions, Urgency};

/// The replica that is called, where the endpoint serves several: `producer/1`, or `1` among those of one node.
pub const REPLICA: &str = "lp-replica";
/// What the caller shows to prove who it is. It has the same bytes in every call over a connection, so that HTTP/2 sends an
/// index of it after the first.
pub const CREDENTIAL: &str = "lp-credential";
/// The index of the calling replica in the plan.
const CALLER: &str = "lp-caller";
/// Present if the caller can take no call meanwhile.
const BLOCKED: &str = "lp-blocked";
/// The indices of the replicas that are held by the calls that led to this one, the last caller first.
const HELD: &str = "lp-held";
/// Present if the call is to fail where it would wait for the callee's start.
const NO_WAIT: &str = "lp-no-wait";
/// Present if the call is to fail where it would wait for room.
const FAIL_WHEN_FULL: &str = "lp-fail-when-full";
const TRACE: &str = "traceparent";
const TIMEOUT: &str = "grpc-timeout";

/// Writes `context` for the server's side of a call to the replica called `label`, or to any if that is empty, and how
/// much time is `left` for it.
pub fn write(context: &CallContext, label: &HeaderValue, left: Option<Duration>, metadata: &mut HeaderMap) {
    let flag = || HeaderValue::from_static("1");
    if let Some(left) = left {
        metadata.insert(TIMEOUT, format_timeout(left));
    }
    if !label.is_empty() {
        metadata.insert(REPLICA, label.clone());
    }
    if let Some(caller) = context.caller {
        metadata.insert(CALLER, HeaderValue::from(caller.0));
        if context.options.urgency == Urgency::Blocked {
            metadata.insert(BLOCKED, flag());
        }
    }
    if !context.options.wait_for_ready {
        metadata.insert(NO_WAIT, flag());
    }
    if context.options.when_full == WhenFull::Fail {
        metadata.insert(FAIL_WHEN_FULL, flag());
    }
    let Some(origin) = &context.origin else { return };
    let held: Vec<_> = origin.held_replicas().map(|replica| replica.0.to_string()).collect();
    if let Some(held) = held.join(",").parse().ok().filter(|_| !held.is_empty()) {
        metadata.insert(HELD, held);
    }
    if let Some(trace) = origin.trace().and_then(|trace| trace.parse().ok()) {
        metadata.insert(TRACE, trace);
    }
}

/// Reads what [`write`] wrote. From callers outside of the program only what is theirs to say counts.
pub fn read(headers: &HeaderMap, trusted: bool) -> CallContext {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = |name: &str| text(name).filter(|_| trusted);
    let caller = own(CALLER).and_then(|index| index.parse().ok()).map(ReplicaIndex);
    let held = own(HELD).unwrap_or_default().rsplit(',').filter_map(|index| index.parse().ok());
    let traced = text(TRACE).map(|trace| Origin::traced(trace, None));
    let origin = held.fold(traced, |parent, index| Some(Origin::held(ReplicaIndex(index), parent)));
    let urgency = if own(BLOCKED).is_some() { Urgency::Blocked } else { Urgency::Concurrent };
    let options = CallOptions {
        timeout: text(TIMEOUT).and_then(parse_timeout),
        wait_for_ready: text(NO_WAIT).is_none(),
        when_full: if text(FAIL_WHEN_FULL).is_some() { WhenFull::Fail } else { WhenFull::Wait },
        urgency,
        ..CallOptions::default()
    };
    CallContext { origin, caller, kept: None, options }
}

/// Whether the time that a caller says it has can be read.
///
/// # Errors
/// What is wrong with it.
pub fn check_timeout(headers: &HeaderMap) -> Result<(), &'static str> {
    let readable = |value: &HeaderValue| value.to_str().ok().and_then(parse_timeout).is_some();
    match headers.get(TIMEOUT).is_none_or(readable) {
        true => Ok(()),
        false => Err("`grpc-timeout` has at most eight digits and a unit, such as `250m`"),
    }
}

/// The credential that a caller shows.
pub fn credential(headers: &HeaderMap) -> Option<&str> {
    headers.get(CREDENTIAL)?.to_str().ok()
}

/// The `grpc-timeout` header: in the smallest unit of which eight digits are enough.
fn format_timeout(left: Duration) -> HeaderValue {
    let units = [(left.as_nanos(), "n"), (left.as_micros(), "u"), (left.as_millis(), "m")];
    let fitting = units.into_iter().find(|(amount, _)| *amount < 100_000_000);
    let (amount, unit) = fitting.unwrap_or((u128::from(left.as_secs()).min(99_999_999), "S"));
    format!("{amount}{unit}").parse().expect("digits and a letter make a header")
}

/// The same header as it is read: at most eight digits and a unit.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    let amount: u64 = digits.parse().ok().filter(|_| is_number)?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(context: &CallContext, trusted: bool) -> CallContext {
        let mut metadata = HeaderMap::new();
        write(context, &HeaderValue::from_static("b/0"), context.options.timeout, &mut metadata);
        read(&metadata, trusted)
    }

    #[test]
    fn a_context_survives_the_way_through_metadata() {
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let origin =
            Origin::held(ReplicaIndex(7), Some(Origin::held(ReplicaIndex(3), Some(Origin::traced(trace, None)))));
        let context = CallContext {
            origin: Some(origin),
            caller: Some(ReplicaIndex(7)),
            kept: None,
            options: CallOptions {
                timeout: Some(Duration::from_millis(1500)),
                wait_for_ready: false,
                when_full: WhenFull::Fail,
                urgency: Urgency::Blocked,
                ..CallOptions::default()
            },
        };
        let read = round_trip(&context, true);
        let origin = read.origin.expect("it has one");
        assert_eq!(origin.held_replicas().collect::<Vec<_>>(), [ReplicaIndex(7), ReplicaIndex(3)]);
        assert_eq!(origin.trace(), Some(trace));
        assert_eq!((read.caller, read.options), (context.caller, context.options));
        let foreign = round_trip(&context, false);
        assert_eq!(foreign.caller, None);
        assert_eq!(foreign.origin.expect("a trace").held_replicas().count(), 0);
    }

    #[test]
    fn timeouts_are_written_with_eight_digits_at_most() {
        let cases = [(0, "0n"), (99_999_999, "99999999n"), (100_000_000, "100000u"), (1_500_000_000, "1500000u")];
        for (nanos, text) in cases {
            assert_eq!(format_timeout(Duration::from_nanos(nanos)), text);
        }
        assert_eq!(format_timeout(Duration::from_hours(10)), "36000000m");
        assert_eq!(format_timeout(Duration::from_hours(100)), "360000S");
        assert_eq!(format_timeout(Duration::MAX), "99999999S");
    }

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse_timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for wrong in ["", "5", "m", "123456789S", "1é", "-1S", "+1S", " 1S", "1 S"] {
            assert_eq!(parse_timeout(wrong), None, "{wrong}");
        }
    }
}
