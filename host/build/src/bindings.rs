//! The bindings of an interpreter's component, rewritten: what they pass, and that they free it.
//!
//! componentize-py and componentize-qjs link a component from an interpreter and from bindings for the component's world, a
//! core module of its own that wit-dylib makes. It hands each value over by a call such as `wit_dylib_push_u64`, and takes each
//! by one such as `wit_dylib_pop_list`. The build appends functions to that module which stand for some of them:
//!
//! * Lists of numbers go as the list of their bytes, which is one copy, where both interpreters make a call for each number.
//!   The language's SDK has them be arrays of numbers again.
//! * An integer of 64 bits that no number of JavaScript holds comes as hexadecimal digits, and goes as such always.
//! * componentize-py 0.25.1 answers `wit_dylib_pop_list` with a copy of the bytes that nobody frees (`maybe_pop_list` in its
//!   `runtime/src/lib.rs`). It is handed to `wit_dylib_dealloc_bytes` with the flag that has it freed when the call is over, as
//!   the bindings do with all else that they lower.

use std::fs;
use std::path::Path;

use wasm_encoder::reencode::{self, Reencode, ReencodeComponent};
use wasm_encoder::{CodeSection, Component, ComponentSectionId, FunctionSection, Module, RawSection};
use wasmparser::{CodeSectionReader, FunctionSectionReader, Parser};

pub(crate) use self::changes::{Changes, Numbers};
use self::found::Found;

mod changes;
mod found;
mod standing;

/// Why a component could not be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum BindingsError {
    /// The file can't be read or written.
    #[error("failed to rewrite the component: {0}")]
    File(#[from] std::io::Error),
    /// The file is no component.
    #[error("failed to rewrite the bindings of the component: {0}")]
    Component(#[from] reencode::Error),
    /// The bindings are not as those of the versions that the recipe of the language names.
    #[error("the bindings of the component are not as lp-host knows them, so that numbers would pass them wrong")]
    Unknown,
}

/// Rewrites the bindings in a component.
pub(crate) fn rewrite(component: &Path, changes: Changes) -> Result<(), BindingsError> {
    let mut rewritten = Component::new();
    let mut modules = Modules { changes, is_found: false };
    modules.parse_component(&mut rewritten, Parser::new(0), &fs::read(component)?)?;
    if !modules.is_found && changes.numbers != Numbers::Plain {
        return Err(BindingsError::Unknown);
    }
    fs::write(component, rewritten.finish())?;
    Ok(())
}

/// Copies a component, but for the bindings among its modules.
struct Modules {
    changes: Changes,
    is_found: bool,
}

impl Reencode for Modules {
    type Error = std::convert::Infallible;
}

impl ReencodeComponent for Modules {
    fn parse_component_submodule(
        &mut self,
        component: &mut Component,
        parser: Parser,
        module: &[u8],
    ) -> Result<(), reencode::Error> {
        let mut rewritten = Module::new();
        let mut data = module;
        if let Some(found) = Found::in_module(module, self.changes)? {
            self.is_found = true;
            Bindings { found }.parse_core_module(&mut rewritten, parser, module)?;
            data = rewritten.as_slice();
        }
        component.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data });
        Ok(())
    }
}

/// Copies the bindings with functions at the end that calls of some imports go to instead.
struct Bindings {
    found: Found,
}

impl Reencode for Bindings {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        Ok(self.found.standing(function).unwrap_or(function))
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_function_section(self, functions, section)?;
        self.found.replaced.iter().for_each(|replaced| _ = functions.function(replaced.import.ty));
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_code_section(self, code, section)?;
        self.found.replaced.iter().for_each(|replaced| _ = code.function(&self.found.code(replaced)));
        Ok(())
    }
}
