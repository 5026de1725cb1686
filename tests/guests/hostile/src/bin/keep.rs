//! Has the host keep one kind of thing without end; the argument says which.

use hostile::argument;
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};
use wasip2::http::types::{Fields, Method, OutgoingRequest, OutgoingResponse};
use wasip2::io::poll::poll;
use wasip2::io::streams::OutputStream;

fn main() {
    let text = "a".repeat(60_000);
    match argument(0).as_str() {
        "methods" => keep(|| {
            let request = OutgoingRequest::new(Fields::new());
            request.set_method(&Method::Other(text.clone())).map(|()| request)
        }),
        "long-methods" => keep(|| {
            let request = OutgoingRequest::new(Fields::new());
            let text = "a".repeat(8 << 20);
            request.set_method(&Method::Other(text)).map(|()| request)
        }),
        "authorities" => keep(|| {
            let request = OutgoingRequest::new(Fields::new());
            request.set_authority(Some(&text)).map(|()| request)
        }),
        "paths" => keep(|| {
            let request = OutgoingRequest::new(Fields::new());
            request.set_path_with_query(Some(&format!("/{text}"))).map(|()| request)
        }),
        "request-bodies" => keep(|| {
            let request = OutgoingRequest::new(Fields::new());
            let body = request.body()?;
            let stream = body.write()?;
            fill(&stream);
            Ok::<_, ()>((stream, body, request))
        }),
        "response-bodies" => keep(|| {
            let response = OutgoingResponse::new(Fields::new());
            let body = response.body()?;
            let stream = body.write()?;
            fill(&stream);
            Ok::<_, ()>((stream, body, response))
        }),
        "listings" => {
            let directory = hostile::files::dir("/data");
            keep(|| directory.read_directory());
        }
        "file-reads" => {
            let file = file("/data", DescriptorFlags::READ);
            keep(|| {
                let stream = file.read_via_stream(0)?;
                let _ = stream.read(1 << 20);
                Ok::<_, wasip2::filesystem::types::ErrorCode>(stream)
            });
        }
        "file-writes" => {
            let file = file("/data", DescriptorFlags::WRITE);
            keep(|| {
                let stream = file.write_via_stream(0)?;
                fill(&stream);
                Ok::<_, wasip2::filesystem::types::ErrorCode>(stream)
            });
        }
        "unchecked-writes" => {
            let file = file("/data", DescriptorFlags::WRITE);
            keep(|| {
                let stream = file.write_via_stream(0).map_err(|_| ())?;
                stream.write(&vec![7; 8 << 20]).map(|()| stream).map_err(|_| ())
            });
        }
        "zeroes" => keep(|| wasip2::cli::stdout::get_stdout().write_zeroes(1 << 40)),
        "random-bytes" => keep(|| Ok::<_, ()>(wasip2::random::random::get_random_bytes(1 << 40))),
        "timers" => keep(|| Ok::<_, ()>(subscribe_duration(1 << 60))),
        "polls" => {
            let ready = subscribe_duration(0);
            for _ in 0..4 {
                assert_eq!(poll(&vec![&ready; 1 << 21]).len(), 1 << 21);
            }
            panic!("no loot: they are answered");
        }
        kind => panic!("`{kind}` is nothing to keep"),
    }
}

/// Makes things and keeps them until the host refuses one.
fn keep<T, E: std::fmt::Debug>(mut make: impl FnMut() -> Result<T, E>) {
    loop {
        match make() {
            Ok(made) => std::mem::forget(made),
            Err(error) => panic!("no loot: {error:?}"),
        }
    }
}

/// Writes as much as a stream takes at once.
fn fill(stream: &OutputStream) {
    while let Ok(permit @ 1..) = stream.check_write() {
        stream.write(&vec![7; permit as usize]).expect("it is permitted");
    }
}

fn file(directory: &str, flags: DescriptorFlags) -> Descriptor {
    let directory = hostile::files::dir(directory);
    let create = if flags.contains(DescriptorFlags::WRITE) { OpenFlags::CREATE } else { OpenFlags::empty() };
    directory.open_at(PathFlags::empty(), "kept", create, flags).expect("it is granted")
}
