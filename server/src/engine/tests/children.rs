use super::*;
use crate::{Context, Failure};

struct Parent;
pub(super) struct Child(pub(super) Effects);

impl Action for Parent {
    const NAME: &'static str = "parent";
    type Input = u32;
    type Output = u32;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, number: u32) -> Result<u32, Failure> {
        Ok(cx.child::<Child>(&number).await? + 1)
    }
}

impl Action for Child {
    const NAME: &'static str = "child";
    type Input = u32;
    type Output = u32;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, number: u32) -> Result<u32, Failure> {
        cx.step("work", async |_| {
            self.0.happen("work");
            if number == 0 {
                return Err(Failure::new("no-zero", "zero is not a number to double"));
            }
            Ok(())
        })
        .await?;
        cx.sleep(Duration::from_secs(60)).await?;
        Ok(number * 2)
    }
}

fn family(registry: &mut Registry, world: &World) {
    register(registry, Parent);
    register(registry, Child(world.effects.clone()));
}

pub(super) async fn child_of(process: &Process, id: OperationId) -> OperationId {
    let child = |entry: &Entry| match entry {
        Entry::Child { operation, .. } => Some(*operation),
        _ => None,
    };
    process.until_journal(id, |journal| journal.iter().any(|entry| child(entry).is_some())).await;
    process.journal(id).await.iter().find_map(child).unwrap()
}

