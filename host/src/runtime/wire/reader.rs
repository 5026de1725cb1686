//! Protobuf messages as a list of fields: any order, unknown ones skipped, repeated ones found again cheaply.

use smallvec::SmallVec;

use super::error::WireError;

/// The value of one field occurrence.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    fn wire_type(self) -> u8 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(_) => 2,
            Self::Fixed32(_) => 5,
        }
    }
}

/// One field occurrence: its number and its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    pub(super) value: Value<'a>,
}

impl<'a> Field<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], WireError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.unexpected()),
        }
    }

    /// The error for a field whose wire type its WIT type does not have.
    pub(super) fn unexpected(self) -> WireError {
        WireError::WireType { field: self.number, wire_type: self.value.wire_type() }
    }
}

/// Reads the fields of a message one by one.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number >= 1 << 29 {
            return Err(WireError::FieldNumber { number });
        }
        let number = number as u32;
        let value = match (tag & 7) as u8 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            wire_type => {
                return Err(WireError::WireType { field: number, wire_type });
            }
        };
        Ok(Some(Field { number, value }))
    }

    pub(super) fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for index in 0..10 {
            let (&byte, rest) = self.0.split_first().ok_or(WireError::Truncated)?;
            self.0 = rest;
            // The tenth byte holds the last bit of 64.
            if index == 9 && byte > 1 {
                return Err(WireError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::Varint)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }
}

/// The occurrences of one field number in a message.
#[derive(Clone, Copy, Default)]
pub(super) struct Occurrences<'a> {
    /// The message from the first occurrence to the end of the last one.
    region: &'a [u8],
    number: u32,
    count: usize,
    last: Option<Field<'a>>,
}

impl<'a> Occurrences<'a> {
    /// A single occurrence, such as one element of a list.
    pub(super) fn one(field: Field<'a>) -> Self {
        Self { region: &[], number: field.number, count: 1, last: Some(field) }
    }

    /// The field number, 0 where the field does not occur.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// How often the field occurs.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The last occurrence: the one that counts where a field has a single value.
    pub(super) fn last(&self) -> Option<Field<'a>> {
        self.last
    }

    /// Every occurrence in turn.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<Field<'a>, WireError>> + use<'a> {
        let (number, mut left) = (self.number, self.count);
        let mut reader = Reader(self.region);
        std::iter::from_fn(move || {
            while left > 0 {
                match reader.next() {
                    Ok(Some(field)) if field.number == number => {
                        left -= 1;
                        return Some(Ok(field));
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(error) => return Some(Err(error)),
                }
            }
            None
        })
    }
}

/// The fields of a message whose numbers are 1 to `known`, in one pass.
pub(super) fn fields(message: &[u8], known: usize) -> Result<SmallVec<[Occurrences<'_>; 8]>, WireError> {
    let mut found: SmallVec<[Occurrences<'_>; 8]> = SmallVec::from_elem(Occurrences::default(), known);
    let mut reader = Reader(message);
    loop {
        let start = message.len() - reader.0.len();
        let Some(field) = reader.next()? else {
            return Ok(found);
        };
        let Some(slot) = found.get_mut(field.number as usize - 1) else {
            continue;
        };
        let end = message.len() - reader.0.len();
        let first = if slot.count == 0 { start } else { region_start(message, slot.region) };
        *slot = Occurrences {
            region: &message[first..end],
            number: field.number,
            count: slot.count + 1,
            last: Some(field),
        };
    }
}

fn region_start(message: &[u8], region: &[u8]) -> usize {
    region.as_ptr() as usize - message.as_ptr() as usize
}

/// The case that is set in a message with one `oneof` of `cases` cases, and its occurrences.
///
/// A later case replaces an earlier one; the same case again merges with it, as protobuf says.
pub(super) fn oneof(message: &[u8], cases: usize) -> Result<Occurrences<'_>, WireError> {
    let mut found = Occurrences::default();
    let mut reader = Reader(message);
    loop {
        let start = message.len() - reader.0.len();
        let Some(field) = reader.next()? else { break };
        if field.number as usize > cases {
            continue;
        }
        let end = message.len() - reader.0.len();
        let again = found.number == field.number;
        let first = if again { region_start(message, found.region) } else { start };
        found = Occurrences {
            region: &message[first..end],
            number: field.number,
            count: if again { found.count + 1 } else { 1 },
            last: Some(field),
        };
    }
    if found.count == 0 { Err(WireError::NoCase) } else { Ok(found) }
}
