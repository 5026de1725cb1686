//! Reads values and secrets that another node was given.

lp_guest::node!({ world: "configured" });

fn main() {
    for key in ["others-value", "others-secret", "other/others-secret", "", "*"] {
        let value = lp_guest::config::get(key).expect("the host has the interface");
        assert!(value.is_none(), "loot: {key} is {value:?}");
    }
    panic!("no loot: no value");
}
