//! Follows a redirect from a server that it may ask to one that it may not.

use hostile::{argument, end, http};
use wasip2::http::types::Scheme;

fn main() {
    end(http::get_following(&Scheme::Http, &argument(0), &format!("/redirect-to/{}", argument(1))));
}
