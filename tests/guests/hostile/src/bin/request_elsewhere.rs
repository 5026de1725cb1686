//! Asks a server that it may not ask, by scheme, authority and path as they are given.

use hostile::{argument, end, http};
use wasip2::http::types::Scheme;

fn main() {
    let scheme = if argument(0) == "https" { Scheme::Https } else { Scheme::Http };
    end(http::get(&scheme, &argument(1), &std::env::args().nth(3).unwrap_or("/".to_owned())));
}
