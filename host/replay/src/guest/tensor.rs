//! Tensors as guests have them, and as the clients of Reverb put them into chunks.

use bytes::Bytes;
use prost::Message as _;

use super::messages::Tensor;
use crate::table::{Chunk, ChunkHead, ChunkKey, EpisodeId, Gauge};
use crate::wire::{ChunkData, Dim, SequenceRange, TensorProto, TensorShape, Tensors};

/// A type of elements: its number in TensorFlow and how many bytes an element has; `None` for texts.
struct Dtype(i32, Option<usize>);

/// The types in the order of the cases of `dtype` in the WIT.
const DTYPES: [Dtype; 16] = [
    Dtype(19, Some(2)),
    Dtype(1, Some(4)),
    Dtype(2, Some(8)),
    Dtype(6, Some(1)),
    Dtype(5, Some(2)),
    Dtype(3, Some(4)),
    Dtype(9, Some(8)),
    Dtype(4, Some(1)),
    Dtype(17, Some(2)),
    Dtype(22, Some(4)),
    Dtype(23, Some(8)),
    Dtype(10, Some(1)),
    Dtype(8, Some(8)),
    Dtype(18, Some(16)),
    Dtype(14, Some(2)),
    Dtype(7, None),
];

/// The types that a chunk may have as differences: whole numbers.
const WHOLE: [i32; 8] = [6, 5, 3, 9, 4, 17, 22, 23];

/// The largest tensor that is unpacked: what a chunk says of its size is not believed.
const TENSOR_BYTES_MAX: usize = 1 << 30;

/// Which steps a chunk is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub key: ChunkKey,
    pub episode: u64,
    /// Within the episode.
    pub first: u64,
    pub count: u32,
}

/// Packs the values of steps, stacked, as a chunk of one column.
pub(super) fn pack(tensor: &Tensor, steps: Steps, gauge: &Gauge) -> Result<Chunk, String> {
    let Dtype(number, size) = dtype_at(tensor.dtype)?;
    let elements = count(&tensor.shape).ok_or("it has too many elements")?;
    let content = match size {
        Some(size) if elements.checked_mul(*size) == Some(tensor.data.len()) => compressed(&tensor.data)?,
        Some(size) => {
            let (found, shape) = (tensor.data.len(), &tensor.shape);
            return Err(format!("it has {found} bytes, and not those of {shape:?} elements of {size} bytes"));
        }
        None => {
            // That the texts are there is made sure of now, and not when somebody samples them.
            texts(&tensor.data, elements).ok_or("it has not as many texts as its shape says")?;
            tensor.data.clone()
        }
    };
    let dim = tensor.shape.iter().map(|size| Dim { size: i64::from(*size), name: String::new() }).collect();
    let shape = TensorShape { dim, unknown_rank: false };
    let number_of = |step: u64| i32::try_from(step).unwrap_or(i32::MAX);
    let chunk = ChunkData {
        chunk_key: steps.key.0,
        sequence_range: Some(SequenceRange {
            episode_id: steps.episode,
            start: number_of(steps.first),
            end: number_of(steps.first + u64::from(steps.count).saturating_sub(1)),
            sparse: false,
        }),
        delta_encoded: false,
        data: Some(Tensors {
            tensors: vec![TensorProto { dtype: *number, tensor_shape: Some(shape), tensor_content: content }],
        }),
        data_tensors_len: 1,
        data_uncompressed_size: tensor.data.len() as i64,
    };
    let head = ChunkHead { key: steps.key, episode: EpisodeId(steps.episode) };
    Ok(Chunk::new(head, chunk.encode_to_vec().into(), gauge))
}

/// Chunks of fewer bytes are not worth their overhead.
const CHUNK_BYTES_MIN: usize = 4 << 10;

