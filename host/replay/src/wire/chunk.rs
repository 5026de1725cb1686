//! What clients put into chunks and trajectories: read and written for guests alone, who have no client.

use bytes::Bytes;

/// `ChunkData`, of one column.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ChunkData {
    #[prost(uint64, tag = "1")]
    pub chunk_key: u64,
    #[prost(message, optional, tag = "2")]
    pub sequence_range: Option<SequenceRange>,
    #[prost(bool, tag = "4")]
    pub delta_encoded: bool,
    #[prost(message, optional, tag = "5")]
    pub data: Option<Tensors>,
    #[prost(int32, tag = "6")]
    pub data_tensors_len: i32,
    #[prost(int64, tag = "7")]
    pub data_uncompressed_size: i64,
}

/// `SequenceRange`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct SequenceRange {
    #[prost(uint64, tag = "1")]
    pub episode_id: u64,
    #[prost(int32, tag = "2")]
    pub start: i32,
    #[prost(int32, tag = "3")]
    pub end: i32,
    #[prost(bool, tag = "4")]
    pub sparse: bool,
}

/// `ChunkData.Data`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Tensors {
    #[prost(message, repeated, tag = "1")]
    pub tensors: Vec<TensorProto>,
}

/// `tensorflow.TensorProto`, as far as Reverb writes it.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorProto {
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub tensor_shape: Option<TensorShape>,
    #[prost(bytes = "bytes", tag = "4")]
    pub tensor_content: Bytes,
}

/// `tensorflow.TensorShapeProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TensorShape {
    #[prost(message, repeated, tag = "2")]
    pub dim: Vec<Dim>,
    #[prost(bool, tag = "3")]
    pub unknown_rank: bool,
}

/// `tensorflow.TensorShapeProto.Dim`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Dim {
    #[prost(int64, tag = "1")]
    pub size: i64,
    #[prost(string, tag = "2")]
    pub name: String,
}

/// `FlatTrajectory`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct FlatTrajectory {
    #[prost(message, repeated, tag = "1")]
    pub columns: Vec<TrajectoryColumn>,
}

/// `FlatTrajectory.Column`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct TrajectoryColumn {
    #[prost(message, repeated, tag = "1")]
    pub chunk_slices: Vec<ChunkSlice>,
    #[prost(bool, tag = "2")]
    pub squeeze: bool,
}

/// `FlatTrajectory.ChunkSlice`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct ChunkSlice {
    #[prost(uint64, tag = "1")]
    pub chunk_key: u64,
    #[prost(int32, tag = "2")]
    pub offset: i32,
    #[prost(int32, tag = "3")]
    pub length: i32,
    #[prost(int32, tag = "4")]
    pub index: i32,
}