pub(super) async fn sleeping(process: &Process, id: OperationId) {
    let waiting = async {
        while process.operations.read(id).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
    process
        .until_journal(id, |journal| journal.iter().any(|entry| matches!(entry, Entry::Timer { .. })))
        .await;
}

#[tokio::test]
async fn a_child_gives_its_output_to_its_parent_also_after_a_crash() {
    let world = World::new();
    let process = world.boot(|registry| family(registry, &world)).await;
    let id = process.start::<Parent>(20).await;
    let child = child_of(&process, id).await;
    sleeping(&process, child).await;

    process.crash().await;
    let process = world.boot(|registry| family(registry, &world)).await;
    process.advance(Duration::from_secs(60));

    assert_eq!(process.output::<u32>(id).await, 41);
    assert_eq!(process.read(child).await.parent, Some(id));
    assert_eq!(world.effects.count("work"), 1);
}

#[tokio::test]
async fn a_childs_failure_is_its_parents() {
    let world = World::new();
    let process = world.boot(|registry| family(registry, &world)).await;

    let id = process.start::<Parent>(0).await;

    assert_eq!(process.ended(id).await.problem.as_ref().unwrap().code, "no-zero");
}

#[tokio::test]
async fn a_cancel_goes_down_to_the_child() {
    let world = World::new();
    let process = world.boot(|registry| family(registry, &world)).await;
    let id = process.start::<Parent>(1).await;
    let child = child_of(&process, id).await;
    sleeping(&process, child).await;

    process.operations.cancel(id).await.unwrap();

    assert_eq!(process.ended(id).await.state, State::Canceled);
    assert_eq!(process.ended(child).await.state, State::Canceled);
}

/// Waits for a child beside a sleep; what comes after its sleep takes its time.
struct Distracted {
    release: Mutex<std::sync::mpsc::Receiver<()>>,
    gate: Gate,
    effects: Effects,
}

impl Action for Distracted {
    const NAME: &'static str = "distracted";
    type Input = ();
    type Output = Vec<String>;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<Vec<String>, Failure> {
        let sleep = cx.branch("sleep", |mut cx: Context<String>| async move {
            let told = cx.sleep(Duration::from_secs(3600)).await;
            // Only the first run is held up: the sender is gone after it.
            let _ = self.gate.reached.send(());
            let _ = self.release.lock().unwrap().recv();
            Ok(told.map_or_else(|failure| failure.code().to_owned(), |()| "slept".to_owned()))
        });
        let child = cx.branch("child", |mut cx: Context<String>| async move {
            let told = cx.child::<Child>(&1).await;
            Ok(told.map_or_else(|failure| failure.code().to_owned(), |number| number.to_string()))
        });
        let told = cx.all(vec![sleep, child]).await?;
        cx.step("clean-up", async |_| {
            self.effects.happen(told.join(", "));
            self.gate.pass().await;
            Ok::<_, Failure>(())
        })
        .await?;
        Ok(told)
    }
}

/// Waits until the end of the child has come to the run of its parent.
async fn heard(process: &Process, parent: OperationId) {
    let run = process.engine.inner.runs().get(&parent).and_then(|running| running.run.clone()).unwrap();
    let watching = run.core().slots.iter().flatten().find_map(|slot| match &slot.phase {
        super::super::core::Phase::Child(_, watching) => Some(watching.clone()),
        _ => None,
    });
    let watching = watching.unwrap();
    while !watching.is_finished() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_child_that_ends_after_the_cancel_was_observed_ended_too_late() {
    let world = World::new();
    let gate = Gate::closed();
    let boot = || async {
        let (sender, release) = std::sync::mpsc::channel();
        let distracted =
            Distracted { release: Mutex::new(release), gate: gate.clone(), effects: world.effects.clone() };
        let register = |registry: &mut Registry| {
            register(registry, distracted);
            register(registry, Child(world.effects.clone()));
        };
        (world.boot(register).await, sender)
    };
    let (process, release) = boot().await;
    let id = process.start::<Distracted>(()).await;
    let child = child_of(&process, id).await;
    sleeping(&process, child).await;
    process.operations.cancel(id).await.unwrap();
    gate.reached().await;

    process.operations.terminate(child).await.unwrap();
    heard(&process, id).await;
    drop(release);
    gate.reached().await;
    process.crash().await;
    let (process, release) = boot().await;
    drop(release);
    gate.open();

    assert_eq!(process.output::<Vec<String>>(id).await, ["canceled", "canceled"]);
    assert!(world.effects.count("canceled, canceled") >= 1);
    assert_eq!(world.effects.count("canceled, child-failed"), 0);
}

/// Waits for a child when it is let to, and cleans up after a cancel if it shall.
struct Guardian {
    ready: Gate,
    clean_up: Option<Gate>,
}

impl Action for Guardian {
    const NAME: &'static str = "guardian";
    type Input = ();
    type Output = u32;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<u32, Failure> {
        cx.step("ready", async |_| {
            self.ready.pass().await;
            Ok::<_, Failure>(())
        })
        .await?;
        let told = cx.child::<Child>(&1).await;
        if let Some(gate) = &self.clean_up {
            cx.step("clean-up", async |_| {
                gate.pass().await;
                Ok::<_, Failure>(())
            })
            .await?;
        }
        told
    }
}

impl World {
    async fn guarded(&self, ready: &Gate, clean_up: Option<&Gate>) -> Process {
        let guardian = Guardian { ready: ready.clone(), clean_up: clean_up.cloned() };
        self.boot(|registry| {
            register(registry, guardian);
            register(registry, Child(self.effects.clone()));
        })
        .await
    }
}

#[tokio::test]
async fn a_cancel_goes_down_to_a_child_that_is_just_being_accepted() {
    let world = World::new();
    let gate = Gate::closed();
    let process = world.guarded(&gate, None).await;
    let id = process.start::<Guardian>(()).await;
    gate.reached().await;
    let accept = process.halting.halt(Place::BeforeAccept);
    gate.open();
    accept.reached().await;

    let passed_on = process.halting.halt(Place::AfterSignal);
    process.operations.cancel(id).await.unwrap();
    passed_on.reached().await;
    accept.open();

    assert_eq!(process.ended(id).await.state, State::Canceled);
    let child = id.child("/child:child:0");
    let there = async {
        while process.operations.read(child).await.unwrap().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), there).await.unwrap();
    assert_eq!(process.ended(child).await.state, State::Canceled);
}

#[tokio::test]
async fn a_cancel_goes_down_to_the_child_also_when_the_process_dies_before() {
    // The parent has ended when the process dies, or it has not.
    for cleans_up in [false, true] {
        let world = World::new();
        let (gate, clean_up) = (Gate::closed(), Gate::closed());
        gate.open();
        let process = world.guarded(&gate, cleans_up.then_some(&clean_up)).await;
        let id = process.start::<Guardian>(()).await;
        let child = child_of(&process, id).await;
        sleeping(&process, child).await;
        let passing_on = process.halting.halt(Place::BeforeSignal);
        process.operations.cancel(id).await.unwrap();
        passing_on.reached().await;
        if cleans_up {
            clean_up.reached().await;
        } else {
            process.ended(id).await;
        }
        process.crash().await;

        let process = world.guarded(&gate, cleans_up.then_some(&clean_up)).await;
        clean_up.open();

        assert_eq!(process.ended(id).await.state, State::Canceled);
        assert_eq!(process.ended(child).await.state, State::Canceled, "cleans up: {cleans_up}");
    }
}

/// Works while its child does.
struct Busy(Gate);

impl Action for Busy {
    const NAME: &'static str = "busy";
    type Input = ();
    type Output = u32;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<u32, Failure> {
        let work = cx.branch("work", |mut cx: Context<String>| async move {
            cx.step("work", async |_| {
                self.0.pass().await;
                Ok::<_, Failure>(1)
            })
            .await
        });
        let child = cx.branch("child", |mut cx: Context<String>| async move { cx.child::<Child>(&1).await });
        Ok(cx.all(vec![work, child]).await?.into_iter().sum())
    }
}

#[tokio::test]
async fn a_run_that_was_taken_over_leaves_the_children_alone() {
    let world = World::new();
    let gate = Gate::closed();
    let process = world
        .boot(|registry| {
            register(registry, Busy(gate.clone()));
            register(registry, Child(world.effects.clone()));
        })
        .await;
    let id = process.start::<Busy>(()).await;
    gate.reached().await;
    let child = child_of(&process, id).await;
    sleeping(&process, child).await;

    process.halting.fence();
    gate.open();
    process.engine.inner.count.subscribe().wait_for(|count| *count == 1).await.unwrap();
    // A cancel would be written before the last of these is answered.
    for _ in 0..100 {
        tokio::task::yield_now().await;
        process.store.active().await.unwrap();
    }
    assert_eq!(process.read(child).await.state, State::Running);
    process.advance(Duration::from_secs(60));

    assert_eq!(process.output::<u32>(child).await, 2);
}
