//! Children that nobody waits for any more.

use super::children::{Child, child_of, sleeping};
use super::*;
use crate::{Context, Failure};

/// Waits a minute for a child that takes as long, and then for itself.
struct Impatient {
    fails: bool,
    gate: Gate,
}

impl Action for Impatient {
    const NAME: &'static str = "impatient";
    type Input = ();
    type Output = String;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<String, Failure> {
        let child = cx.branch("child", |mut cx: Context<String>| async move {
            cx.child::<Child>(&1).await.map(|number| number.to_string())
        });
        let patience = cx.branch("patience", |mut cx: Context<String>| async move {
            cx.sleep(Duration::from_secs(30)).await?;
            Ok("too late".to_owned())
        });
        let (_, told) = cx.race(vec![child, patience]).await?;
        if self.fails {
            return Err(Failure::new("impatient", "it took too long"));
        }
        cx.step("go on", async |_| {
            self.gate.pass().await;
            Ok::<_, Failure>(())
        })
        .await?;
        cx.sleep(Duration::from_secs(3600)).await?;
        Ok(told)
    }
}

impl World {
    async fn impatient(&self, fails: bool, gate: &Gate) -> Process {
        let gate = gate.clone();
        self.boot(|registry| {
            register(registry, Impatient { fails, gate });
            register(registry, Child(self.effects.clone()));
        })
        .await
    }
}

/// Starts it, lets it lose its patience, and gives its id and that of its child.
async fn lose_patience(process: &Process) -> (OperationId, OperationId) {
    let id = process.start::<Impatient>(()).await;
    let child = child_of(process, id).await;
    sleeping(process, child).await;
    process
        .until_journal(id, |journal| journal.iter().any(|entry| matches!(entry, Entry::Timer { .. })))
        .await;
    process.advance(Duration::from_secs(30));
    (id, child)
}

#[tokio::test]
async fn a_child_whose_branch_lost_a_race_runs_on() {
    let world = World::new();
    let gate = Gate::closed();
    let process = world.impatient(false, &gate).await;
    let (_, child) = lose_patience(&process).await;
    gate.reached().await;

    assert_eq!(process.read(child).await.state, State::Running);
    process.advance(Duration::from_secs(60));

    assert_eq!(process.output::<u32>(child).await, 2);
}

#[tokio::test]
async fn a_child_whose_parent_failed_runs_on_also_after_a_crash() {
    let world = World::new();
    let process = world.impatient(true, &Gate::closed()).await;
    let (id, child) = lose_patience(&process).await;
    assert_eq!(process.ended(id).await.problem.as_ref().unwrap().code, "impatient");
    assert_eq!(process.read(child).await.state, State::Running);

    process.crash().await;
    let process = world.impatient(true, &Gate::closed()).await;
    process.advance(Duration::from_secs(60));

    assert_eq!(process.output::<u32>(child).await, 2);
}

#[tokio::test]
async fn a_cancel_and_a_termination_go_down_to_a_child_that_nobody_waits_for() {
    for (crashes, terminates) in [(false, false), (false, true), (true, false)] {
        let world = World::new();
        let gate = Gate::closed();
        let mut process = world.impatient(false, &gate).await;
        let (id, child) = lose_patience(&process).await;
        gate.reached().await;
        if crashes {
            process.crash().await;
            process = world.impatient(false, &gate).await;
            gate.reached().await;
        }
        gate.open();

        if terminates {
            process.operations.terminate(id).await.unwrap();
        } else {
            process.operations.cancel(id).await.unwrap();
        }

        assert_eq!(process.ended(id).await.state, State::Canceled);
        assert_eq!(process.ended(child).await.state, State::Canceled, "{crashes} {terminates}");
    }
}
