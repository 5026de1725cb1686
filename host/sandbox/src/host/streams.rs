//! The writing functions of `wasi:io/streams`, in place of wasmtime-wasi's: those of a file take what they are given, however
//! large, and hold it until it is written.

use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::p2::bindings::io::streams::{Host, HostOutputStream, StreamError};
use wasmtime_wasi::p2::{DynOutputStream, StreamResult};

use crate::state::State;
use crate::streams::{STREAM_BYTES, check_write_size};

/// Has no more than [`STREAM_BYTES`] be written at once.
pub fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    let mut streams = linker.instance("wasi:io/streams@0.2.12")?;
    streams.func_wrap(
        "[method]output-stream.check-write",
        |mut store: StoreContextMut<'_, State>, (stream,): (Resource<DynOutputStream>,)| {
            let table = store.data_mut().ctx().table;
            let permit = HostOutputStream::check_write(table, stream).map(|permit| permit.min(STREAM_BYTES));
            Ok((told(table, permit)?,))
        },
    )?;
    streams.func_wrap(
        "[method]output-stream.write",
        |mut store: StoreContextMut<'_, State>, (stream, bytes): (Resource<DynOutputStream>, Vec<u8>)| {
            let table = store.data_mut().ctx().table;
            let written = check_write_size(bytes.len()).and_then(|()| HostOutputStream::write(table, stream, bytes));
            Ok((told(table, written)?,))
        },
    )
}

fn told<T>(table: &mut ResourceTable, result: StreamResult<T>) -> Result<Result<T, StreamError>> {
    Ok(match result {
        Ok(value) => Ok(value),
        Err(error) => Err(table.convert_stream_error(error)?),
    })
}
