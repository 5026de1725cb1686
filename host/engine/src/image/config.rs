//! The configuration of an image: the base's, with what starts lp-host.

use serde_json::{Value, json};

use super::blob::LayerBlob;
use super::document::Platform;
use super::{HOST, PROGRAM, USER};

/// The moment of all that has to have one.
const CREATED: &str = "1970-01-01T00:00:00Z";
/// Where programs are looked for, unless the base says so.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The home of the user, the only place where it may write.
const HOME: &str = "HOME=/tmp";

/// The configuration of an image with those layers. What the base says of health checks, labels, ports and the like is kept.
pub(super) fn config(base: Option<&Value>, layers: &[LayerBlob], own: usize) -> Vec<u8> {
    let mut config = base.cloned().unwrap_or_else(|| {
        let Platform { architecture, os } = Platform::own();
        json!({ "architecture": architecture, "os": os, "history": [] })
    });
    config["created"] = json!(CREATED);
    config["rootfs"] = json!({
        "type": "layers",
        "diff_ids": layers.iter().map(|layer| &layer.diff_id).collect::<Vec<_>>(),
    });
    let entry = json!({ "created": CREATED, "created_by": "lp-host image" });
    // A base may have no history, and then the image has none: it says something of each layer or of none.
    if let Some(history) = config.get_mut("history").and_then(Value::as_array_mut) {
        history.extend(std::iter::repeat_n(entry, own));
    }
    let env = config["config"]["Env"].as_array().cloned().unwrap_or_else(|| vec![json!(PATH)]);
    let is_home = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("HOME="));
    let env: Vec<_> = env.into_iter().filter(|value| !is_home(value)).chain([json!(HOME)]).collect();
    if !config["config"].is_object() {
        config["config"] = json!({});
    }
    let run = &mut config["config"];
    run["Env"] = json!(env);
    run["User"] = json!(format!("{USER}:{USER}"));
    run["Entrypoint"] = json!([HOST, "contained", PROGRAM]);
    run["WorkingDir"] = json!("/");
    if let Some(run) = run.as_object_mut() {
        // What the base runs would be arguments of ours.
        run.remove("Cmd");
    }
    config.sort_all_objects();
    config.to_string().into_bytes()
}
