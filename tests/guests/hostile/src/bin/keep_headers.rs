//! Makes headers without end, each within its limit.

use wasip2::http::types::Fields;

fn main() {
    let mut kept = Vec::new();
    loop {
        let fields = Fields::new();
        fields.append("a", &[b'a'; 4096]).expect("a header");
        kept.push(fields);
    }
}
