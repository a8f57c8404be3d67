use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

use super::*;
use crate::{Context, EventSettings, Failure, RetryPolicy, Settings};

/// Handlers made by dice: sleeps, steps, events and the time, alone and side by side, that swallow some cancels.
struct Wild(Arc<AtomicU64>);

fn below(dice: &mut ChaCha8Rng, limit: u64) -> u64 {
    dice.next_u64() % limit
}

/// A part of a handler: the same for the same seed, whatever its steps give.
fn part(
    mut cx: Context<String>,
    seed: u64,
    depth: u32,
    counter: Arc<AtomicU64>,
) -> BoxFuture<'static, Result<String, Failure>> {
    Box::pin(async move {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let mut trace = String::new();
        for _ in 0..1 + below(&mut dice, 4) {
            let swallows = below(&mut dice, 3) > 0;
            let kind = below(&mut dice, if depth == 0 { 6 } else { 9 });
            let wait = Duration::from_millis(below(&mut dice, 4));
            let result = match kind {
                0 => cx.sleep(wait).await.map(|()| "slept".to_owned()),
                1 | 2 => work(&mut cx, &mut dice, wait, &counter).await,
                3 | 4 => {
                    let name = if wait.is_zero() { "a" } else { "b" };
                    cx.event::<u64>(name, Some(wait)).await.map(|event| format!("{event:?}"))
                }
                5 => cx.now().await.map(|now| now.to_string()),
                _ => {
                    let branches = (0..2 + below(&mut dice, 2))
                        .map(|_| {
                            let (seed, counter) = (dice.next_u64(), counter.clone());
                            cx.branch("part", move |cx| part(cx, seed, depth - 1, counter))
                        })
                        .collect();
                    if kind == 6 {
                        cx.all(branches).await.map(|all| all.concat())
                    } else {
                        cx.race(branches).await.map(|(place, winner)| format!("{place} {winner}"))
                    }
                }
            };
            match result {
                Ok(text) => trace += &text,
                Err(failure) if swallows => trace += failure.code(),
                Err(failure) => return Err(failure),
            }
            cx.custom_status(trace.clone());
        }
        Ok(trace)
    })
}

/// A step that gives another result each time it runs, fails now and then, and may hear a cancel.
async fn work(
    cx: &mut Context<String>,
    dice: &mut ChaCha8Rng,
    wait: Duration,
    counter: &AtomicU64,
) -> Result<String, Failure> {
    let (yields, failures) = (below(dice, 4), below(dice, 3));
    cx.step("work", async |step| {
        let number = counter.fetch_add(1, Ordering::SeqCst);
        for _ in 0..yields {
            tokio::task::yield_now().await;
        }
        if number.is_multiple_of(5) {
            tokio::select! {
                () = step.canceled() => {}
                () = async { for _ in 0..100 { tokio::task::yield_now().await } } => {}
            }
        }
        if number % 3 < failures {
            return Err(Failure::retryable("busy", "busy"));
        }
        Ok(number.to_string())
    })
    .retry(RetryPolicy::new(4).first(wait))
    .await
}

impl Action for Wild {
    const NAME: &'static str = "wild";
    type Input = u64;
    type Output = String;
    type Status = String;

    fn settings(&self) -> Settings {
        let event = EventSettings::new::<u64>;
        let settings = Settings::new("Wild").cancel_grace(Duration::from_millis(3));
        settings.concurrency(2).event(event("a")).event(event("b"))
    }

    async fn run(&self, cx: &mut Context<String>, seed: u64) -> Result<String, Failure> {
        let counter = self.0.clone();
        let root = cx.branch("root", move |cx| part(cx, seed, 3, counter));
        Ok(cx.all(vec![root]).await?.concat())
    }
}

#[tokio::test]
async fn wild_handlers_killed_at_any_moment_fit_their_journals() {
    for seed in 0..60 {
        let world = World::new();
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        let counter = Arc::new(AtomicU64::new(0));
        let mut process = world.boot(|registry| register(registry, Wild(counter.clone()))).await;
        let mut ids = Vec::new();
        for number in 0..3 {
            ids.push(process.start::<Wild>(seed * 10 + number).await);
        }

        let mut moves = 0_u32;
        while let Some(id) = running(&process, &ids).await {
            moves += 1;
            assert!(moves < 10_000, "seed {seed}: {id} does not end: {:#?}", process.journal(id).await);
            match below(&mut dice, 20) {
                0..7 => process.advance(Duration::from_millis(below(&mut dice, 3))),
                7..10 => {
                    let name = if below(&mut dice, 2) == 0 { "a" } else { "b" };
                    process.operations.send_event(id, name, Json::of(&moves).unwrap(), None).await.unwrap();
                }
                10 if seed % 2 == 0 && moves > 5 => drop(process.operations.cancel(id).await.unwrap()),
                11 if moves < 200 => {
                    process.crash().await;
                    process = world.boot(|registry| register(registry, Wild(counter.clone()))).await;
                }
                _ => tokio::task::yield_now().await,
            }
        }

        for id in ids {
            let ended = process.read(id).await;
            let code = ended.problem.as_ref().map(|problem| problem.code.as_str());
            assert_ne!(code, Some("internal-error"), "seed {seed}: {:?}", ended.problem);
        }
        process.engine.inner.count.subscribe().wait_for(|count| *count == 0).await.unwrap();
    }
}

async fn running(process: &Process, ids: &[OperationId]) -> Option<OperationId> {
    for id in ids {
        if !process.read(*id).await.state.is_terminal() {
            return Some(*id);
        }
    }
    None
}
