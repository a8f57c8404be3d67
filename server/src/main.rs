//! `raincheck-server`: the server with its sample actions, and the commands around it.

use std::process::ExitCode;

mod cli;

// What a start allocates on one thread is freed on others. With the allocator of glibc a start takes a fifth more CPU,
// and a restart nearly twice as long.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
