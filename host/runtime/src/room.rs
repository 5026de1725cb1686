//! How many replicas one process has room for: what each takes of its address space and of the kernel's mappings, beside
//! the memory that it uses.

/// The bytes of addresses that the memory of a guest takes, with what is kept free around it.
const MEMORY_ADDRESS_BYTES: u64 = (4 << 30) + (64 << 20);
/// The bytes of addresses that a process has for memories: half of those of 47 bits, which leaves room for holes.
const ADDRESS_BYTES_MAX: u64 = 1 << 46;
/// The mappings of a memory: the component's data in it, what is before and behind them, and what is kept free at its end.
const MEMORY_MAPPINGS: u64 = 4;
/// The mappings of a replica beside its memories: stacks, each with a guard below it that the one before may share.
const REPLICA_MAPPINGS: u64 = 3;
/// The mappings that are left to the process itself, and to further stacks of its replicas.
const OTHER_MAPPINGS: u64 = 4096;
/// The mappings of a process, where the kernel does not say: what Linux has for a default.
const MAPPINGS_MAX: u64 = 65_530;

/// What the replicas of a process take together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Demand {
    replicas: u64,
    memories: u64,
}

/// What a process has.
struct Supply {
    mappings: u64,
}

/// More replicas than a process has room for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The kernel allows a process too few mappings.
    #[error(
        "{replicas} replicas need {needed} memory mappings, of which this machine allows a process {max}: about {fitting} \
         replicas fit; raise it with `sysctl -w vm.max_map_count={}`, or spread them over workers", .needed + OTHER_MAPPINGS
    )]
    Mappings {
        /// The replicas that were to run in the process.
        replicas: u64,
        /// The mappings that they need.
        needed: u64,
        /// The mappings that a process may have.
        max: u64,
        /// About how many replicas would fit.
        fitting: u64,
    },
    /// A process has too few addresses.
    #[error(
        "{replicas} replicas have {memories} memories together, and a process has addresses for {max} of them: about \
         {fitting} replicas fit; spread them over workers"
    )]
    Addresses {
        /// The replicas that were to run in the process.
        replicas: u64,
        /// Their memories.
        memories: u64,
        /// The memories that a process may have.
        max: u64,
        /// About how many replicas would fit.
        fitting: u64,
    },
}

impl Demand {
    /// Adds replicas of a component, each with so many memories.
    pub(super) fn add(&mut self, replicas: u32, memories: u64) {
        self.replicas += u64::from(replicas);
        self.memories = self.memories.saturating_add(memories.saturating_mul(replicas.into()));
    }

    /// Whether this process has room for them.
    pub(super) fn check(self) -> Result<(), NoRoom> {
        let said = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        let mappings = said.and_then(|text| text.trim().parse().ok()).unwrap_or(MAPPINGS_MAX);
        self.fit(&Supply { mappings })
    }

    fn fit(self, supply: &Supply) -> Result<(), NoRoom> {
        let Self { replicas, memories } = self;
        let fitting = |available: u64, needed: u64| {
            let fitting = u128::from(replicas) * u128::from(available) / u128::from(needed.max(1));
            u64::try_from(fitting).unwrap_or(u64::MAX)
        };
        let memories_max = ADDRESS_BYTES_MAX / MEMORY_ADDRESS_BYTES;
        if memories > memories_max {
            let fitting = fitting(memories_max, memories);
            return Err(NoRoom::Addresses { replicas, memories, max: memories_max, fitting });
        }
        let needed = memories * MEMORY_MAPPINGS + replicas * REPLICA_MAPPINGS;
        let available = supply.mappings.saturating_sub(OTHER_MAPPINGS);
        if needed > available {
            let fitting = fitting(available, needed);
            return Err(NoRoom::Mappings { replicas, needed, max: supply.mappings, fitting });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(replicas: u32, memories: u64, mappings: u64) -> Result<(), NoRoom> {
        let mut demand = Demand::default();
        demand.add(replicas, memories);
        demand.fit(&Supply { mappings })
    }

    #[test]
    fn what_fits_is_accepted_to_the_last_replica() {
        let mappings = OTHER_MAPPINGS + 7 * 1000;
        assert_eq!(fit(1000, 1, mappings), Ok(()));
        let error = fit(1001, 1, mappings).expect_err("it is one too many");
        assert_eq!(error, NoRoom::Mappings { replicas: 1001, needed: 7007, max: mappings, fitting: 1000 });
        let max = ADDRESS_BYTES_MAX / MEMORY_ADDRESS_BYTES;
        assert_eq!(fit(1, max, u64::MAX), Ok(()));
        let error = fit(2, max, u64::MAX).expect_err("there are no addresses for twice as many");
        assert_eq!(error, NoRoom::Addresses { replicas: 2, memories: 2 * max, max, fitting: 1 });
    }

    #[test]
    fn numbers_beyond_any_machine_are_refused_too() {
        assert!(fit(u32::MAX, u64::MAX, u64::MAX).is_err());
        assert!(fit(u32::MAX, 0, MAPPINGS_MAX).is_err());
        assert_eq!(fit(0, u64::MAX, 0), Ok(()));
    }
}
