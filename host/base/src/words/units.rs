//! Sizes and durations as people write them: `64MiB`, `5s`.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// The units of a size, and their bytes.
const SIZES: &[(&str, u64)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
/// The units of a duration, and their milliseconds.
const DURATIONS: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60 * 1000), ("h", 60 * 60 * 1000)];

/// A size as it stands in a program file, such as `64MiB`.
#[derive(Debug, Clone)]
pub struct SizeText(String);

/// A duration as it stands in a program file, such as `5s`.
#[derive(Debug, Clone)]
pub struct DurationText(String);

impl SizeText {
    /// The size in bytes; `None` if the text is no size.
    pub fn bytes(&self) -> Option<u64> {
        parse(&self.0, SIZES)
    }
}

impl DurationText {
    /// The duration; `None` if the text is none.
    pub fn duration(&self) -> Option<Duration> {
        parse(&self.0, DURATIONS).map(Duration::from_millis)
    }
}

/// The duration that `text` stands for, such as `5s` or `250ms`, as program files write it.
pub fn parse_duration(text: &str) -> Option<Duration> {
    DurationText(text.to_owned()).duration()
}

/// The size in bytes that `text` stands for, such as `64MiB`, as program files write it.
pub fn parse_size(text: &str) -> Option<u64> {
    parse(text, SIZES)
}

impl fmt::Display for SizeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `bytes` in the largest unit that needs no fraction.
pub fn format_bytes(bytes: u64) -> String {
    let unit = SIZES.iter().rev().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    let (name, size) = unit.unwrap_or(&SIZES[0]);
    format!("{}{name}", bytes / size)
}

/// `millis` in the largest unit that needs no fraction.
pub fn format_millis(millis: u64) -> String {
    let unit = DURATIONS.iter().rev().find(|(_, size)| millis >= *size && millis.is_multiple_of(*size));
    let (name, size) = unit.unwrap_or(&DURATIONS[0]);
    format!("{}{name}", millis / size)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Takes any string, so that a wrong one is reported with its own rule rather than as a wrong type.
struct Text(&'static str);

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for SizeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text("a size such as \"64MiB\"")).map(SizeText)
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text("a duration such as \"5s\"")).map(DurationText)
    }
}

impl JsonSchema for SizeText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB)$" })
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_need_a_unit_and_must_not_overflow() {
        let size = |text: &str| SizeText(text.to_owned()).bytes();
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("0B"), Some(0));
        for wrong in ["64", "MiB", "64MB", "64 MiB", "-1B", "1.5GiB", "18446744073709551615KiB", ""] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
        let duration = |text: &str| DurationText(text.to_owned()).duration();
        assert_eq!(duration("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2h"), Some(Duration::from_secs(7200)));
        assert_eq!(duration("5sec"), None);
    }

    #[test]
    fn bytes_are_shown_in_the_largest_whole_unit() {
        assert_eq!(format_bytes(64 << 20), "64MiB");
        assert_eq!(format_bytes(1025), "1025B");
        assert_eq!(format_bytes(0), "0B");
        assert_eq!(format_millis(90_000), "90s");
        assert_eq!(format_millis(1500), "1500ms");
    }
}
