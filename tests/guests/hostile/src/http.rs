//! Requests by `wasi:http`, whose parts nobody looks at before the host does.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, IoError, OutgoingRequest, Scheme, http_error_code};
use wasip2::io::streams::StreamError;

/// Asks for `path` and gives the status and the body.
pub fn get(scheme: &Scheme, authority: &str, path: &str) -> Result<(u16, String), ErrorCode> {
    let response = request(scheme, authority, path)?;
    Ok((response.status(), body(&response)?))
}

/// The same, with requests to wherever redirects lead.
pub fn get_following(scheme: &Scheme, authority: &str, path: &str) -> Result<(u16, String), ErrorCode> {
    let response = request(scheme, authority, path)?;
    let location = response.headers().get("location").pop();
    let Some(location) = location.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) else {
        return Ok((response.status(), body(&response)?));
    };
    let (authority, path) = location.trim_start_matches("http://").split_once('/').expect("a URL with a path");
    get_following(&Scheme::Http, authority, &format!("/{path}"))
}

fn request(scheme: &Scheme, authority: &str, path: &str) -> Result<IncomingResponse, ErrorCode> {
    let future = handle(to(scheme, authority, path)?, None)?;
    future.subscribe().block();
    future.get().expect("it is ready").expect("it is asked once")
}

/// A request that has not been sent.
pub fn to(scheme: &Scheme, authority: &str, path: &str) -> Result<OutgoingRequest, ErrorCode> {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(scheme)).expect("a scheme");
    request.set_authority(Some(authority)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    request.set_path_with_query(Some(path)).map_err(|()| ErrorCode::HttpRequestUriInvalid)?;
    Ok(request)
}

fn body(response: &IncomingResponse) -> Result<String, ErrorCode> {
    let body = response.consume().expect("it is consumed once");
    let stream = body.stream().expect("it is taken once");
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(StreamError::LastOperationFailed(error)) => return Err(code_of(&error)),
        }
    }
}

/// What went wrong with a body.
pub fn code_of(error: &IoError) -> ErrorCode {
    http_error_code(error).unwrap_or_else(|| ErrorCode::InternalError(Some(error.to_debug_string())))
}
