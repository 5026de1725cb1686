//! One pass over a component's bytes: validation, the names of imports and exports, and what the file says of itself.

use wasmparser::types::Types;
use wasmparser::{
    BinaryReaderError, ComponentExternalKind, Encoding, KnownCustom, Parser, Payload, ValidPayload, Validator,
    WasmFeatures,
};

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

/// What the pass has found so far.
#[derive(Default)]
struct Found {
    /// How many modules and components are open.
    depth: u32,
    types: Option<Types>,
    imports: Vec<String>,
    exports: Vec<String>,
    /// Whether an export is anything but a type.
    exports_items: bool,
    language: Language,
    memory_bytes: u64,
    table_elements: u64,
}

impl Scan {
    pub fn of(bytes: &[u8]) -> Result<Scan, ReadError> {
        if !bytes.starts_with(b"\0asm") {
            return Err(ReadError::NotWasm);
        }
        let mut strict = Some(Validator::new_with_features(without_async()));
        let mut validator = Validator::new_with_features(WasmFeatures::all());
        let mut found = Found::default();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(ReadError::Invalid)?;
            if let Payload::Version { encoding: Encoding::Module, .. } = payload
                && found.depth == 0
            {
                return Err(ReadError::CoreModule);
            }
            // The validator hands out a function body instead of validating it, and nobody takes it up.
            let valid = validator.payload(&payload).map_err(ReadError::Invalid)?;
            if strict.as_mut().is_some_and(|strict| strict.payload(&payload).is_err()) {
                strict = None;
            }
            found.payload(payload, valid).map_err(ReadError::Invalid)?;
        }
        // The binary form of a WIT package exports its interfaces and worlds as types.
        if !found.exports_items && !found.exports.is_empty() {
            return Err(ReadError::WitPackage);
        }
        Ok(Scan {
            types: found.types.expect("the parser ends a valid component with `End`"),
            imports: found.imports,
            exports: found.exports,
            uses_async: strict.is_none(),
            language: found.language.found(),
            memory_bytes: found.memory_bytes,
            table_elements: found.table_elements,
        })
    }
}

impl Found {
    /// Takes note of a part of the file, of which the validator says `valid`.
    fn payload(&mut self, payload: Payload<'_>, valid: ValidPayload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::Version { .. } => {
                self.depth += 1;
                self.language.begin();
            }
            Payload::End(_) => {
                self.depth -= 1;
                self.language.end();
                if let (0, ValidPayload::End(types)) = (self.depth, valid) {
                    self.types = Some(types);
                }
            }
            Payload::ComponentImportSection(section) if self.depth == 1 => {
                for import in section {
                    self.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if self.depth == 1 => {
                for export in section {
                    let export = export?;
                    self.exports_items |= export.kind != ComponentExternalKind::Type;
                    self.exports.push(export.name.name.to_owned());
                }
            }
            Payload::ExportSection(section) => self.language.exports(section),
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory?;
                    let page = 1_u64 << memory.page_size_log2.unwrap_or(16);
                    self.memory_bytes = memory.initial.saturating_mul(page).max(self.memory_bytes);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    self.table_elements = table?.ty.initial.max(self.table_elements);
                }
            }
            Payload::CustomSection(section) => {
                if let KnownCustom::Producers(_) = section.as_known() {
                    self.language.producers(section.data(), section.data_offset());
                }
            }
            _ => {}
        }
        Ok(())
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
