#!/usr/bin/env bash
# `sbatch --test-only` of Slurm 22.05 refuses a job that `sbatch` takes: while every node that the job could use is drained, it says
# that the requested node configuration is not available and exits with 1, as it does for a job that no node could ever run.
# `sbatch` queues the same job, which runs once a node is back. One would expect the test to refuse what the submission refuses;
# a tool that tests before it submits turns users away during every maintenance. What `sbatch` itself says is the only test.
set -euo pipefail
dir=$(mktemp -d)
stop() {
    pkill -f "$dir/etc/slurm.conf" || true
    pkill -F "$dir/run/munged.pid" 2>/dev/null || true
    sleep 1
    rm -rf "$dir"
}
trap stop EXIT
command -v slurmctld slurmd munged >/dev/null || {
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge
} >/dev/null
mkdir -p "$dir"/{etc,state,log,run} "$dir"/spool/node{1,2,3}
chmod 755 "$dir" "$dir/run" "$dir/etc"
(umask 077 && head -c 1024 /dev/urandom > "$dir/etc/munge.key")
munged --force --key-file="$dir/etc/munge.key" --socket="$dir/run/munge.sock" --pid-file="$dir/run/munged.pid" \
    --log-file="$dir/log/munged.log" --seed-file="$dir/run/munge.seed"
host=$(hostname -s) user=$(id -un)
cat > "$dir/etc/slurm.conf" <<CONF
ClusterName=seen
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=26817
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.sock
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd-%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
KillWait=2
NodeName=node[1-3] NodeHostname=$host NodeAddr=127.0.0.1 Port=[27001-27003] CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
case $(slurmd -V) in *" 2"[0-2].*) echo CgroupAutomount=no ;; *) echo CgroupPlugin=disabled ;; esac > "$dir/etc/cgroup.conf"
export SLURM_CONF=$dir/etc/slurm.conf
slurmctld -f "$SLURM_CONF"
for node in node1 node2 node3; do slurmd -f "$SLURM_CONF" -N "$node"; done
for _ in $(seq 300); do
    [ "$(sinfo --noheader --Node --states=idle --format=%N | sort -u | wc -l)" = 3 ] && break
    sleep 0.1
done
scontrol update NodeName=node1,node2,node3 State=drain Reason=maintenance
tested=0
said=$(sbatch --test-only --nodes=1 --wrap=true 2>&1) || tested=$?
never=0
said_never=$(sbatch --test-only --nodes=1 --mem=1T --wrap=true 2>&1) || never=$?
job=$(sbatch --parsable --nodes=1 --output=/dev/null --wrap=true)
waits=$(squeue --noheader --jobs="$job" --format='%T (%r)')
scontrol update NodeName=node1,node2,node3 State=resume
for _ in $(seq 300); do
    ran=$(scontrol show job --oneliner "$job" | grep -o 'JobState=[A-Z]*')
    [ "$ran" = JobState=COMPLETED ] && break
    sleep 0.1
done
slurmd -V
echo "all nodes drained, sbatch --test-only:          exit $tested: $said"
echo "more memory than any node has, --test-only:     exit $never: $said_never"
echo "all nodes drained, sbatch:                      job $job is $waits"
echo "after the nodes have resumed:                   $ran"
[ "$tested" = 1 ] && [ "$said" = "$said_never" ] && [[ $waits == PENDING* ]] && [ "$ran" = JobState=COMPLETED ]
