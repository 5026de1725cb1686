//! The functions of `wasi:http/types` that set a text of a request, in place of wasmtime-wasi-http's: these take texts of any
//! length.

use wasmtime::Result;
use wasmtime::component::Linker;

use crate::state::State;

/// Has the texts of a request be no longer than its headers may be. One that is longer is refused as one that is wrong is.
macro_rules! limit_texts {
    ($linker:ident, $version:literal, $request:literal, $types:path, $host:ident) => {{
        use wasmtime::StoreContextMut;
        use wasmtime::component::Resource;
        use wasmtime_wasi_http::WasiHttpView;
        use $types::{Method, Scheme, $host};

        let mut types = $linker.instance(concat!("wasi:http/types@", $version))?;
        limit_texts!(types, $request, "set-method", set_method, Method, $host, |method: &Method| match method {
            Method::Other(method) => method.len(),
            _ => 0,
        });
        limit_texts!(types, $request, "set-scheme", set_scheme, Option<Scheme>, $host, |scheme: &Option<Scheme>| {
            match scheme {
                Some(Scheme::Other(scheme)) => scheme.len(),
                _ => 0,
            }
        });
        limit_texts!(types, $request, "set-authority", set_authority, Option<String>, $host, text_bytes);
        limit_texts!(types, $request, "set-path-with-query", set_path_with_query, Option<String>, $host, text_bytes);
    }};
    ($types:ident, $request:literal, $name:literal, $method:ident, $value:ty, $host:ident, $bytes:expr) => {
        $types.func_wrap(
            concat!("[method]", $request, ".", $name),
            |mut store: StoreContextMut<'_, State>, (request, value): (Resource<_>, $value)| {
                let state = store.data_mut();
                if !state.http.has_room($name, $bytes(&value)) {
                    return Ok((Err(()),));
                }
                Ok(($host::$method(&mut state.http(), request, value)?,))
            },
        )?
    };
}

fn text_bytes(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

/// Has the texts of requests by WASI 0.2 limited.
pub fn add_p2_to_linker(linker: &mut Linker<State>) -> Result<()> {
    limit_texts!(
        linker,
        "0.2.12",
        "outgoing-request",
        wasmtime_wasi_http::p2::bindings::http::types,
        HostOutgoingRequest
    );
    Ok(())
}

/// The same for WASI 0.3.
pub fn add_p3_to_linker(linker: &mut Linker<State>) -> Result<()> {
    limit_texts!(linker, "0.3.0", "request", wasmtime_wasi_http::p3::bindings::http::types, HostRequest);
    Ok(())
}
