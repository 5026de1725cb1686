//! Programs on Kubernetes: the objects that run a plan, from 1.27 on, without an operator or rights beyond a namespace.
//!
//! A program is one ConfigMap, which owns everything else, so that deleting it ends all. A group is an Indexed Job, whose Pods are
//! its units. One more Job of one Pod is the coordinator: the launcher of the program, whose log is the run's journal. What
//! restarts within a Pod restarts in milliseconds, by the coordinator's orders; a Pod that is lost, its Job replaces.

mod jobs;
mod names;
mod network;
mod pods;
mod root;
mod submission;
mod yaml;

pub use names::{COORDINATOR, LABEL_GROUP, LABEL_PROGRAM, Names};
pub use submission::{Keys, Object, Objects, RenderError, Settings, Submission};

/// The port at which the coordinator listens in its Pod.
pub const COORDINATOR_PORT: u16 = 7400;

/// The objects that run a plan, without anything being asked or started.
///
/// # Errors
/// If the nodes of a colocation ask for different things, or if the program is too large for an object.
pub fn render(submission: &Submission<'_>) -> Result<Objects, RenderError> {
    let names = Names::new(submission.id);
    let groups = crate::units::groups(submission.plan);
    let root = root::root(submission, &names)?;
    let mut rest = root::secrets(submission, &names);
    // JobSet makes the Service of its Pods itself.
    if !submission.settings.job_set {
        rest.push(root::service(submission, &names));
    }
    rest.extend(network::policies(submission, &names, &groups));
    rest.extend(jobs::jobs(submission, &names, &groups)?);
    Ok(Objects { names, root, rest })
}
