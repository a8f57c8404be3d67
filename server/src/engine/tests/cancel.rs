use super::*;
use crate::store::Signaled;
use crate::{Context, Failure, RetryPolicy, Settings};

/// Sleeps; cleans up when it is told to stop; may say that it succeeded all the same.
struct Careful {
    effects: Effects,
    swallow: bool,
}

impl Action for Careful {
    const NAME: &'static str = "careful";
    type Input = ();
    type Output = String;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<String, Failure> {
        let Err(canceled) = cx.sleep(Duration::from_secs(3600)).await else { return Ok("slept".to_owned()) };
        cx.step("clean-up", async |_| {
            self.effects.happen("clean-up");
            Ok::<_, Failure>(())
        })
        .await?;
        cx.sleep(Duration::from_millis(1)).await?;
        if self.swallow { Ok("swallowed".to_owned()) } else { Err(canceled) }
    }
}

async fn sleeping(process: &Process, id: OperationId) {
    process
        .until_journal(id, |journal| journal.iter().any(|entry| matches!(entry, Entry::Timer { .. })))
        .await;
}

#[tokio::test]
async fn a_cancel_ends_what_is_awaited_and_leaves_clean_up_to_the_handler() {
    let world = World::new();
    let careful = Careful { effects: world.effects.clone(), swallow: false };
    let process = world.boot(|registry| register(registry, careful)).await;
    let id = process.start::<Careful>(()).await;
    sleeping(&process, id).await;

    let signaled = process.operations.cancel(id).await.unwrap();
    assert!(matches!(signaled, Signaled::Done(operation) if operation.state == State::Canceling));
    process
        .until_journal(id, |journal| {
            journal.iter().filter(|entry| matches!(entry, Entry::Timer { .. })).count() == 2
        })
        .await;
    process.advance(Duration::from_millis(1));

    let ended = process.ended(id).await;
    assert_eq!((ended.state, ended.problem.as_ref().unwrap().code.as_str()), (State::Canceled, "canceled"));
    assert_eq!(world.effects.count("clean-up"), 1);
}

#[tokio::test]
async fn a_handler_that_swallows_its_cancel_succeeds() {
    let world = World::new();
    let careful = Careful { effects: world.effects.clone(), swallow: true };
    let process = world.boot(|registry| register(registry, careful)).await;
    let id = process.start::<Careful>(()).await;
    sleeping(&process, id).await;

    process.operations.cancel(id).await.unwrap();
    process
        .until_journal(id, |journal| {
            journal.iter().filter(|entry| matches!(entry, Entry::Timer { .. })).count() == 2
        })
        .await;
    process.advance(Duration::from_millis(1));

    assert_eq!(process.output::<String>(id).await, "swallowed");
}

#[tokio::test]
async fn a_cancel_is_observed_once_also_when_the_process_dies_in_between() {
    let world = World::new();
    let careful = || Careful { effects: world.effects.clone(), swallow: false };
    let process = world.boot(|registry| register(registry, careful())).await;
    let id = process.start::<Careful>(()).await;
    sleeping(&process, id).await;
    process.operations.cancel(id).await.unwrap();
    process
        .until_journal(id, |journal| {
            journal.iter().filter(|entry| matches!(entry, Entry::Timer { .. })).count() == 2
        })
        .await;

    process.crash().await;
    let process = world.boot(|registry| register(registry, careful())).await;
    assert_eq!(process.read(id).await.state, State::Canceling);
    process.advance(Duration::from_millis(1));

    assert_eq!(process.ended(id).await.state, State::Canceled);
    assert_eq!(world.effects.count("clean-up"), 1);
    let observed = |entry: &&Entry| matches!(entry, Entry::CancelObserved);
    assert_eq!(process.journal(id).await.iter().filter(observed).count(), 1);
}

/// A step that listens for the cancel, or does not.
struct Working {
    gate: Gate,
    listens: bool,
}

