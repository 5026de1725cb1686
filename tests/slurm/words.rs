//! What Slurm says, of two versions: text that real ones have printed.

use lp_host::engine::slurm::state::{Ending, JobState, Status, parse_scontrol, parse_squeue};

fn status(job: &str, name: &str, word: &str, reason: Option<&str>, machines: &str, dir: &str) -> Status {
    let [job, name, word, machines, dir] = [job, name, word, machines, dir].map(str::to_owned);
    Status { job, name, word, reason: reason.map(str::to_owned), machines, dir }
}

#[test]
fn squeue_is_read_as_both_versions_write_it() {
    let older = (include_str!("words/squeue-22.05.txt"), ["17", "14", "15"]);
    let newer = (include_str!("words/squeue-24.11.txt"), ["16", "13", "14"]);
    for (text, [first, second, third]) in [older, newer] {
        let jobs = parse_squeue(text);
        let expected = [
            status(first, "lp-count-x2x2", "PENDING", None, "", "/home/ada/.lp-host/count-x2x2"),
            status(second, "lp-counting-k3x9", "RUNNING", None, "node1", "/home/ada/lp|host/counting-k3x9"),
            status(third, "lp-het-aaaa", "RUNNING", None, "node2,node3", "/home/ada/.lp-host/het-aaaa"),
        ];
        assert_eq!(jobs, expected);
        let states: Vec<_> = jobs.iter().map(Status::state).collect();
        assert_eq!(states, [JobState::Waiting, JobState::Running, JobState::Running]);
    }
    let other = "9_[1-4%2]|interactive|COMPLETING|(null)|node[1-3]|/home\n8|lp-a-aaaa|PENDING|Resources||/x\n";
    let jobs = parse_squeue(other);
    assert_eq!(jobs.iter().map(Status::run).collect::<Vec<_>>(), [None, Some("a-aaaa")]);
    assert_eq!(jobs.iter().map(Status::state).collect::<Vec<_>>(), [JobState::Ended, JobState::Waiting]);
    assert_eq!(jobs[1].reason.as_deref(), Some("Resources"));
}

#[test]
fn scontrol_is_read_as_both_versions_write_it() {
    let texts = [include_str!("words/scontrol-22.05.txt"), include_str!("words/scontrol-24.11.txt")];
    for text in texts {
        let expected = Ending {
            word: "FAILED".to_owned(),
            reason: Some("NonZeroExitCode".to_owned()),
            exit_code: "5:0".to_owned(),
            machines: "node1".to_owned(),
        };
        assert_eq!(parse_scontrol(text), Some(expected));
    }
    assert_eq!(parse_scontrol("slurm_load_jobs error: Invalid job id specified\n"), None);
}
