//! Asks a server that never answers for more at once than it may.

use hostile::{argument, end, http};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::Scheme;

fn main() {
    let ask = || handle(http::to(&Scheme::Http, &argument(0), "/").expect("a request"), None);
    let _first = ask().expect("it is sent");
    let second = ask().and_then(|second| {
        second.subscribe().block();
        second.get().expect("it is ready").expect("it is asked once")
    });
    end(second.map(|response| response.status()));
}