impl Action for Working {
    const NAME: &'static str = "working";
    type Input = ();
    type Output = String;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Work").cancel_grace(Duration::from_secs(10))
    }

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<String, Failure> {
        cx.step("work", async |step| {
            if self.listens {
                let _ = self.gate.reached.send(());
                step.canceled().await;
                return Ok::<_, Failure>("stopped half way".to_owned());
            }
            self.gate.pass().await;
            Ok("never".to_owned())
        })
        .await
    }
}

#[tokio::test]
async fn a_running_step_hears_the_cancel_and_may_still_give_its_result() {
    let world = World::new();
    let gate = Gate::closed();
    let working = Working { gate: gate.clone(), listens: true };
    let process = world.boot(|registry| register(registry, working)).await;
    let id = process.start::<Working>(()).await;
    gate.reached().await;

    process.operations.cancel(id).await.unwrap();

    assert_eq!(process.output::<String>(id).await, "stopped half way");
}

#[tokio::test]
async fn a_step_that_does_not_listen_is_dropped_after_the_grace() {
    let world = World::new();
    let gate = Gate::closed();
    let working = Working { gate: gate.clone(), listens: false };
    let process = world.boot(|registry| register(registry, working)).await;
    let id = process.start::<Working>(()).await;
    gate.reached().await;

    process.operations.cancel(id).await.unwrap();
    let observed = |journal: &[Entry]| journal.iter().any(|entry| matches!(entry, Entry::CancelObserved));
    process.until_journal(id, observed).await;
    process.advance(Duration::from_millis(9_999));
    assert_eq!(process.read(id).await.state, State::Canceling);
    process.advance(Duration::from_millis(1));

    assert_eq!(process.ended(id).await.state, State::Canceled);
    assert!(process.journal(id).await.iter().any(|entry| matches!(entry, Entry::Dropped { .. })));
}

#[tokio::test]
async fn a_termination_ends_it_at_once_without_clean_up() {
    let world = World::new();
    let careful = Careful { effects: world.effects.clone(), swallow: false };
    let process = world.boot(|registry| register(registry, careful)).await;
    let id = process.start::<Careful>(()).await;
    sleeping(&process, id).await;

    process.operations.terminate(id).await.unwrap();

    let ended = process.ended(id).await;
    assert_eq!((ended.state, ended.problem.as_ref().unwrap().code.as_str()), (State::Canceled, "terminated"));
    let mut count = process.engine.inner.count.subscribe();
    count.wait_for(|count| *count == 0).await.unwrap();
    assert_eq!(world.effects.count("clean-up"), 0);
}

#[tokio::test]
async fn a_cancel_after_the_end_changes_nothing() {
    let world = World::new();
    let careful = Careful { effects: world.effects.clone(), swallow: false };
    let process = world.boot(|registry| register(registry, careful)).await;
    let id = process.start::<Careful>(()).await;
    sleeping(&process, id).await;
    process.advance(Duration::from_secs(3600));
    let ended = process.ended(id).await;

    let signaled = process.operations.cancel(id).await.unwrap();

    assert!(matches!(signaled, Signaled::AlreadyFinished(operation) if operation == ended));
    assert_eq!(process.read(id).await, ended);
}

/// Side by side: a step that fails until it is told to stop, and a sleep; then clean-up.
struct Beside {
    gate: Gate,
    effects: Effects,
    /// The step hears the cancel and gives its result at once; else it waits for another attempt.
    listens: bool,
    races: bool,
}

impl Action for Beside {
    const NAME: &'static str = "beside";
    type Input = ();
    type Output = String;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<String, Failure> {
        let work = cx.branch("work", |mut cx: Context<String>| async move {
            cx.step("work", async |step| {
                self.effects.happen("tried");
                if !self.listens {
                    return Err(Failure::retryable("busy", "busy"));
                }
                step.canceled().await;
                Ok(())
            })
            .retry(RetryPolicy::new(9).first(Duration::from_secs(3600)))
            .await?;
            Ok("work")
        });
        let patience = cx.branch("patience", |mut cx: Context<String>| async move {
            cx.sleep(Duration::from_secs(60)).await?;
            Ok("patience")
        });
        let branches = vec![work, patience];
        let told = if self.races {
            match cx.race(branches).await {
                Ok((place, word)) => format!("{place} {word}"),
                Err(failure) => failure.code().to_owned(),
            }
        } else {
            match cx.all(branches).await {
                Ok(words) => words.concat(),
                Err(failure) => failure.code().to_owned(),
            }
        };
        cx.step("clean-up", async |_| {
            self.gate.pass().await;
            Ok::<_, Failure>(())
        })
        .await?;
        Ok(told)
    }
}

