//! One pass over a component's bytes: validation, the names of imports and exports, and what the file says of itself.

use wasmparser::types::Types;
use wasmparser::{ComponentExternalKind, Encoding, KnownCustom, Parser, Payload, Validator, WasmFeatures};

use super::ReadError;
use super::language::Language;

/// What one pass over a valid component found.
pub(super) struct Scan {
    pub types: Types,
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    pub uses_async: bool,
    pub language: Option<String>,
    pub memory_bytes: u64,
    pub table_elements: u64,
}

impl Scan {
    pub fn of(bytes: &[u8]) -> Result<Scan, ReadError> {
        if !bytes.starts_with(b"\0asm") {
            return Err(ReadError::NotWasm);
        }
        let mut strict = Some(Validator::new_with_features(without_async()));
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let (mut imports, mut exports, mut language) = (Vec::new(), Vec::new(), Language::default());
        let (mut depth, mut types, mut only_types) = (0_u32, None, true);
        let (mut memory_bytes, mut table_elements) = (0, 0);
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(ReadError::Invalid)?;
            if let Payload::Version { encoding: Encoding::Module, .. } = payload
                && depth == 0
            {
                return Err(ReadError::CoreModule);
            }
            // The validator hands out a function body instead of validating it, and nobody takes it up.
            let valid = validator.payload(&payload).map_err(ReadError::Invalid)?;
            if strict.as_mut().is_some_and(|strict| strict.payload(&payload).is_err()) {
                strict = None;
            }
            match payload {
                Payload::Version { .. } => {
                    depth += 1;
                    language.begin();
                }
                Payload::End(_) => {
                    depth -= 1;
                    language.end();
                    if let (0, wasmparser::ValidPayload::End(found)) = (depth, valid) {
                        types = Some(found);
                    }
                }
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        imports.push(import.map_err(ReadError::Invalid)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        let export = export.map_err(ReadError::Invalid)?;
                        only_types &= export.kind == ComponentExternalKind::Type;
                        exports.push(export.name.name.to_owned());
                    }
                }
                Payload::ExportSection(section) => language.exports(section),
                Payload::MemorySection(section) => {
                    for memory in section {
                        let memory = memory.map_err(ReadError::Invalid)?;
                        let page = 1_u64 << memory.page_size_log2.unwrap_or(16);
                        memory_bytes = memory.initial.saturating_mul(page).max(memory_bytes);
                    }
                }
                Payload::TableSection(section) => {
                    for table in section {
                        table_elements = table.map_err(ReadError::Invalid)?.ty.initial.max(table_elements);
                    }
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Producers(_) = section.as_known() {
                        language.producers(section.data(), section.data_offset());
                    }
                }
                _ => {}
            }
        }
        // The binary form of a WIT package exports its interfaces and worlds as types.
        if only_types && !exports.is_empty() {
            return Err(ReadError::WitPackage);
        }
        let types = types.expect("the parser ends a valid component with `End`");
        let (uses_async, language) = (strict.is_none(), language.found());
        Ok(Scan { types, imports, exports, uses_async, language, memory_bytes, table_elements })
    }
}

/// Everything but the component model's async proposal and the proposals that stand on it.
fn without_async() -> WasmFeatures {
    WasmFeatures::all()
        - WasmFeatures::CM_ASYNC
        - WasmFeatures::CM_ASYNC_STACKFUL
        - WasmFeatures::CM_MORE_ASYNC_BUILTINS
        - WasmFeatures::CM_THREADING
        - WasmFeatures::CM_ERROR_CONTEXT
}
