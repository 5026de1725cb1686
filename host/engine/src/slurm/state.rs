//! What Slurm says of a job: by `squeue -h -o` and `scontrol show job -o`, whose text is the same from 22.05 to 24.11. Its JSON
//! is not, and its accounting is not everywhere.

/// What is asked of `squeue -o`: the id, name, state, reason, machines and directory of a job. The directory may have anything in
/// it, and so is last.
pub const SQUEUE_FORMAT: &str = "%i|%j|%T|%r|%N|%Z";

/// What begins the name of every job of ours, before the id of its run.
pub const NAME_PREFIX: &str = "lp-";

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It waits for machines.
    Waiting,
    /// It has machines.
    Running,
    /// It has ended, whatever came of it.
    Ended,
}

/// A job, as Slurm tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its number, without the part of a heterogeneous job.
    pub job: String,
    /// Its name.
    pub name: String,
    /// Its state in Slurm's word, such as `PENDING`.
    pub word: String,
    /// Why it is in that state, such as `Priority`; `None` if there is nothing to say.
    pub reason: Option<String>,
    /// Its machines, such as `node[1-3]`.
    pub machines: String,
    /// Its directory.
    pub dir: String,
}

/// What came of a job that has ended, as far as Slurm knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ending {
    /// Its state in Slurm's word, such as `NODE_FAIL`.
    pub word: String,
    /// Why, if Slurm says.
    pub reason: Option<String>,
    /// The exit code of the batch script and the signal that ended it, as `1:0`.
    pub exit_code: String,
    /// Its machines.
    pub machines: String,
}

impl JobState {
    /// The state of a job that is in the state that Slurm calls so.
    pub fn of(word: &str) -> Self {
        match word {
            "PENDING" | "REQUEUED" | "REQUEUE_HOLD" | "REQUEUE_FED" | "RESV_DEL_HOLD" | "SPECIAL_EXIT" => Self::Waiting,
            "RUNNING" | "CONFIGURING" | "SUSPENDED" | "STOPPED" | "RESIZING" | "SIGNALING" | "STAGE_OUT"
            | "POWER_UP_NODE" => Self::Running,
            // Its batch script has ended, and what it left behind is being ended: nothing more comes of it.
            _ => Self::Ended,
        }
    }
}

impl Status {
    /// Where it is in its life.
    pub fn state(&self) -> JobState {
        JobState::of(&self.word)
    }

    /// The id of the run, if the job is one of ours.
    pub fn run(&self) -> Option<&str> {
        self.name.strip_prefix(NAME_PREFIX).filter(|id| !id.is_empty())
    }
}

/// The jobs that `squeue -h -o` with [`SQUEUE_FORMAT`] lists. The parts of a heterogeneous job are one job, which is running
/// when all of them are.
pub fn parse_squeue(text: &str) -> Vec<Status> {
    let mut jobs: Vec<Status> = Vec::new();
    for line in text.lines() {
        let fields: Vec<_> = line.splitn(6, '|').collect();
        let [id, name, word, reason, machines, dir] = fields[..] else { continue };
        let number = id.split('+').next().unwrap_or(id);
        if let Some(known) = jobs.iter_mut().find(|job| job.job == number) {
            if !machines.is_empty() {
                known.machines = format!("{},{machines}", known.machines).trim_start_matches(',').to_owned();
            }
            continue;
        }
        jobs.push(Status {
            job: number.to_owned(),
            name: name.to_owned(),
            word: word.to_owned(),
            reason: said(reason),
            machines: machines.to_owned(),
            dir: dir.to_owned(),
        });
    }
    jobs
}

/// What `scontrol show job -o` says of a job, by its first line: of a heterogeneous job, that is the part with the batch step.
pub fn parse_scontrol(text: &str) -> Option<Ending> {
    let line = text.lines().find(|line| line.starts_with("JobId="))?;
    // A later field may be a command line, with anything in it; the first one of a name is the job's own.
    let field = |name: &str| {
        let fields = line.split_whitespace().filter_map(|word| word.split_once('='));
        fields.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    };
    Some(Ending {
        word: field("JobState")?,
        reason: field("Reason").as_deref().and_then(said),
        exit_code: field("ExitCode").unwrap_or_default(),
        machines: field("NodeList").filter(|machines| machines != "(null)").unwrap_or_default(),
    })
}

fn said(reason: &str) -> Option<String> {
    (!matches!(reason, "" | "None" | "(null)" | "N/A")).then(|| reason.to_owned())
}
