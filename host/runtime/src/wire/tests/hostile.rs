//! Guests that break the canonical ABI: each is trapped with a message that says what was wrong, and the host goes on.

mod guest;
mod lift;
mod lower;

use super::harness::{Codec, Concurrency, Guest, Host, Values, block_on};
use super::wit_type::{Signature, Strings, WitType};

/// Calls a guest given as text, whose `f` takes `request`; its import, if it calls it, replies with `reply`.
fn check_trapped(text: &str, request: &[u8], reply: &[u8], says: &str) {
    block_on(async {
        let mut guest = Guest::new(text, Concurrency::On, Codec::Wire).await.unwrap();
        *guest.host() = Host { reply: Some(Values::Bytes(reply.to_vec())), ..Host::default() };
        let error = guest.call(Values::Bytes(request.to_vec())).await.expect_err(says);
        let error = format!("{error:?}");
        assert!(error.contains(says), "`{says}` is not in {error}");
        // A trapped guest stays trapped; it does not take the host with it.
        guest.call(Values::Bytes(request.to_vec())).await.expect_err("a trapped guest takes no calls");
    });
}
