//! Asks a server that it may not ask, by scheme and authority as they are given.

use hostile::{argument, end, http};
use wasip2::http::types::Scheme;

fn main() {
    let scheme = if argument(0) == "https" { Scheme::Https } else { Scheme::Http };
    end(http::get(&scheme, &argument(1), "/"));
}
