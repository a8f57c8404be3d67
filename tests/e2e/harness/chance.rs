//! How long the tests may take, and what they leave to chance.

use std::io::Write as _;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Whether this is the long run (`tests/run --long`).
pub(crate) fn long() -> bool {
    std::env::var_os("RAINCHECK_LONG").is_some()
}

/// The seed of the chances in a test: another one each time, unless `RAINCHECK_SEED` repeats one.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("RAINCHECK_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| getrandom::u64().expect("random numbers"));
    // Shown when the test fails.
    println!("RAINCHECK_SEED={seed}");
    seed
}

/// Chances that a seed repeats.
pub(crate) fn chances(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Says that a test cannot run here. `tests/run` counts what is in the file that it names.
pub(crate) fn skip(test: &str, why: &str) {
    let line = format!("skipped {test}: {why}\n");
    eprint!("{line}");
    if let Some(path) = std::env::var_os("RAINCHECK_SKIPPED") {
        let file = std::fs::File::options().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a file of skipped tests");
    }
}
