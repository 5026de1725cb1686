//! Lowers what a program file asks of Slurm.

use lp_base::words::SlurmRequest;
use toml::Spanned;

use super::NodeLowering;
use crate::program::file::SlurmFile;
use crate::program::source::NodePlace;

impl NodeLowering<'_, '_> {
    pub(super) fn slurm(&mut self, file: SlurmFile) -> SlurmRequest {
        let SlurmFile { cpus, memory, gpus, constraint, partition, account, time, sbatch } = file;
        let memory = memory.map(|memory| self.take(NodePlace::Slurm("memory"), memory));
        let time = time.map(|time| self.take(NodePlace::Slurm("time"), time));
        let time = time.and_then(|time| self.lowering.duration(&time, self.at(NodePlace::Slurm("time"))));
        SlurmRequest {
            cpus: cpus.map(|cpus| self.count(NodePlace::Slurm("cpus"), &cpus)),
            memory_bytes: memory.and_then(|memory| self.lowering.size(&memory, self.at(NodePlace::Slurm("memory")))),
            gpus: gpus.map(|gpus| self.count(NodePlace::Slurm("gpus"), &gpus)),
            constraint: self.slurm_word("constraint", constraint),
            partition: self.slurm_word("partition", partition),
            account: self.slurm_word("account", account),
            time_s: time.map(|time| time.as_secs()),
            sbatch: (0..).zip(sbatch).map(|(index, line)| self.take(NodePlace::SlurmLine(index), line)).collect(),
        }
    }

    fn slurm_word(&mut self, key: &'static str, word: Option<Spanned<String>>) -> Option<String> {
        word.map(|word| self.take(NodePlace::Slurm(key), word))
    }
}
