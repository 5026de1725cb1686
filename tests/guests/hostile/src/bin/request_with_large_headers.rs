//! Makes headers without end.

use hostile::argument;
use wasip2::http::types::Fields;

fn main() {
    let fields = Fields::new();
    for number in 0.. {
        let value = argument(0).repeat(100);
        fields.append(&format!("a-{number}"), value.as_bytes()).expect("a header");
    }
}
