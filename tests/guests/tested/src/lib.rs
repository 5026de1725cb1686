//! Tests that pass and fail, under other names if its configuration has some.

lp_guest::node!({ world: "tested", path: "../../testing/wit", node: Tested });

struct Listed;

#[lp_guest::tests]
impl Listed {
    fn passes() {}

    async fn fails() -> Result<(), String> {
        Err("7 is not 8".to_owned())
    }

    async fn traps() {
        assert_eq!(7, 8, "as it must");
    }
}

struct Tested;

impl Guest for Tested {
    fn names() -> Vec<String> {
        match lp_guest::config::get("names").expect("the host has the configuration") {
            Some(names) => names.split_terminator(',').map(str::to_owned).collect(),
            None => Listed::names(),
        }
    }

    async fn run(name: String) -> Result<(), String> {
        Listed::run(name).await
    }
}
