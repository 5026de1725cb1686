//! Asks a server that it may ask, with the `Host` of another one that is served there too.

use hostile::argument;
use wasip2::http::types::Fields;

fn main() {
    let fields = Fields::new();
    for name in ["host", "Host", "HOST"] {
        let set = fields.append(name, argument(0).as_bytes()).is_ok();
        assert!(!set, "loot: a `{name}` of its own");
    }
    panic!("no loot: the header is the host's");
}
