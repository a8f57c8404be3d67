use super::*;
use crate::store::Signaled;
use crate::{Context, Failure, Settings};

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
