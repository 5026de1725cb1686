//! WIT types in the text format: those that must have a name are exported by the imported instance and aliased.

use super::super::wit_type::{Signature, WitType};

/// The named types of one component, in the order in which they must be declared.
#[derive(Default)]
pub struct Types {
    named: Vec<String>,
}

impl Types {
    /// A function's type without the enclosing `(func …)`.
    pub fn function(&mut self, signature: &Signature, is_async: bool) -> String {
        let mut text = String::from(if is_async { "async" } else { "" });
        for (i, ty) in signature.params.iter().enumerate() {
            text += &format!(r#" (param "p{i}" {})"#, self.reference(ty));
        }
        text + &self.result(signature)
    }

    /// A function's `(result …)`, or nothing.
    pub fn result(&mut self, signature: &Signature) -> String {
        signature.result.as_ref().map_or_else(String::new, |ty| format!(" (result {})", self.reference(ty)))
    }

    /// The declarations of the named types inside the type of the imported instance.
    pub fn declarations(&self) -> String {
        let declare = |(i, text): (usize, &String)| {
            format!("    (type $d{i} {text})\n    (export \"t{i}\" (type $t{i} (eq $d{i})))\n")
        };
        self.named.iter().enumerate().map(declare).collect()
    }

    /// The same types under the same identifiers outside of it.
    pub fn aliases(&self) -> String {
        (0..self.named.len()).map(|i| format!("  (alias export $svc \"t{i}\" (type $t{i}))\n")).collect()
    }

    fn reference(&mut self, ty: &WitType) -> String {
        match ty {
            WitType::Bool => "bool".to_owned(),
            WitType::S8 => "s8".to_owned(),
            WitType::U8 => "u8".to_owned(),
            WitType::S16 => "s16".to_owned(),
            WitType::U16 => "u16".to_owned(),
            WitType::S32 => "s32".to_owned(),
            WitType::U32 => "u32".to_owned(),
            WitType::S64 => "s64".to_owned(),
            WitType::U64 => "u64".to_owned(),
            WitType::F32 => "f32".to_owned(),
            WitType::F64 => "f64".to_owned(),
            WitType::Char => "char".to_owned(),
            WitType::String => "string".to_owned(),
            WitType::List(element) => format!("(list {})", self.reference(element)),
            WitType::Option(some) => format!("(option {})", self.reference(some)),
            WitType::Tuple(types) => {
                let types: String = types.iter().map(|ty| format!(" {}", self.reference(ty))).collect();
                format!("(tuple{types})")
            }
            WitType::Result(ok, err) => {
                let ok = ok.as_ref().map_or_else(String::new, |ty| format!(" {}", self.reference(ty)));
                let err = err.as_ref().map_or_else(String::new, |ty| format!(" (error {})", self.reference(ty)));
                format!("(result{ok}{err})")
            }
            WitType::Record(fields) => {
                let field = |(name, ty): &(String, WitType)| format!(r#" (field "{name}" {})"#, self.reference(ty));
                let fields: String = fields.iter().map(field).collect();
                self.name(format!("(record{fields})"))
            }
            WitType::Variant(cases) => {
                let case = |(name, payload): &(String, Option<WitType>)| {
                    let payload = payload.as_ref().map_or_else(String::new, |ty| format!(" {}", self.reference(ty)));
                    format!(r#" (case "{name}"{payload})"#)
                };
                let cases: String = cases.iter().map(case).collect();
                self.name(format!("(variant{cases})"))
            }
            WitType::Enum(names) => self.name(format!("(enum{})", quoted(names))),
            WitType::Flags(names) => self.name(format!("(flags{})", quoted(names))),
        }
    }

    /// The identifier of a named type; equal types share one, so that a signature can be written out twice.
    fn name(&mut self, text: String) -> String {
        let known = self.named.iter().position(|named| *named == text);
        let index = known.unwrap_or_else(|| {
            self.named.push(text);
            self.named.len() - 1
        });
        format!("$t{index}")
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!(r#" "{name}""#)).collect()
}
