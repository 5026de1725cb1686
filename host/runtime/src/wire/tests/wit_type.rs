//! A WIT type as plain data, with its canonical ABI layout: what the tests generate and make components from.

/// A value type that the encoding carries. Named fields, cases and flags come in declaration order.
#[derive(Clone, Debug, PartialEq)]
pub enum WitType {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    List(Box<WitType>),
    Record(Vec<(String, WitType)>),
    Tuple(Vec<WitType>),
    Variant(Vec<(String, Option<WitType>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Option(Box<WitType>),
    Result(Option<Box<WitType>>, Option<Box<WitType>>),
}

/// A function's parameters, named `p0`, `p1`, …, its result, and how the guest that has the function encodes strings.
#[derive(Clone, Debug)]
pub struct Signature {
    pub params: Vec<WitType>,
    pub result: Option<WitType>,
    pub strings: Strings,
}

/// The string encodings of the canonical ABI.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strings {
    Utf8,
    Utf16,
    Latin1OrUtf16,
}

impl Strings {
    /// The encoding as a canonical option in the text format.
    pub fn option(self) -> &'static str {
        match self {
            Strings::Utf8 => "string-encoding=utf8",
            Strings::Utf16 => "string-encoding=utf16",
            Strings::Latin1OrUtf16 => "string-encoding=latin1+utf16",
        }
    }
}

/// A core WebAssembly value type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Core {
    I32,
    I64,
    F32,
    F64,
}

impl Core {
    /// The type's name in the text format.
    pub fn name(self) -> &'static str {
        match self {
            Core::I32 => "i32",
            Core::I64 => "i64",
            Core::F32 => "f32",
            Core::F64 => "f64",
        }
    }

    /// The type of a slot that two cases of a variant share.
    fn join(self, other: Core) -> Core {
        match (self, other) {
            (a, b) if a == b => a,
            (Core::I32, Core::F32) | (Core::F32, Core::I32) => Core::I32,
            _ => Core::I64,
        }
    }
}

impl WitType {
    /// A list of elements of one type.
    pub fn list(element: WitType) -> Self {
        Self::List(Box::new(element))
    }

    /// An option of a value of one type.
    pub fn option(some: WitType) -> Self {
        Self::Option(Box::new(some))
    }

    /// The type of every case's payload, if this is a type with a discriminant.
    pub fn cases(&self) -> Option<Vec<Option<&WitType>>> {
        match self {
            WitType::Variant(cases) => Some(cases.iter().map(|(_, payload)| payload.as_ref()).collect()),
            WitType::Enum(names) => Some(vec![None; names.len()]),
            WitType::Option(some) => Some(vec![None, Some(some)]),
            WitType::Result(ok, err) => Some(vec![ok.as_deref(), err.as_deref()]),
            _ => None,
        }
    }

    /// The types of the members, if this is a record or a tuple.
    pub fn members(&self) -> Option<Vec<&WitType>> {
        match self {
            WitType::Record(fields) => Some(fields.iter().map(|(_, ty)| ty).collect()),
            WitType::Tuple(types) => Some(types.iter().collect()),
            _ => None,
        }
    }

    /// Size and alignment in a 32-bit memory.
    pub fn size_align(&self) -> (u32, u32) {
        if let Some(members) = self.members() {
            let (offsets, align) = offsets(&members);
            return (offsets[members.len()].next_multiple_of(align), align);
        }
        if let Some(cases) = self.cases() {
            let payloads = || cases.iter().flatten().map(|payload| payload.size_align());
            let align = payloads().map(|(_, align)| align).max().unwrap_or(1).max(self.discriminant_size());
            let size = payloads().map(|(size, _)| size).max().unwrap_or(0);
            return ((self.payload_offset() + size).next_multiple_of(align), align);
        }
        match self {
            WitType::Bool | WitType::S8 | WitType::U8 => (1, 1),
            WitType::S16 | WitType::U16 => (2, 2),
            WitType::S64 | WitType::U64 | WitType::F64 => (8, 8),
            WitType::String | WitType::List(_) => (8, 4),
            WitType::Flags(names) => match names.len() {
                ..=8 => (1, 1),
                9..=16 => (2, 2),
                _ => (4, 4),
            },
            _ => (4, 4),
        }
    }

    /// The size of the discriminant, for a type that has cases.
    pub fn discriminant_size(&self) -> u32 {
        match self.cases().map_or(0, |cases| cases.len()) {
            ..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        }
    }

    /// Where the payload starts, for a type that has cases.
    pub fn payload_offset(&self) -> u32 {
        let cases = self.cases().unwrap_or_default();
        let align = cases.iter().flatten().map(|payload| payload.size_align().1).max().unwrap_or(1);
        self.discriminant_size().next_multiple_of(align)
    }

    /// The core values that the type is passed as where there are few enough.
    pub fn flat(&self) -> Vec<Core> {
        if let Some(members) = self.members() {
            return members.iter().flat_map(|member| member.flat()).collect();
        }
        if let Some(cases) = self.cases() {
            let mut slots: Vec<Core> = Vec::new();
            for payload in cases.iter().flatten() {
                for (i, core) in payload.flat().into_iter().enumerate() {
                    match slots.get_mut(i) {
                        Some(slot) => *slot = slot.join(core),
                        None => slots.push(core),
                    }
                }
            }
            slots.insert(0, Core::I32);
            return slots;
        }
        match self {
            WitType::S64 | WitType::U64 => vec![Core::I64],
            WitType::F32 => vec![Core::F32],
            WitType::F64 => vec![Core::F64],
            WitType::String | WitType::List(_) => vec![Core::I32, Core::I32],
            _ => vec![Core::I32],
        }
    }
}

/// Where the members of a record start, then where the last one ends; and the record's alignment.
pub fn offsets(members: &[&WitType]) -> (Vec<u32>, u32) {
    let (mut end, mut align_max, mut starts) = (0u32, 1, Vec::new());
    for member in members {
        let (size, align) = member.size_align();
        let start = end.next_multiple_of(align);
        starts.push(start);
        end = start + size;
        align_max = align_max.max(align);
    }
    starts.push(end);
    (starts, align_max)
}
