use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::{Context, Failure, RetryPolicy};

/// Runs one step that fails as often as it is told.
struct Flaky {
    failures: AtomicU32,
    effects: Effects,
    policy: RetryPolicy,
}

impl Flaky {
    fn new(world: &World, failures: u32, policy: RetryPolicy) -> Self {
        Self { failures: AtomicU32::new(failures), effects: world.effects.clone(), policy }
    }
}

impl Action for Flaky {
    const NAME: &'static str = "flaky";
    type Input = bool;
    type Output = String;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, retryable: bool) -> Result<String, Failure> {
        cx.step("call", async |_| {
            self.effects.happen("call");
            if self.failures.load(Ordering::SeqCst) == 0 {
                return Ok("done".to_owned());
            }
            self.failures.fetch_sub(1, Ordering::SeqCst);
            Err(if retryable {
                Failure::retryable("busy", "busy")
            } else {
                Failure::new("refused", "refused")
            })
        })
        .retry(self.policy)
        .await
    }
}

fn calm() -> RetryPolicy {
    RetryPolicy::new(3).jitter(0.0)
}

#[tokio::test]
async fn a_retryable_failure_is_tried_again_after_its_delay() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Flaky::new(&world, 2, calm()))).await;
    let id = process.start::<Flaky>(true).await;
    while world.effects.count("call") < 1 {
        tokio::task::yield_now().await;
    }

    for delay in [1, 2] {
        let before = world.effects.count("call");
        process.advance(Duration::from_millis(delay * 1000 - 1));
        assert_eq!(world.effects.count("call"), before);
        process.advance(Duration::from_millis(1));
        while world.effects.count("call") == before {
            // A timer that is set after the clock has moved is due at once: nothing can be missed.
            tokio::task::yield_now().await;
            process.advance(Duration::from_millis(1));
        }
    }

    assert_eq!(process.output::<String>(id).await, "done");
    assert_eq!(world.effects.count("call"), 3);
}

/// Fails once, and wants to be left alone for a minute.
struct Busy(Effects);

impl Action for Busy {
    const NAME: &'static str = "busy";
    type Input = ();
    type Output = ();
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<(), Failure> {
        cx.step("call", async |_| {
            self.0.happen("call");
            match self.0.count("call") {
                1 => Err(Failure::retryable("busy", "busy").retry_after(Some(Duration::from_secs(60)))),
                _ => Ok(()),
            }
        })
        .retry(calm())
        .await
    }
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is_left_alone_for_longer_than_the_policy_says() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Busy(world.effects.clone()))).await;
    let id = process.start::<Busy>(()).await;
    while world.effects.count("call") < 1 {
        tokio::task::yield_now().await;
    }

    process.advance(Duration::from_secs(59));
    tokio::task::yield_now().await;
    assert_eq!(world.effects.count("call"), 1);
    // A timer that is set after the clock has moved is a minute later than that.
    process.advance(Duration::from_secs(61));

    assert_eq!(process.ended(id).await.state, State::Succeeded);
    assert_eq!(world.effects.count("call"), 2);
}

#[tokio::test]
async fn the_last_attempt_of_a_step_decides() {
    let world = World::new();
    let policy = calm().first(Duration::ZERO);
    let process = world.boot(|registry| register(registry, Flaky::new(&world, 9, policy))).await;
    let id = process.start::<Flaky>(true).await;

    let ended = process.ended(id).await;

    assert_eq!(ended.state, State::Failed);
    assert_eq!(ended.problem.as_ref().unwrap().code, "busy");
    assert_eq!(world.effects.count("call"), 3);
}

#[tokio::test]
async fn a_final_failure_is_not_tried_again() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Flaky::new(&world, 9, calm()))).await;
    let id = process.start::<Flaky>(false).await;

    let ended = process.ended(id).await;

    assert_eq!(ended.problem.as_ref().unwrap().code, "refused");
    assert_eq!(world.effects.count("call"), 1);
}

/// A step that never ends, with a time limit.
struct Stuck(Effects);

impl Action for Stuck {
    const NAME: &'static str = "stuck";
    type Input = ();
    type Output = ();
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<(), Failure> {
        cx.step("hang", async |_| {
            self.0.happen("hang");
            std::future::pending::<Result<(), Failure>>().await
        })
        .retry(RetryPolicy::never().timeout(Duration::from_secs(5)))
        .await
    }
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_dropped() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Stuck(world.effects.clone()))).await;
    let id = process.start::<Stuck>(()).await;
    while world.effects.count("hang") == 0 {
        tokio::task::yield_now().await;
    }

    process.advance(Duration::from_secs(5));

    assert_eq!(process.ended(id).await.problem.as_ref().unwrap().code, "step-timeout");
}

/// Panics where it is told.
struct Panics;

