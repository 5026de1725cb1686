//! Components of componentize-py that free the lists of bytes which they pass.
//!
//! The Python runtime of componentize-py 0.25.1 answers `wit_dylib_pop_list`, by which the bindings of a component's world
//! take a list from it, with a copy of the bytes that nobody frees (`maybe_pop_list` in its `runtime/src/lib.rs`). So the
//! build has the bindings, a small core module of their own, hand that copy to `wit_dylib_dealloc_bytes` with the flag
//! that has it freed when the call is over, as they do with all else that they lower.

use std::fs;
use std::path::Path;

use wasm_encoder::reencode::{self, Reencode, ReencodeComponent};
use wasm_encoder::{
    BlockType, CodeSection, Component, ComponentSectionId, Function, FunctionSection, MemArg, Module, RawSection,
    ValType,
};
use wasmparser::{CodeSectionReader, FunctionSectionReader, Parser, Payload, TypeRef};

/// Where the bindings have their imports from, and what these are called.
const RUNTIME: &str = "env";
const POP_LIST: &str = "wit_dylib_pop_list";
const DEALLOC: &str = "wit_dylib_dealloc_bytes";

/// Why a component could not be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum BytesError {
    /// The file can't be read or written.
    #[error("failed to rewrite the component: {0}")]
    File(#[from] std::io::Error),
    /// The file is no component.
    #[error("failed to have the component free its lists of bytes: {0}")]
    Component(#[from] reencode::Error),
}

/// Rewrites the component so that the copies are freed.
pub(crate) fn free_after_calls(component: &Path) -> Result<(), BytesError> {
    let mut rewritten = Component::new();
    Modules.parse_component(&mut rewritten, Parser::new(0), &fs::read(component)?)?;
    fs::write(component, rewritten.finish())?;
    Ok(())
}

/// Copies a component, but for the bindings among its modules.
struct Modules;

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
        match Bindings::find(module)? {
            Some(mut bindings) => {
                let mut rewritten = Module::new();
                bindings.parse_core_module(&mut rewritten, parser, module)?;
                component
                    .section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: rewritten.as_slice() });
            }
            None => {
                component.section(&RawSection { id: ComponentSectionId::CoreModule.into(), data: module });
            }
        }
        Ok(())
    }
}

/// Copies the bindings with a function at the end that every call of `wit_dylib_pop_list` goes to.
struct Bindings {
    pop_list: u32,
    /// The type of `wit_dylib_pop_list`, and of the function that stands for it.
    pop_list_type: u32,
    dealloc: u32,
    /// The index of that function, one past the last.
    popping: u32,
}

impl Bindings {
    /// Reads the indices of a module, if it is the bindings and they pass lists.
    fn find(module: &[u8]) -> Result<Option<Bindings>, reencode::Error> {
        let mut functions = 0;
        let (mut pop_list, mut dealloc) = (None, None);
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import?;
                        let TypeRef::Func(ty) = import.ty else { continue };
                        match (import.module, import.name) {
                            (RUNTIME, POP_LIST) => pop_list = Some((functions, ty)),
                            (RUNTIME, DEALLOC) => dealloc = Some(functions),
                            _ => {}
                        }
                        functions += 1;
                    }
                }
                Payload::FunctionSection(defined) => functions += defined.count(),
                _ => {}
            }
        }
        Ok(pop_list.zip(dealloc).map(|((pop_list, pop_list_type), dealloc)| Bindings {
            pop_list,
            pop_list_type,
            dealloc,
            popping: functions,
        }))
    }

    /// `fn(call, list_type, &mut pointer) -> length`, which pops a list and has its copy freed with the call.
    fn popping(&self) -> Function {
        let [call, list_type, pointer, length] = [0, 1, 2, 3];
        let mut function = Function::new([(1, ValType::I32)]);
        let mut code = function.instructions();
        code.local_get(call).local_get(list_type).local_get(pointer).call(self.pop_list).local_set(length);
        // No pointer means that there is no copy: the elements come one by one.
        code.local_get(pointer).i32_load(MemArg { offset: 0, align: 2, memory_index: 0 });
        code.if_(BlockType::Empty);
        code.local_get(call).local_get(pointer).i32_load(MemArg { offset: 0, align: 2, memory_index: 0 });
        let (alignment, when_the_call_is_over) = (1, 1);
        code.local_get(length).i32_const(alignment).i32_const(when_the_call_is_over).call(self.dealloc);
        code.end().local_get(length).end();
        function
    }
}

impl Reencode for Bindings {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        Ok(if function == self.pop_list { self.popping } else { function })
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_function_section(self, functions, section)?;
        functions.function(self.pop_list_type);
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        reencode::utils::parse_code_section(self, code, section)?;
        code.function(&self.popping());
        Ok(())
    }
}
