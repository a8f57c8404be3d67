//! What was accepted ends as it should, whatever happens to the process or to the machine.
//!
//! Clients start, poll, cancel and send events all the while; what they were told is kept in a [`Ledger`], and what the
//! handlers did is in a file outside of the server. Afterwards both are held against the operators' journal.

mod kill;
mod ledger;
mod load;
mod power;
mod verify;

use raincheck_tests::effects::Plan;

use crate::harness::long;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use ledger::{Ledger, Shared};
use load::{Load, Target};

/// What callers see as the server's address, so that an answer stays the same over its restarts.
const PUBLIC_URL: &str = "https://raincheck.test";

/// How often to do it: few times in the daily run, many times in the long one.
fn times(short: u32, many: u32) -> u32 {
    if long() { many } else { short }
}

fn plan(chances: &mut ChaCha8Rng) -> Plan {
    Plan {
        steps: chances.random_range(1..=4),
        branches: chances.random_range(0..=3),
        work_ms: chances.random_range(0..=20),
        nap_ms: chances.random_range(0..=60),
        wait: chances.random_bool(0.3),
        fail: chances.random_bool(0.2),
    }
}