impl Action for Panics {
    const NAME: &'static str = "panics";
    type Input = bool;
    type Output = ();
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, in_step: bool) -> Result<(), Failure> {
        cx.step("work", async |_| {
            assert!(!in_step, "on purpose, in a step");
            Ok::<_, Failure>(())
        })
        .await?;
        panic!("on purpose, in the handler");
    }
}

#[tokio::test]
async fn a_panic_fails_its_operation_only_and_tells_nothing() {
    let world = World::new();
    let process = world
        .boot(|registry| {
            register(registry, Panics);
            register(registry, Flaky::new(&world, 0, calm()));
        })
        .await;

    for in_step in [true, false] {
        let id = process.start::<Panics>(in_step).await;
        let ended = process.ended(id).await;
        let problem = ended.problem.as_ref().unwrap();
        assert_eq!((ended.state, problem.code.as_str()), (State::Failed, "internal-error"));
        assert!(!problem.message.contains("purpose"));
    }

    let other = process.start::<Flaky>(true).await;
    assert_eq!(process.output::<String>(other).await, "done");
}

/// Two steps, the second of which must find the first on the disk.
struct Chained(Arc<Mutex<Option<Arc<SqliteStore>>>>);

impl Action for Chained {
    const NAME: &'static str = "chained";
    type Input = ();
    type Output = bool;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<bool, Failure> {
        cx.step("make-id", async |_| Ok::<_, Failure>(42)).await?;
        cx.step("charge", async |step| {
            let store = self.0.lock().unwrap().clone().unwrap();
            let journal = store.history(step.operation(), None, 10).await?;
            Ok::<_, Failure>(journal.iter().any(|record| matches!(record.entry, Entry::Step { .. })))
        })
        .await
    }
}

#[tokio::test]
async fn a_result_is_durable_before_the_next_step_starts() {
    let world = World::new();
    let shared = Arc::new(Mutex::new(None));
    let process = world.boot(|registry| register(registry, Chained(shared.clone()))).await;
    *shared.lock().unwrap() = Some(process.store.clone());

    let id = process.start::<Chained>(()).await;

    assert!(process.output::<bool>(id).await);
}

/// Fans out into steps that give their results at once.
struct FanOut;

impl Action for FanOut {
    const NAME: &'static str = "fan-out";
    type Input = u32;
    type Output = u32;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, width: u32) -> Result<u32, Failure> {
        let branches = (0..width)
            .map(|number| {
                cx.branch("square", move |mut cx: Context<String>| async move {
                    cx.step("square", async |_| Ok::<_, Failure>(number * number)).await
                })
            })
            .collect();
        Ok(cx.all(branches).await?.into_iter().sum())
    }
}

#[tokio::test]
async fn a_thousand_branches_give_their_results() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, FanOut)).await;

    let id = process.start::<FanOut>(1000).await;

    assert_eq!(process.output::<u32>(id).await, (0..1000).map(|number| number * number).sum::<u32>());
}

/// Panics when it is dropped before its time.
struct Brittle;

struct Glass;

impl Drop for Glass {
    fn drop(&mut self) {
        panic!("on purpose, in a drop");
    }
}

impl Action for Brittle {
    const NAME: &'static str = "brittle";
    type Input = ();
    type Output = ();
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<(), Failure> {
        let _glass = Glass;
        cx.sleep(Duration::from_secs(3600)).await
    }
}

#[tokio::test]
async fn a_panic_while_a_handler_is_dropped_leaves_nothing_behind() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Brittle)).await;
    let id = process.start::<Brittle>(()).await;
    process
        .until_journal(id, |journal| journal.iter().any(|entry| matches!(entry, Entry::Timer { .. })))
        .await;

    process.operations.terminate(id).await.unwrap();

    assert_eq!(process.ended(id).await.state, State::Canceled);
    let mut count = process.engine.inner.count.subscribe();
    let gone = count.wait_for(|count| *count == 0);
    tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap().unwrap();
}

/// Leaves a task behind that waits for a cancel.
struct Leaves(Gate);

impl Action for Leaves {
    const NAME: &'static str = "leaves";
    type Input = ();
    type Output = ();
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<(), Failure> {
        cx.step("spawn", async |step| {
            let gate = self.0.clone();
            tokio::spawn(async move {
                step.canceled().await;
                let _ = gate.reached.send(());
            });
            Ok::<_, Failure>(())
        })
        .await
    }
}

#[tokio::test]
async fn a_task_that_a_step_left_behind_is_told_when_the_run_is_over() {
    let world = World::new();
    let gate = Gate::closed();
    let process = world.boot(|registry| register(registry, Leaves(gate.clone()))).await;
    let id = process.start::<Leaves>(()).await;
    process.ended(id).await;

    tokio::time::timeout(Duration::from_secs(20), gate.reached()).await.unwrap();
}
