//! Recognises the interface that is derived from a courier interface for handles of many nodes.

use super::Method;
use super::instance::{Members, OF_RESOURCE, last_segment};

/// What the name of a derived interface ends with.
const SUFFIX: &str = "-handles";

/// The courier interface that the interface of this name would be derived from: `a:b/producer@1.0.0` for
/// `a:b/producer-handles@1.0.0`. The resource of the same name tells it from an interface that merely has such a name.
pub(super) fn base_name(name: &str, members: &Members) -> Option<String> {
    let base = last_segment(name).strip_suffix(SUFFIX)?;
    if !name.contains('/') || !members.resources.iter().any(|(resource, _)| resource == base) {
        return None;
    }
    let (unversioned, version) = match name.split_once('@') {
        Some((unversioned, version)) => (unversioned, format!("@{version}")),
        None => (name, String::new()),
    };
    Some(format!("{}{version}", unversioned.strip_suffix(SUFFIX)?))
}

/// The methods of the resource, named without it, after checking that `get` and `all` have the types that the host
/// serves. Both are optional: toolchains leave out what a guest never calls.
pub(super) fn methods(base: &str, functions: Vec<Method>) -> Result<Vec<Method>, String> {
    let resource = last_segment(base);
    let mut methods = Vec::new();
    for mut function in functions {
        let wanted = match function.name.as_str() {
            "get" => format!("func(name: string) -> option<{resource}>"),
            "all" => format!("func(name: string) -> list<{resource}>"),
            name => {
                let method = name.strip_prefix("[method]").and_then(|name| name.strip_prefix(resource));
                let Some(method) = method.and_then(|method| method.strip_prefix('.')) else {
                    return Err(format!("is derived from `{base}`, but has `{name}`, which is no method of a handle"));
                };
                function.name = method.to_owned();
                function.refused = function.refused.filter(|reason| reason != OF_RESOURCE);
                methods.push(function);
                continue;
            }
        };
        if function.is_async || function.signature != wanted {
            let name = &function.name;
            return Err(format!("is derived from `{base}`, so its `{name}` must be `{wanted}`"));
        }
    }
    Ok(methods)
}
