//! What the bindings import, and which types of lists they pass that have numbers for elements.

use std::collections::{BTreeMap, HashMap};

use wasm_encoder::reencode;
use wasmparser::{FunctionBody, Operator, Parser, Payload, TypeRef};

use super::changes::{Changes, Numbers};

/// Where the bindings have their imports from, and how those of the interpreter begin.
const RUNTIME: &str = "env";
const PREFIX: &str = "wit_dylib_";

/// The functions that others stand for.
const LISTS: [(&str, Standing); 2] = [("push_list", Standing::PushList), ("pop_list", Standing::PopList)];
const WIDE: [(&str, Standing); 4] = [
    ("push_u64", Standing::PushUnsigned),
    ("push_s64", Standing::PushSigned),
    ("pop_u64", Standing::PopDigits),
    ("pop_s64", Standing::PopDigits),
];

/// The numbers that lists are of, and how many bytes one takes.
const SIZES: [(&str, i32); 10] = [
    ("u8", 1),
    ("s8", 1),
    ("u16", 2),
    ("s16", 2),
    ("u32", 4),
    ("s32", 4),
    ("f32", 4),
    ("u64", 8),
    ("s64", 8),
    ("f64", 8),
];

/// How a function of the bindings' own answers in place of one of the interpreter's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    PushList,
    PopList,
    PushUnsigned,
    PushSigned,
    PopDigits,
}

/// An imported function.
#[derive(Clone, Copy)]
pub(super) struct Import {
    pub(super) index: u32,
    pub(super) ty: u32,
}

pub(super) struct Replaced {
    pub(super) import: Import,
    pub(super) by: Standing,
}

/// What matters of the bindings.
pub(super) struct Found {
    imports: HashMap<String, Import>,
    /// The global that is the stack's pointer.
    pub(super) stack_pointer: Option<u32>,
    /// The functions that are replaced, in the order of those that stand for them.
    pub(super) replaced: Vec<Replaced>,
    /// The index of the first function that stands for another, one past the last of the module.
    first: u32,
    /// The types of lists whose elements are numbers of more than a byte, with what one takes.
    pub(super) numbers: BTreeMap<i32, i32>,
    /// A type of lists of bytes.
    pub(super) bytes: Option<i32>,
    pub(super) changes: Changes,
}

impl Found {
    /// Reads a module, if it is the bindings.
    pub(super) fn in_module(module: &[u8], changes: Changes) -> Result<Option<Found>, reencode::Error> {
        let mut found = Found {
            imports: HashMap::new(),
            stack_pointer: None,
            replaced: Vec::new(),
            first: 0,
            numbers: BTreeMap::new(),
            bytes: None,
            changes,
        };
        let mut globals = 0;
        let mut lists = BTreeMap::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        match import.ty {
                            TypeRef::Func(ty) => {
                                if import.module == RUNTIME {
                                    found.imports.insert(import.name.to_owned(), Import { index: found.first, ty });
                                }
                                found.first += 1;
                            }
                            TypeRef::Global(_) => {
                                if import.name == "__stack_pointer" {
                                    found.stack_pointer = Some(globals);
                                }
                                globals += 1;
                            }
                            _ => {}
                        }
                    }
                }
                Payload::FunctionSection(defined) => found.first += defined.count(),
                Payload::CodeSectionEntry(body) => found.scan(&body, &mut lists)?,
                _ => {}
            }
        }
        // The interpreter exports by these names what the bindings import.
        if !found.imports.contains_key("wit_dylib_initialize") || found.import("push_list").is_none() {
            return Ok(None);
        }
        found.choose(&lists);
        Ok(Some(found))
    }

    /// A function of the interpreter's, or of its library.
    pub(super) fn import(&self, name: &str) -> Option<Import> {
        self.imports.get(&format!("{PREFIX}{name}")).or_else(|| self.imports.get(name)).copied()
    }

    /// The function that stands for an imported one.
    pub(super) fn standing(&self, function: u32) -> Option<u32> {
        let at = self.replaced.iter().position(|replaced| replaced.import.index == function)?;
        u32::try_from(at).ok().map(|at| self.first + at)
    }

    /// Notes of each type of lists that a function passes which numbers it has for elements: where one is pushed, it is
    /// followed at once by `list_append` with the type, and where one is popped, `pop_list_iter_next` comes before it.
    fn scan(&self, body: &FunctionBody<'_>, lists: &mut BTreeMap<i32, i32>) -> Result<(), reencode::Error> {
        let index = |name: &str| self.import(name).map(|import| import.index);
        // The earlier wit-dylib of componentize-py has another name for it.
        let next = index("pop_list_iter_next").or_else(|| index("pop_iter_next"));
        let append = index("list_append");
        let size = |function: Option<u32>, prefix: &str| {
            let is_it = |name: &str| function.is_some() && index(&format!("{prefix}{name}")) == function;
            SIZES.into_iter().find(|(name, _)| is_it(name)).map(|(_, size)| size)
        };
        let push_list = index("push_list");
        // The last function that was called, the one before, and the last constant.
        let (mut last, mut before, mut constant, mut awaited) = (None, None, 0, None);
        for operator in body.get_operators_reader()? {
            match operator? {
                Operator::I32Const { value } => constant = value,
                Operator::Call { function_index } => {
                    if Some(function_index) == append
                        && before == push_list
                        && let Some(size) = size(last, "push_")
                    {
                        lists.insert(constant, size);
                    }
                    if let Some(list) = awaited.take()
                        && let Some(size) = size(Some(function_index), "pop_")
                    {
                        lists.insert(list, size);
                    }
                    if Some(function_index) == next {
                        awaited = Some(constant);
                    }
                    (before, last) = (last, Some(function_index));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Settles which functions others stand for.
    fn choose(&mut self, lists: &BTreeMap<i32, i32>) {
        let (numbers, frees_bytes) = (self.changes.numbers, self.changes.frees_bytes);
        let mut wanted = Vec::new();
        if numbers != Numbers::Plain {
            self.bytes = lists.iter().find(|(_, size)| **size == 1).map(|(list, _)| *list);
            self.numbers = lists.iter().filter(|(_, size)| **size > 1).map(|(list, size)| (*list, *size)).collect();
        }
        if frees_bytes || !self.numbers.is_empty() {
            wanted.extend(LISTS);
        }
        if numbers == Numbers::Digits {
            wanted.extend(WIDE);
        }
        for (name, by) in wanted {
            if let Some(import) = self.import(name) {
                self.replaced.push(Replaced { import, by });
            }
        }
    }
}
