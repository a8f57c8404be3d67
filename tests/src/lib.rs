//! What the tests share with the programs that they start. The tests live in `e2e/`, the benchmarks in `bench/`.

pub mod breaking;
pub mod effects;
