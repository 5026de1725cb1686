//! From a plan to a job that was submitted: the program directory, the checks before it, and `sbatch`.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lp_base::plan::{ComponentFiles, Plan};
use lp_base::scheduler::Scheduler;
use lp_engine::directory::{Directory, RunFile};
use lp_engine::slurm::{self, Placed, Step};
use lp_run::launch::RunId;

use super::commands;
use super::follow::Job;
use super::shared::{self, not_launched};
use crate::cli::screen::{CliError, Screen, exit_code};

/// How long a unit that is not heard of keeps what it runs, in milliseconds.
const LEASE_MS: u64 = 3000;

/// How long the coordinator waits for a unit, in milliseconds: that of a node that is lost is first looked for there.
const UNIT_WAIT_MS: u64 = 60_000;

/// The file of a program directory with the steps of the job.
const STEPS: &str = "steps.json";

/// The folder of a program directory in which units write.
pub(in crate::cli) const UNITS: &str = "units";

/// A job that is not submitted yet.
pub(in crate::cli) struct Rendered {
    id: String,
    shared: PathBuf,
    job: slurm::Job,
}

impl Rendered {
    /// The job for a plan, whose program directory will be in that folder.
    pub(in crate::cli) fn new(plan: &Plan, shared: PathBuf) -> Result<Self, CliError> {
        let failed = |error: std::io::Error| CliError::new(exit_code::NOT_LAUNCHED, error);
        let id = RunId::new(&plan.program, &Scheduler::default()).to_string();
        let (dir, binary) = (shared.join(&id), shared::binary_path(&shared).map_err(failed)?);
        let text = |path: &Path| {
            let text =
                path.to_str().filter(|text| !text.contains(|c: char| c.is_control() || c == '%')).map(str::to_owned);
            let error = || format!("`{}` can't be written in a batch script", path.display());
            text.ok_or_else(|| CliError::new(exit_code::WRONG_USAGE, error()).hint(shared::SAY_WHERE))
        };
        let (dir, binary) = (text(&dir)?, text(&binary)?);
        let job = slurm::render(plan, Placed { id: &id, dir: &dir, binary: &binary });
        let job = job.map_err(|error| CliError::new(exit_code::WRONG_PROGRAM, error))?;
        Ok(Self { id, shared, job })
    }

    /// What is submitted.
    pub(in crate::cli) fn script(&self) -> &str {
        &self.job.script
    }

    /// What the user should know before.
    pub(in crate::cli) fn warnings(&self) -> &[String] {
        &self.job.warnings
    }

    /// Writes the program directory and submits the job, unless Slurm says that it could never run.
    pub(in crate::cli) async fn submit(
        self,
        plan: &Plan,
        components: &ComponentFiles,
        screen: &Screen,
    ) -> Result<Job, CliError> {
        let failed = |error: std::io::Error| CliError::new(exit_code::NOT_LAUNCHED, error);
        shared::check(&self.shared, screen).await?;
        commands::test(&self.job.script)
            .await
            .map_err(|error| refused(&error).unwrap_or_else(|| not_launched(error)))?;
        shared::binary(&self.shared).map_err(failed)?;
        let run = RunFile { id: self.id.clone(), lease_ms: LEASE_MS, unit_wait_ms: UNIT_WAIT_MS };
        let directory = Directory::create(self.shared.join(&self.id), plan, components, &run)?;
        let dir = directory.path().to_owned();
        let written = self.write(&dir).map_err(failed);
        let submitted = match written {
            Ok(()) => commands::submit(&self.job.script).await.map_err(not_launched),
            Err(error) => Err(error),
        };
        let number = submitted.inspect_err(|_| {
            // It was made a moment ago, and nothing runs in it.
            let _ = fs::remove_dir_all(&dir);
        })?;
        fs::write(dir.join("job"), format!("{number}\n")).map_err(failed)?;
        Ok(Job { id: self.id, number, dir })
    }

    fn write(&self, dir: &Path) -> std::io::Result<()> {
        fs::write(dir.join("script.sh"), &self.job.script)?;
        fs::write(dir.join(STEPS), serde_json::to_vec(&self.job.steps)?)?;
        DirBuilder::new().mode(0o700).create(dir.join(UNITS))
    }
}

/// The steps of the job of a program directory; `None` if it is not for Slurm.
pub(in crate::cli) fn steps(dir: &Path) -> std::io::Result<Option<Vec<Step>>> {
    match fs::read(dir.join(STEPS)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        read => Ok(Some(serde_json::from_slice(&read?)?)),
    }
}

/// That Slurm would never run a job, with what it says of it.
fn refused(error: &commands::SlurmError) -> Option<CliError> {
    let commands::SlurmError::Refused { said } = error else { return None };
    let said = said.lines().map(|line| line.trim_start_matches("sbatch: error: ").trim_start_matches("sbatch: "));
    let said: Vec<_> = said.filter(|line| !line.is_empty()).collect();
    let error = format!("Slurm can't run this program as its machines are now: {}", said.join("; "));
    let hint = "`sinfo` lists partitions and their machines; `lp-host run --dry-run` shows what is asked for, by `[nodes.NAME.slurm]`";
    Some(CliError::new(exit_code::NOT_LAUNCHED, error).hint(hint))
}
