//! Computes and does nothing else: mixes blocks of numbers as a hash function does.

lp_guest::node!({ world: "compute-node", path: "../../wit", node: Compute });

struct Compute;

impl Guest for Compute {
    fn compute(blocks: u32) -> u64 {
        let mut state: [u64; 8] = std::array::from_fn(|index| 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(index as u64 + 1));
        for block in 0..blocks {
            for round in 0..16 {
                state[round % 8] ^= u64::from(block);
                for index in 0..8 {
                    let (a, b, c) = (state[index], state[(index + 1) % 8], state[(index + 5) % 8]);
                    state[index] = (a.wrapping_add(b) ^ c).rotate_left(17).wrapping_mul(0x2545_f491_4f6c_dd1d);
                }
            }
        }
        state.into_iter().fold(0, u64::wrapping_add)
    }
}
