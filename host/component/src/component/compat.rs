//! Compares what a caller imports with what a callee exports: the types of methods.

use std::collections::HashMap;

use super::{Interface, Method};

/// The `call-error` of `lp:courier/types` with every name expanded, which the methods of a handle return.
const CALL_ERROR: &str =
    "variant { unavailable, deadline-exceeded, cancelled, denied, overloaded, too-large, failed(string) }";

/// A method that the caller wants and the callee doesn't give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The name of the method.
    pub method: String,
    /// The type that the caller's import needs, such as `func(n: u64) -> u64`.
    pub wanted: String,
    /// The type that the callee exports; `None` if it has no method of that name.
    pub found: Option<String>,
}

/// The first method of a plain import that the callee's export does not satisfy.
///
/// A caller may import some of the methods only, and may differ from the callee in what is `async func`: the host
/// stands between the two.
pub fn mismatch(caller: &Interface, callee: &Interface) -> Option<Mismatch> {
    compare(caller, callee, |method| method.signature.clone())
}

/// The first method of a `-handles` import that does not fit the export it is derived from.
///
/// A handle's method returns `result<T, call-error>` where the callee returns `T`; where the callee returns such a
/// result itself, both are the same.
pub fn handles_mismatch(caller: &Interface, callee: &Interface) -> Option<Mismatch> {
    compare(caller, callee, |method| match method.returns_call_error() {
        true => method.signature.clone(),
        false => {
            let result = method.shape.result.as_deref().unwrap_or("_");
            format!("func{} -> result<{result}, {CALL_ERROR}>", method.shape.params)
        }
    })
}

impl Method {
    /// Whether the result is a `result<_, call-error>`, which a handle leaves as it is.
    pub fn returns_call_error(&self) -> bool {
        let result = self.shape.result.as_deref().unwrap_or_default();
        result.starts_with("result<") && result.ends_with(&format!(", {CALL_ERROR}>"))
    }
}

fn compare(caller: &Interface, callee: &Interface, offered: impl Fn(&Method) -> String) -> Option<Mismatch> {
    let methods: HashMap<&str, &Method> = callee.methods.iter().map(|method| (method.name.as_str(), method)).collect();
    caller.methods.iter().find_map(|wanted| {
        let found = methods.get(wanted.name.as_str()).copied().map(&offered);
        (found.as_ref() != Some(&wanted.signature)).then(|| Mismatch {
            method: wanted.name.clone(),
            wanted: by_name(&wanted.signature),
            found: found.as_deref().map(by_name),
        })
    })
}

/// The signature with `call-error` by its name: written out, it would hide what differs.
fn by_name(signature: &str) -> String {
    signature.replace(CALL_ERROR, "call-error")
}
