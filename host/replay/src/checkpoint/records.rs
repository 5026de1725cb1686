//! Files of records: TFRecord frames, all of them in one zlib stream.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use crc::{CRC_32_ISCSI, Crc, Table};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// A record is a protobuf message, which has no more bytes than this.
const RECORD_BYTES_MAX: u64 = 1 << 31;

/// How much is read and written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// By the largest tables, which are the fastest.
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// The checksum of a frame: so changed that a checksum of data with checksums in it is none of these.
fn masked_crc(data: &[u8]) -> u32 {
    CRC32C.checksum(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Writes records.
pub(super) struct RecordWriter(ZlibEncoder<BufWriter<File>>);

impl RecordWriter {
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(BUFFER_BYTES, File::create_new(path)?);
        // Tensors are compressed already: to try harder takes time and saves nothing.
        Ok(Self(ZlibEncoder::new(file, Compression::fast())))
    }

    pub fn write(&mut self, record: &[u8]) -> io::Result<()> {
        let length = (record.len() as u64).to_le_bytes();
        self.0.write_all(&length)?;
        self.0.write_all(&masked_crc(&length).to_le_bytes())?;
        self.0.write_all(record)?;
        self.0.write_all(&masked_crc(record).to_le_bytes())
    }

    /// Returns when all of it is on the disk.
    pub fn finish(self) -> io::Result<()> {
        let file = self.0.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()
    }
}

/// Calls `take` with each record of a file.
pub(super) fn each_record(path: &Path, mut take: impl FnMut(Vec<u8>) -> Result<(), String>) -> Result<(), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    // Without records there is still the frame of the compression.
    if file.metadata().map_err(|error| error.to_string())?.len() == 0 {
        return Err("the file is empty".to_owned());
    }
    if !is_compressed(&mut file).map_err(|error| error.to_string())? {
        return each_frame(BufReader::with_capacity(BUFFER_BYTES, file), &mut take);
    }
    let mut decoder = ZlibDecoder::new(BufReader::with_capacity(BUFFER_BYTES, file));
    each_frame(&mut decoder, &mut take)?;
    let mut rest = decoder.into_inner();
    let is_end = rest.read(&mut [0]).map_err(|error| error.to_string())? == 0;
    if is_end { Ok(()) } else { Err("something follows after the end of the compressed data".to_owned()) }
}

/// Whether a file begins as zlib does. Files may have plain frames too: the length of the first one begins in the same way only
/// if it is 376 or one of few others, and never with the zeros that follow it.
fn is_compressed(file: &mut File) -> io::Result<bool> {
    let mut start = Vec::new();
    file.take(8).read_to_end(&mut start)?;
    file.rewind()?;
    let is_zlib = matches!(start[..], [0x78, flags, ..] if (0x7800 + u16::from(flags)) % 31 == 0);
    let is_length = matches!(start[..], [.., 0, 0, 0, 0, 0]);
    Ok(is_zlib && !is_length)
}

fn each_frame(mut file: impl Read, take: &mut impl FnMut(Vec<u8>) -> Result<(), String>) -> Result<(), String> {
    let torn = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "the file ends in the middle of a record".to_owned(),
        _ => error.to_string(),
    };
    loop {
        let mut head = Vec::with_capacity(12);
        (&mut file).take(12).read_to_end(&mut head).map_err(torn)?;
        if head.is_empty() {
            return Ok(());
        }
        let Some((length, crc)) = head.split_first_chunk::<8>().filter(|(_, crc)| crc.len() == 4) else {
            return Err("the file ends in the middle of a record".to_owned());
        };
        if masked_crc(length).to_le_bytes() != crc {
            return Err("the checksum of a record's length is wrong".to_owned());
        }
        let length = u64::from_le_bytes(*length);
        if length > RECORD_BYTES_MAX {
            return Err(format!("a record has {length} bytes"));
        }
        // Room is made as it comes: the length may be wrong.
        let mut record = Vec::new();
        (&mut file).take(length + 4).read_to_end(&mut record).map_err(torn)?;
        let Some((data, crc)) = record.split_last_chunk::<4>().filter(|(data, _)| data.len() as u64 == length) else {
            return Err("the file ends in the middle of a record".to_owned());
        };
        if masked_crc(data).to_le_bytes() != *crc {
            return Err("the checksum of a record is wrong".to_owned());
        }
        record.truncate(length as usize);
        take(record)?;
    }
}

#[cfg(test)]
mod tests {
    use super::{CRC32C, masked_crc};

    #[test]
    fn checksums_are_those_of_the_format() {
        // The check value of CRC-32C, and the rule of the format applied to it.
        assert_eq!(CRC32C.checksum(b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc(b"123456789"), 0x2507_c60d_u32.wrapping_add(0xa282_ead8));
    }
}
