//! Core instructions that move a value between memory, at the address in `$base`, and its flat values in locals.

use super::super::wit_type::{Core, WitType, offsets};

/// Which way a value is moved.
#[derive(Clone, Copy)]
pub enum Direction {
    /// From memory to locals, which must be zero before.
    Load,
    /// From locals to memory.
    Store,
}

/// A local that holds one flat value.
pub struct Slot {
    name: String,
    core: Core,
}

impl Slot {
    /// Locals named by a prefix and their index.
    pub fn named(prefix: &str, flat: &[Core]) -> Vec<Slot> {
        flat.iter().enumerate().map(|(i, core)| Slot { name: format!("${prefix}{i}"), core: *core }).collect()
    }
}

/// The instructions that move one value; `slots` are as many as the type has flat values.
pub fn moves(ty: &WitType, direction: Direction, slots: Vec<Slot>) -> String {
    let mut text = String::new();
    Moves { direction, text: &mut text }.value(ty, 0, &slots);
    text
}

struct Moves<'a> {
    direction: Direction,
    text: &'a mut String,
}

impl Moves<'_> {
    fn value(&mut self, ty: &WitType, at: u32, slots: &[Slot]) {
        if let Some(members) = ty.members() {
            let mut first = 0;
            for (member, offset) in members.iter().zip(offsets(&members).0) {
                let count = member.flat().len();
                self.value(member, at + offset, &slots[first..first + count]);
                first += count;
            }
        } else if let Some(cases) = ty.cases() {
            self.number(ty.discriminant_size(), at, &slots[0]);
            for (i, payload) in cases.iter().enumerate() {
                let Some(payload) = payload else { continue };
                let discriminant = from_slot(&slots[0], Core::I32);
                *self.text += &format!("(if (i32.eq {discriminant} (i32.const {i})) (then ");
                self.value(payload, at + ty.payload_offset(), &slots[1..]);
                *self.text += "))\n";
            }
        } else {
            match ty {
                WitType::String | WitType::List(_) => {
                    self.number(4, at, &slots[0]);
                    self.number(4, at + 4, &slots[1]);
                }
                WitType::S8 => self.one("i32.load8_s", "i32.store8", Core::I32, at, &slots[0]),
                WitType::S16 => self.one("i32.load16_s", "i32.store16", Core::I32, at, &slots[0]),
                WitType::S64 | WitType::U64 => self.one("i64.load", "i64.store", Core::I64, at, &slots[0]),
                WitType::F32 => self.one("f32.load", "f32.store", Core::F32, at, &slots[0]),
                WitType::F64 => self.one("f64.load", "f64.store", Core::F64, at, &slots[0]),
                _ => self.number(ty.size_align().0, at, &slots[0]),
            }
        }
    }

    fn number(&mut self, size: u32, at: u32, slot: &Slot) {
        match size {
            1 => self.one("i32.load8_u", "i32.store8", Core::I32, at, slot),
            2 => self.one("i32.load16_u", "i32.store16", Core::I32, at, slot),
            _ => self.one("i32.load", "i32.store", Core::I32, at, slot),
        }
    }

    fn one(&mut self, load: &str, store: &str, core: Core, at: u32, slot: &Slot) {
        *self.text += &match self.direction {
            Direction::Load => {
                let loaded = to_slot(slot, core, format!("({load} offset={at} (local.get $base))"));
                format!("(local.set {} {loaded})\n", slot.name)
            }
            Direction::Store => format!("({store} offset={at} (local.get $base) {})\n", from_slot(slot, core)),
        };
    }
}

/// Cases of a variant share slots, so a slot may be wider than the value in it, or of another class.
fn from_slot(slot: &Slot, core: Core) -> String {
    let value = format!("(local.get {})", slot.name);
    match (slot.core, core) {
        (Core::I32, Core::F32) => format!("(f32.reinterpret_i32 {value})"),
        (Core::I64, Core::I32) => format!("(i32.wrap_i64 {value})"),
        (Core::I64, Core::F32) => format!("(f32.reinterpret_i32 (i32.wrap_i64 {value}))"),
        (Core::I64, Core::F64) => format!("(f64.reinterpret_i64 {value})"),
        _ => value,
    }
}

fn to_slot(slot: &Slot, core: Core, value: String) -> String {
    match (slot.core, core) {
        (Core::I32, Core::F32) => format!("(i32.reinterpret_f32 {value})"),
        (Core::I64, Core::I32) => format!("(i64.extend_i32_u {value})"),
        (Core::I64, Core::F32) => format!("(i64.extend_i32_u (i32.reinterpret_f32 {value}))"),
        (Core::I64, Core::F64) => format!("(i64.reinterpret_f64 {value})"),
        _ => value,
    }
}