/// Chunks of steps that no item of the same call is made of have at most as many bytes: whoever samples one step of a chunk unpacks
/// all of it.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// The parts of a tensor that make chunks, each with the number of its first row, where the largest item that is made of it has
/// so many rows, or there is none.
pub(super) fn parts(tensor: &Tensor, item_rows: Option<u64>) -> Vec<(u32, Tensor)> {
    let rows = tensor.shape.first().copied().unwrap_or(0) as usize;
    let size = DTYPES.get(tensor.dtype as usize).and_then(|Dtype(_, size)| *size);
    let row = count(tensor.shape.get(1..).unwrap_or_default()).zip(size).map_or(0, |(elements, size)| elements * size);
    // Texts have no rows of one size, and what is no tensor is for others to refuse.
    if row == 0 || row.checked_mul(rows) != Some(tensor.data.len()) {
        return vec![(0, tensor.clone())];
    }
    let wanted = match item_rows {
        Some(rows) => usize::try_from(rows).unwrap_or(usize::MAX).max(CHUNK_BYTES_MIN / row),
        None => CHUNK_BYTES_MAX / row,
    };
    let part = |first: usize| {
        let end = rows.min(first.saturating_add(wanted.max(1)));
        let mut shape = tensor.shape.clone();
        // Both are at most the number of rows, which has 32 bits.
        shape[0] = (end - first) as u32;
        (first as u32, Tensor { dtype: tensor.dtype, shape, data: tensor.data.slice(first * row..end * row) })
    };
    (0..rows).step_by(wanted.max(1)).map(part).collect()
}

fn compressed(data: &[u8]) -> Result<Bytes, String> {
    let compressed = snap::raw::Encoder::new().compress_vec(data);
    Ok(compressed.map_err(|error| error.to_string())?.into())
}

fn dtype_at(place: u32) -> Result<&'static Dtype, String> {
    DTYPES.get(place as usize).ok_or_else(|| format!("{place} is no dtype"))
}

/// How many elements a shape has.
fn count(shape: &[u32]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size as usize))
}

/// The lengths of so many texts, and where the first one begins.
fn texts(data: &[u8], count: usize) -> Option<(Vec<usize>, usize)> {
    let mut rest = data;
    // A length takes a byte at least, so that a shape can't ask for more memory than there are bytes.
    let mut lengths = Vec::with_capacity(count.min(data.len()));
    for _ in 0..count {
        lengths.push(usize::try_from(prost::encoding::decode_varint(&mut rest).ok()?).ok()?);
    }
    let total = lengths.iter().try_fold(0_usize, |sum, length| sum.checked_add(*length))?;
    (total == rest.len()).then_some((lengths, data.len() - rest.len()))
}

/// A tensor of a chunk, unpacked.
pub(super) struct Unpacked {
    place: u32,
    size: Option<usize>,
    shape: Vec<u32>,
    data: Vec<u8>,
    /// Where each text begins, and where the last one ends.
    starts: Vec<usize>,
}

impl Unpacked {
    /// Unpacks a tensor, which may be any client's.
    pub(super) fn of(tensor: &TensorProto, is_delta: bool) -> Result<Self, String> {
        let place = DTYPES.iter().position(|Dtype(number, _)| *number == tensor.dtype);
        let place = place.ok_or_else(|| format!("it has TensorFlow's type {}, which guests have not", tensor.dtype))?;
        let Dtype(number, size) = &DTYPES[place];
        let dims = tensor.tensor_shape.as_ref().map_or(&[][..], |shape| &shape.dim);
        let shape: Option<Vec<u32>> = dims.iter().map(|dim| u32::try_from(dim.size).ok()).collect();
        let shape = shape.ok_or("it has no shape")?;
        let elements = count(&shape).ok_or("it has too many elements")?;
        let (mut data, mut starts) = (Vec::new(), Vec::new());
        match size {
            Some(size) => {
                data = decompressed(&tensor.tensor_content)?;
                if elements.checked_mul(*size) != Some(data.len()) {
                    return Err(format!("it has {} bytes, and not those of its shape {shape:?}", data.len()));
                }
                if is_delta && WHOLE.contains(number) && shape.len() >= 2 {
                    undo_delta(&mut data, *size, elements / (shape[0].max(1) as usize));
                }
            }
            None => {
                let content = &tensor.tensor_content;
                let (lengths, begin) = texts(content, elements).ok_or("it has not the texts that its shape says")?;
                data.extend_from_slice(&content[begin..]);
                starts.push(0);
                starts.extend(lengths.iter().scan(0, |end, length| {
                    *end += length;
                    Some(*end)
                }));
            }
        }
        Ok(Self { place: place as u32, size: *size, shape, data, starts })
    }
}

