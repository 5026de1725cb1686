//! Sends a body without end.

use hostile::{argument, http};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Method, Scheme};

fn main() {
    let request = http::to(&Scheme::Http, &argument(0), "/").expect("a request");
    request.set_method(&Method::Post).expect("a method");
    let body = request.body().expect("it is taken once");
    let stream = body.write().expect("it is taken once");
    let _answer = handle(request, None).expect("it is sent");
    loop {
        if let Err(error) = stream.blocking_write_and_flush(&[7; 4096]) {
            panic!("no loot: {error:?}");
        }
    }
}
