//! Which version of an interface serves which other one.

use semver::Version;

/// Whether an export named `offered` serves an import named `wanted`: the same name, and versions that semantic
/// versioning calls compatible. `a:b/c@1.2.0` and `a:b/c@1.3.0` serve each other, since types are compared besides.
pub fn serves(wanted: &str, offered: &str) -> bool {
    if wanted == offered {
        return true;
    }
    let (Some((wanted, wanted_version)), Some((offered, offered_version))) =
        (wanted.split_once('@'), offered.split_once('@'))
    else {
        return false;
    };
    let (Ok(a), Ok(b)) = (Version::parse(wanted_version), Version::parse(offered_version)) else { return false };
    wanted == offered && compatible(&a, &b)
}

fn compatible(a: &Version, b: &Version) -> bool {
    if !a.pre.is_empty() || !b.pre.is_empty() {
        return false;
    }
    match (a.major, b.major) {
        (0, 0) => a.minor == b.minor && (a.minor > 0 || a.patch == b.patch),
        _ => a.major == b.major,
    }
}
