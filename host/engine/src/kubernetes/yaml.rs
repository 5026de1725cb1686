//! The objects of a run as YAML, for `kubectl apply --server-side`.

use super::submission::Objects;

impl Objects {
    /// All of them as documents, the root first.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        for object in self.all() {
            text.push_str("---\n");
            text.push_str(&serde_saphyr::to_string(&object.value).expect("JSON can be written as YAML"));
            if !text.ends_with('\n') {
                text.push('\n');
            }
        }
        text
    }
}
