//! What is to run on a cluster, and how it is shown.

use lp_base::plan::{ComponentFiles, Plan};
use lp_run::observe::{LineFormat, Printer};

/// A program for the engine of a cluster.
pub(super) struct ToLaunch<'a> {
    pub plan: &'a Plan,
    pub components: &'a ComponentFiles,
    /// Whether it is only printed what would be submitted.
    pub is_dry_run: bool,
    /// Whether only the launch is shown.
    pub is_detached: bool,
    pub format: LineFormat,
    /// What writes lines of output.
    pub printer: Printer,
}
