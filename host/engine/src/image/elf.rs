//! Executables and libraries of Linux: what they need to start, and what of them only a debugger reads.

use object::elf::{DT_NEEDED, DT_SONAME, DT_STRSZ, DT_STRTAB, FileHeader64, PT_INTERP, PT_LOAD, ProgramHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, StringTable};

type Header = FileHeader64<Endianness>;

/// Something that is no executable or library of a 64-bit Linux.
#[derive(Debug, thiserror::Error)]
#[error("it is no 64-bit ELF file, or a damaged one: {0}")]
pub struct BadExecutable(String);

/// What a file of machine code is called and needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The path of the loader that starts it.
    pub(super) loader: Option<String>,
    /// The name by which others need it.
    pub(super) name: Option<String>,
    /// The names of the libraries that it needs.
    pub(super) libraries: Vec<String>,
}

impl Needs {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BadExecutable> {
        let (endian, headers) = read(bytes)?;
        let mut needs = Self::default();
        for header in headers {
            if header.p_type(endian) == PT_INTERP {
                let path = header.data(endian, bytes).map_err(|()| bad("its loader is not in it"))?;
                needs.loader = Some(text(path.strip_suffix(b"\0").unwrap_or(path))?);
            }
        }
        let dynamic = headers.iter().find_map(|header| header.dynamic(endian, bytes).transpose());
        let dynamic = dynamic.transpose().map_err(|error| bad(&error))?.unwrap_or_default();
        let value = |tag| dynamic.iter().find(|entry| entry.d_tag(endian) == tag).map(|entry| entry.d_val(endian));
        let (Some(address), Some(len)) = (value(DT_STRTAB), value(DT_STRSZ)) else { return Ok(needs) };
        let start = headers.iter().filter(|header| header.p_type(endian) == PT_LOAD).find_map(|header| {
            let offset = address.checked_sub(header.p_vaddr(endian))?;
            (offset < header.p_filesz(endian)).then(|| header.p_offset(endian).checked_add(offset))?
        });
        let start = start.ok_or_else(|| bad("its names are not in it"))?;
        let end = start.checked_add(len).ok_or_else(|| bad("its names have no end"))?;
        let names = StringTable::new(bytes, start, end);
        for entry in dynamic {
            let name = || {
                let offset = u32::try_from(entry.d_val(endian)).map_err(|error| bad(&error))?;
                text(names.get(offset).map_err(|()| bad("a name is not in it"))?)
            };
            match entry.d_tag(endian) {
                DT_NEEDED => needs.libraries.push(name()?),
                DT_SONAME => needs.name = Some(name()?),
                _ => {}
            }
        }
        Ok(needs)
    }
}

/// The file as far as the system loads it: what comes after, with the table of sections, is for debuggers. It is four fifths of
/// lp-host.
pub(super) fn without_debug_information(bytes: &[u8]) -> Result<Vec<u8>, BadExecutable> {
    /// Where the header has the place of the sections, their number, and the one with their names.
    const SECTIONS: [std::ops::Range<usize>; 2] = [0x28..0x30, 0x3c..0x40];
    let (endian, headers) = read(bytes)?;
    let ends = headers.iter().map(|header| header.p_offset(endian).saturating_add(header.p_filesz(endian)));
    let end = ends.max().and_then(|end| usize::try_from(end).ok()).ok_or_else(|| bad("nothing of it is loaded"))?;
    let mut loaded = bytes.get(..end).ok_or_else(|| bad("it ends too soon"))?.to_vec();
    for range in SECTIONS {
        loaded.get_mut(range).ok_or_else(|| bad("it ends too soon"))?.fill(0);
    }
    Ok(loaded)
}

fn read(bytes: &[u8]) -> Result<(Endianness, &[ProgramHeader64<Endianness>]), BadExecutable> {
    let header = Header::parse(bytes).map_err(|error| bad(&error))?;
    let endian = header.endian().map_err(|error| bad(&error))?;
    Ok((endian, header.program_headers(endian, bytes).map_err(|error| bad(&error))?))
}

fn text(bytes: &[u8]) -> Result<String, BadExecutable> {
    String::from_utf8(bytes.to_vec()).map_err(|error| bad(&error))
}

fn bad(reason: &(impl std::fmt::Display + ?Sized)) -> BadExecutable {
    BadExecutable(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_needs_the_same_without_its_debug_information() {
        let path = std::env::current_exe().expect("a running program has a file");
        let bytes = std::fs::read(path).expect("it can be read");
        let needs = Needs::read(&bytes).expect("it is an executable");
        assert!(needs.libraries.iter().any(|name| name.starts_with("libc.so")), "{needs:?}");
        assert!(needs.loader.as_ref().is_some_and(|path| path.starts_with("/lib")), "{needs:?}");
        let loaded = without_debug_information(&bytes).expect("it is an executable");
        assert!(loaded.len() < bytes.len());
        assert_eq!(Needs::read(&loaded).expect("it is an executable still"), needs);
        assert_eq!(without_debug_information(&loaded).expect("it is an executable"), loaded);
    }

    #[test]
    fn what_is_no_executable_is_an_error() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01\x01", &[0; 64]] {
            assert!(Needs::read(bytes).is_err());
            assert!(without_debug_information(bytes).is_err());
        }
    }
}