fn decompressed(content: &[u8]) -> Result<Vec<u8>, String> {
    let length = snap::raw::decompress_len(content).map_err(|error| error.to_string())?;
    if length > TENSOR_BYTES_MAX {
        return Err(format!("it says that it has {length} bytes"));
    }
    snap::raw::Decoder::new().decompress_vec(content).map_err(|error| error.to_string())
}

/// Adds each row to the one before, as numbers of so many bytes.
fn undo_delta(data: &mut [u8], size: usize, elements: usize) {
    let row = size * elements;
    if row == 0 {
        return;
    }
    for at in (row..data.len()).step_by(size) {
        let mut carry = 0;
        // Little-endian, with the carry from byte to byte.
        for byte in at..at + size {
            let sum = u16::from(data[byte]) + u16::from(data[byte - row]) + carry;
            data[byte] = sum as u8;
            carry = sum >> 8;
        }
    }
}

/// Rows of tensors that are put one after the other.
#[derive(Default)]
pub(super) struct Rows {
    kind: Option<(u32, Vec<u32>)>,
    count: usize,
    data: Vec<u8>,
    lengths: Vec<usize>,
}

impl Rows {
    /// Adds rows of a tensor.
    pub(super) fn add(&mut self, from: &Unpacked, offset: i32, length: i32) -> Result<(), String> {
        let range = usize::try_from(offset).ok().zip(usize::try_from(length).ok());
        let rows = from.shape.first().copied().unwrap_or(0) as usize;
        let range = range.and_then(|(offset, length)| Some(offset..offset.checked_add(length)?));
        let range = range.filter(|range| range.end <= rows);
        let range = range.ok_or_else(|| format!("it has {rows} steps, and not the {length} from {offset} on"))?;
        let inner = &from.shape[1..];
        match &self.kind {
            None => self.kind = Some((from.place, inner.to_vec())),
            Some((place, shape)) if *place == from.place && shape == inner => {}
            Some((_, shape)) => {
                return Err(format!("steps of one column are not alike: {shape:?} and {inner:?}, or of two types"));
            }
        }
        let elements = count(inner).ok_or("it has too many elements")?;
        match from.size {
            Some(size) => {
                let row = elements * size;
                self.data.extend_from_slice(&from.data[range.start * row..range.end * row]);
            }
            None => {
                let ends = &from.starts[range.start * elements..=range.end * elements];
                self.data.extend_from_slice(&from.data[ends[0]..ends[ends.len() - 1]]);
                self.lengths.extend(ends.windows(2).map(|pair| pair[1] - pair[0]));
            }
        }
        self.count += range.len();
        Ok(())
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many bytes there are.
    pub(super) fn bytes(&self) -> usize {
        self.data.len() + self.lengths.len()
    }

    /// The rows as a tensor whose first dimensions are `outer`.
    pub(super) fn tensor(self, outer: &[usize]) -> Result<Tensor, String> {
        let bytes = self.bytes();
        let (dtype, inner) = self.kind.ok_or("a column has no steps")?;
        let outer = outer.iter().map(|size| u32::try_from(*size).map_err(|_| "a column has too many steps".to_owned()));
        let mut shape = outer.collect::<Result<Vec<_>, _>>()?;
        shape.extend(inner);
        let data = match DTYPES[dtype as usize].1 {
            Some(_) => self.data,
            None => {
                let mut data = Vec::with_capacity(bytes);
                self.lengths.iter().for_each(|length| prost::encoding::encode_varint(*length as u64, &mut data));
                data.extend_from_slice(&self.data);
                data
            }
        };
        Ok(Tensor { dtype, shape, data: data.into() })
    }
}
