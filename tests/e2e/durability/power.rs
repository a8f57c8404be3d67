//! The power goes at random moments over a running load: what was not synced may be lost, in part and out of order.

use std::path::Path;

use raincheck_server::store::conformance::power_loss::{Image, PowerLoss};
use raincheck_server::store::sqlite::SqliteOptions;
use raincheck_tests::effects::{Effects, Work};
use rand::RngExt;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::verify::verify;
use super::{Ledger, Load, PUBLIC_URL, Shared, Target, times};
use crate::harness::{PATIENCE, Setup, TestServer, chances, seed};

const CLIENTS: usize = 8;

/// Writes and syncs until the cut, at most: some hundred operations, and a checkpoint now and then.
const EVENTS: u64 = 1_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_was_told_is_still_so_after_a_power_cut() {
    let first = seed();
    for seed in (0..times(20, 200)).map(|number| first.wrapping_add(number.into())) {
        println!("cut with seed {seed}");
        cut_and_go_on(seed, |options| options).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_sync_is_found_out() {
    let first = seed();
    for seed in (0..50).map(|number| first.wrapping_add(number)) {
        if tokio::spawn(cut_and_go_on(seed, SqliteOptions::without_sync)).await.is_err() {
            return;
        }
    }
    panic!("this test cannot find a lost sync");
}

async fn cut_and_go_on(seed: u64, options: fn(SqliteOptions) -> SqliteOptions) {
    let directory = TempDir::new().expect("a temporary directory");
    let effects = directory.path().join("effects.log");
    let (image, told) = run_until_cut(seed, directory.path(), &effects, options).await;

    let data = directory.path().join("after");
    image.restore_into(&data).expect("the files");
    let server = start(&effects, move |builder| builder.store(SqliteOptions::new(data))).await;
    let ledger = Shared::of(told);
    Load::see_through(&ledger, target(&server), seed).await;

    Load::look_again(&ledger, target(&server)).await;
    verify(&ledger, &target(&server), &effects).await;
    server.stop().await;
}

/// Runs a load until the power goes. What is left of the store, and what the clients had been told by then.
async fn run_until_cut(
    seed: u64,
    directory: &Path,
    effects: &Path,
    options: fn(SqliteOptions) -> SqliteOptions,
) -> (Image, Ledger) {
    let power = PowerLoss::new();
    let options = options(SqliteOptions::new(directory.join("before")).vfs(power.vfs()));
    let server = start(effects, move |builder| builder.store(options)).await;
    let ledger = Shared::default();
    let (sender, cut) = oneshot::channel();
    let events = chances(seed).random_range(0..EVENTS);
    let (told, seen, gone) = (ledger.clone(), effects.to_owned(), effects.with_extension("gone"));
    power.cut_after(events, seed, move |image| {
        let told = told.lock().clone();
        // From here on the machine is dead: what the handlers still do is not done.
        std::fs::rename(&seen, &gone).expect("the effects");
        std::fs::copy(&gone, &seen).expect("the effects");
        let _ = sender.send((image, told));
    });

    let load = Load::start(&ledger, target(&server), CLIENTS, seed);
    let left = timeout(PATIENCE, cut).await.expect("a cut in time").expect("a cut");
    drop(load);
    server.stop().await;
    left
}

async fn start(
    effects: &Path,
    store: impl FnOnce(raincheck_server::ServerBuilder) -> raincheck_server::ServerBuilder + Send + 'static,
) -> TestServer {
    let effects = Effects::open(effects).expect("the effects");
    Setup::new()
        .config(|config| {
            config.public_url = Some(PUBLIC_URL.parse().expect("a URL"));
            config.samples.enabled = false;
        })
        .builder(move |builder| store(builder.action(Work(effects))))
        .start()
        .await
}

fn target(server: &TestServer) -> Target {
    Target {
        http: server.http.clone(),
        public: server.url(""),
        management: server.admin(""),
        key: server.key.clone(),
    }
}
