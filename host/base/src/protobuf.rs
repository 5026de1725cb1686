//! Protobuf messages as a list of fields: any order, unknown ones skipped, repeated ones found again cheaply.

use std::borrow::Cow;

use smallvec::SmallVec;

/// What is wrong with the framing of a message. The texts are those of `docs/encoding.md`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The bytes end too early.
    #[error("the message ends in the middle of a field")]
    Truncated,
    /// A varint does not fit 64 bits.
    #[error("a varint is longer than ten bytes")]
    Varint,
    /// A field has a wire type that protobuf, or its type, does not have.
    #[error("field {field} has wire type {wire_type}, which is not allowed there")]
    WireType {
        /// The number of the field.
        field: u32,
        /// The wire type.
        wire_type: u8,
    },
    /// A field has a number that protobuf does not have.
    #[error("field number {number} is not valid")]
    FieldNumber {
        /// The number.
        number: u64,
    },
    /// None of the fields of a `oneof` is there.
    #[error("a variant has no case set")]
    NoCase,
}

/// The value of one field occurrence.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 5.
    Fixed32(u32),
    /// Wire type 2.
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
pub struct Field<'a> {
    /// The number, from 1.
    pub number: u32,
    /// The value, of the wire type that the message says.
    pub value: Value<'a>,
}

impl<'a> Field<'a> {
    /// The bytes of a field of that wire type.
    ///
    /// # Errors
    /// If it has another one.
    #[inline]
    pub fn bytes(self) -> Result<&'a [u8], FormatError> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.unexpected()),
        }
    }

    /// The error for a field whose wire type its WIT type does not have.
    pub fn unexpected(self) -> FormatError {
        FormatError::WireType { field: self.number, wire_type: self.value.wire_type() }
    }
}

/// Reads the fields of a message one by one.
#[derive(Clone, Copy)]
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next field; `None` at the end of the message.
    ///
    /// # Errors
    /// If the bytes are not those of a field.
    #[inline]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>, FormatError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number >= 1 << 29 {
            return Err(FormatError::FieldNumber { number });
        }
        let number = number as u32;
        let value = match (tag & 7) as u8 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| FormatError::Truncated)?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            wire_type => {
                return Err(FormatError::WireType { field: number, wire_type });
            }
        };
        Ok(Some(Field { number, value }))
    }

    /// The varint that comes next.
    ///
    /// # Errors
    /// If there is none, or it is too long.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, FormatError> {
        let mut value = 0;
        for index in 0..10 {
            let (&byte, rest) = self.0.split_first().ok_or(FormatError::Truncated)?;
            self.0 = rest;
            // The tenth byte holds the last bit of 64.
            if index == 9 && byte > 1 {
                return Err(FormatError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(FormatError::Varint)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], FormatError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(FormatError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(FormatError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }
}

/// The occurrences of one field number in a message.
#[derive(Clone, Copy, Default)]
pub struct Occurrences<'a> {
    /// The message from the first occurrence to the end of the last one.
    region: &'a [u8],
    number: u32,
    count: usize,
    last: Option<Field<'a>>,
}

impl<'a> Occurrences<'a> {
    /// A single occurrence, such as one element of a list.
    #[inline]
    pub fn one(field: Field<'a>) -> Self {
        Self { region: &[], number: field.number, count: 1, last: Some(field) }
    }

    /// The field number, 0 where the field does not occur.
    #[inline]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How often the field occurs.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The last occurrence: the one that counts where a field has a single value.
    #[inline]
    pub fn last(&self) -> Option<Field<'a>> {
        self.last
    }

    /// The content of a message field: of its occurrences together, as protobuf merges them.
    pub fn merged(&self) -> Result<Cow<'a, [u8]>, FormatError> {
        match (self.count, self.last) {
            (0 | 1, last) => Ok(last.map_or(Ok(&[][..]), Field::bytes)?.into()),
            _ => {
                let mut all = Vec::new();
                for field in self.iter() {
                    all.extend_from_slice(field?.bytes()?);
                }
                Ok(all.into())
            }
        }
    }

    /// Every occurrence in turn.
    pub fn iter(&self) -> impl Iterator<Item = Result<Field<'a>, FormatError>> + use<'a> {
        let (number, mut left) = (self.number, self.count);
        let mut reader = Reader(self.region);
        std::iter::from_fn(move || {
            while left > 0 {
                match reader.next_field() {
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

/// The fields of a message whose numbers are 1 to `known`, as far as it has them, in the order of their numbers. For types
/// with many fields, of which [`fields`] makes a slot for each.
pub fn present(message: &[u8], known: usize) -> Result<SmallVec<[Occurrences<'_>; 8]>, FormatError> {
    let mut found: SmallVec<[Occurrences<'_>; 8]> = SmallVec::new();
    let mut reader = Reader(message);
    loop {
        let start = message.len() - reader.0.len();
        let Some(field) = reader.next_field()? else {
            return Ok(found);
        };
        if field.number as usize > known {
            continue;
        }
        let end = message.len() - reader.0.len();
        match found.last_mut() {
            Some(last) if last.number == field.number => {
                let first = region_start(message, last.region);
                *last = Occurrences {
                    region: &message[first..end],
                    number: field.number,
                    count: last.count + 1,
                    last: Some(field),
                };
            }
            Some(last) if last.number > field.number => {
                // Out of order: nobody writes messages so who has to be fast.
                let all = fields(message, known)?;
                return Ok(all.into_iter().filter(|field| field.count > 0).collect());
            }
            _ => found.push(Occurrences {
                region: &message[start..end],
                number: field.number,
                count: 1,
                last: Some(field),
            }),
        }
    }
}

/// The fields of a message whose numbers are 1 to `known`, in one pass.
pub fn fields(message: &[u8], known: usize) -> Result<SmallVec<[Occurrences<'_>; 8]>, FormatError> {
    let mut found = SmallVec::from_elem(Occurrences::default(), known);
    fill(message, &mut found)?;
    Ok(found)
}

/// The only field of a message, number 1.
pub fn only_field(message: &[u8]) -> Result<Occurrences<'_>, FormatError> {
    let mut found = [Occurrences::default()];
    fill(message, &mut found)?;
    Ok(found[0])
}

/// Fills `found` with the fields of a message whose numbers are 1 to its length, in one pass.
pub fn fill<'a>(message: &'a [u8], found: &mut [Occurrences<'a>]) -> Result<(), FormatError> {
    let mut reader = Reader(message);
    loop {
        let start = message.len() - reader.0.len();
        let Some(field) = reader.next_field()? else {
            return Ok(());
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
pub fn oneof(message: &[u8], cases: usize) -> Result<Occurrences<'_>, FormatError> {
    let mut found = Occurrences::default();
    let mut reader = Reader(message);
    loop {
        let start = message.len() - reader.0.len();
        let Some(field) = reader.next_field()? else { break };
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
    if found.count == 0 { Err(FormatError::NoCase) } else { Ok(found) }
}
