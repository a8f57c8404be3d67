//! `kill -9` at random moments over a running load.

use std::path::PathBuf;
use std::time::Duration;

use rand::RngExt;

use super::verify::verify;
use super::{Load, PUBLIC_URL, Shared, Target, times};
use crate::harness::{Launch, ServerProcess, chances, seed};

const CLIENTS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_moment_loses_nothing_and_repeats_no_kept_step() {
    let seed = seed();
    let mut chances = chances(seed);
    let launch = Launch::of(PathBuf::from(env!("CARGO_BIN_EXE_effects-server")))
        .args(["effects.log"])
        .env("RAINCHECK_PUBLIC_URL", PUBLIC_URL);
    let effects = launch.directory().join("effects.log");
    let ledger = Shared::default();
    let mut server = launch.start().await;

    let load = Load::start(&ledger, target(&server), CLIENTS, seed);
    for _ in 0..times(20, 200) {
        // The one sleep that is meant: it decides what the kill meets.
        tokio::time::sleep(Duration::from_millis(chances.random_range(5..300))).await;
        server.kill9().await;
        server = launch.start().await;
        load.moved(target(&server));
    }
    load.finish().await;

    Load::look_again(&ledger, target(&server)).await;
    verify(&ledger, &target(&server), &effects).await;
    let accepted = ledger.lock().0.len();
    println!("{accepted} operations");
    assert!(accepted > CLIENTS, "there was no load to speak of");
}

fn target(server: &ServerProcess) -> Target {
    Target {
        http: server.http.clone(),
        public: server.url(""),
        management: server.admin(""),
        key: server.key.clone(),
    }
}