#[tokio::test]
async fn a_second_run_is_told_of_a_cancel_as_the_first_one_was() {
    for (listens, races) in [(false, false), (false, true), (true, false), (true, true)] {
        let world = World::new();
        let gate = Gate::closed();
        let beside = || Beside { gate: gate.clone(), effects: world.effects.clone(), listens, races };
        let process = world.boot(|registry| register(registry, beside())).await;
        let id = process.start::<Beside>(()).await;
        sleeping(&process, id).await;
        while world.effects.count("tried") == 0 {
            tokio::task::yield_now().await;
        }
        process.operations.cancel(id).await.unwrap();
        gate.reached().await;

        process.crash().await;
        let process = world.boot(|registry| register(registry, beside())).await;
        gate.open();

        assert_eq!(process.output::<String>(id).await, "canceled", "listens: {listens}, races: {races}");
    }
}

#[tokio::test]
async fn a_cancel_that_comes_while_an_operation_is_taken_over_is_heard() {
    let world = World::new();
    let careful = || Careful { effects: world.effects.clone(), swallow: false };
    let process = world.boot(|registry| register(registry, careful())).await;
    let id = process.start::<Careful>(()).await;
    sleeping(&process, id).await;
    process.crash().await;

    let process = world.load(HandlerLimits::default(), |registry| register(registry, careful()));
    let claim = process.halting.halt(Place::AfterClaim);
    let engine = process.engine.clone();
    let recovery = tokio::spawn(async move { engine.recover().await });
    claim.reached().await;
    process.operations.cancel(id).await.unwrap();
    // The store tells its listener of one write before it takes up the next.
    process.store.active().await.unwrap();
    claim.open();
    recovery.await.unwrap().unwrap();

    let observed = |journal: &[Entry]| journal.iter().any(|entry| matches!(entry, Entry::CancelObserved));
    process.until_journal(id, observed).await;
    assert_eq!(process.engine.running(), 1);
}

#[tokio::test]
async fn a_start_that_is_repeated_before_it_is_answered_loses_no_cancel() {
    use crate::operation::Origin;
    use crate::store::{Accepted, ActiveLimits, NewOperation};

    let world = World::new();
    let careful = Careful { effects: world.effects.clone(), swallow: false };
    let process = world.boot(|registry| register(registry, careful)).await;
    let example = process.start::<Careful>(()).await;
    let id = OperationId::new(process.clock.now());
    let example = process.read(example).await;
    let operation = Operation::accepted(Origin { id, ..(*example.origin).clone() });
    let limits = ActiveLimits { total: 10, action: 10, caller: 10 };
    let new =
        NewOperation { operation, input: Json::of(&()).unwrap(), idempotency: None, limits, callback: None };
    let action = process.operations.registry().find(Careful::NAME).unwrap().clone();
    let answer = process.halting.halt(Place::AfterAccept);
    let mut first = std::pin::pin!(process.engine.submit(action.clone(), new.clone()));
    tokio::select! {
        _ = &mut first => unreachable!("it waits at the gate"),
        () = answer.reached() => {}
    }

    let repeated = process.engine.submit(action.clone(), new).await;
    process.operations.cancel(id).await.unwrap();
    answer.open();

    assert!(matches!(repeated, Ok(Accepted::Replayed(_))) && matches!(first.await, Ok(Accepted::New(..))));
    let observed = |journal: &[Entry]| journal.iter().any(|entry| matches!(entry, Entry::CancelObserved));
    process.until_journal(id, observed).await;
}
