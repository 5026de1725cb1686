//! Puts the URL of a server that it may not ask where only a path belongs, and asks for a tunnel to it.

use hostile::{argument, end, http};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, Method, OutgoingRequest, Scheme};

fn main() {
    let (granted, other) = (argument(0), argument(1));
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Connect).expect("a method");
    request.set_authority(Some(&granted)).expect("an authority");
    request.set_scheme(Some(&Scheme::Http)).expect("a scheme");
    let tunnel = handle(request, None).and_then(|future| {
        future.subscribe().block();
        future.get().expect("it is ready").expect("it is asked once").map(|response| response.status())
    });
    assert!(tunnel.is_err(), "loot: a tunnel");
    end(http::get(&Scheme::Http, &granted, &format!("http://{other}/")));
}
