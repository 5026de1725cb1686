//! A limit is a row and its keeper.

use lp_host::program::Limit;

use super::source::sources;

#[test]
fn the_keeper_of_every_limit_is_a_module() {
    let sources = sources();
    for limit in Limit::ALL {
        let mut path = limit.keeper().split("::");
        let crate_name = path.next().expect("a path has a first part");
        let module: Vec<_> = path.collect();
        let is_keeper = |crate_is: &str, of: &[String]| crate_is == crate_name && *of == module[..];
        let found = sources.iter().any(|source| is_keeper(source.crate_name, &source.module));
        assert!(found, "the keeper of `{limit}` should be `{}`, which is no module", limit.keeper());
    }
}
