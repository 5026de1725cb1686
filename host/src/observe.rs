//! What a run looks like from outside: the replicas' output line by line, and the table at its end.

mod lines;
mod table;

pub use lines::{LineFormat, LineOutputs, LogDirError};
pub use table::{report_json, report_table};
