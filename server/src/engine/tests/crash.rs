use super::*;
use crate::{Context, Failure, Settings};

/// One handler in two versions: the second has another second step.
struct Changed {
    gate: Gate,
    second: &'static str,
}

impl Action for Changed {
    const NAME: &'static str = "changed";
    type Input = ();
    type Output = ();
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<(), Failure> {
        cx.step("first", async |_| Ok::<_, Failure>(())).await?;
        cx.step(self.second, async |_| Ok::<_, Failure>(())).await?;
        cx.step("third", async |_| {
            self.gate.pass().await;
            Ok::<_, Failure>(())
        })
        .await
    }
}

#[tokio::test]
async fn a_handler_that_no_longer_fits_its_journal_fails_the_operation_and_tells_the_operator() {
    let world = World::new();
    let gate = Gate::closed();
    let changed = |second| Changed { gate: gate.clone(), second };
    let process = world.boot(|registry| register(registry, changed("second"))).await;
    let id = process.start::<Changed>(()).await;
    gate.reached().await;
    process.crash().await;

    let process = world.boot(|registry| register(registry, changed("other"))).await;

    let ended = process.ended(id).await;
    let problem = ended.problem.as_ref().unwrap();
    assert_eq!((ended.state, problem.code.as_str()), (State::Failed, "internal-error"));
    assert!(!problem.message.contains("second"));
    let details = problem.details.as_ref().unwrap().get();
    assert!(details.contains("/step:second:0") && details.contains("/step:other:0"), "{details}");
}

/// Ends earlier than its journal.
struct Shorter {
    gate: Gate,
    steps: u32,
}

impl Action for Shorter {
    const NAME: &'static str = "shorter";
    type Input = ();
    type Output = ();
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<(), Failure> {
        for _ in 0..self.steps {
            cx.step("step", async |_| Ok::<_, Failure>(())).await?;
        }
        if self.steps > 2 {
            cx.step("last", async |_| {
                self.gate.pass().await;
                Ok::<_, Failure>(())
            })
            .await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_handler_that_ends_before_its_journal_does_is_a_mismatch() {
    let world = World::new();
    let gate = Gate::closed();
    let shorter = |steps| Shorter { gate: gate.clone(), steps };
    let process = world.boot(|registry| register(registry, shorter(3))).await;
    let id = process.start::<Shorter>(()).await;
    gate.reached().await;
    process.crash().await;

    let process = world.boot(|registry| register(registry, shorter(1))).await;

    assert_eq!(process.ended(id).await.problem.as_ref().unwrap().code, "internal-error");
}

/// Blocks its thread, outside any await.
struct Blocking(Arc<Mutex<std::sync::mpsc::Receiver<()>>>, Gate);

impl Action for Blocking {
    const NAME: &'static str = "blocking";
    type Input = ();
    type Output = ();
    type Status = String;

    async fn run(&self, _: &mut Context<String>, (): ()) -> Result<(), Failure> {
        let _ = self.1.reached.send(());
        let _ = self.0.lock().unwrap().recv();
        Ok(())
    }
}

#[tokio::test]
async fn a_handler_that_blocks_its_thread_does_not_hold_up_polls() {
    let world = World::new();
    let gate = Gate::closed();
    let (release, blocked) = std::sync::mpsc::channel();
    let blocking = Blocking(Arc::new(Mutex::new(blocked)), gate.clone());
    let process = world.boot(|registry| register(registry, blocking)).await;
    // More than the runtime of the handlers has threads.
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(process.start::<Blocking>(()).await);
    }
    gate.reached().await;

    let state = process.read(ids[0]).await.state;
    assert!(!state.is_terminal());

    for _ in 0..4 {
        release.send(()).unwrap();
    }
    for id in ids {
        assert_eq!(process.ended(id).await.state, State::Succeeded);
    }
}

/// One step that takes its time.
struct Slow {
    gate: Gate,
    effects: Effects,
}

impl Action for Slow {
    const NAME: &'static str = "slow";
    type Input = ();
    type Output = u32;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Slow")
    }

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<u32, Failure> {
        for number in 0..2_u32 {
            cx.step("slow", async |_| {
                self.effects.happen(format!("slow {number}"));
                self.gate.pass().await;
                Ok::<_, Failure>(())
            })
            .await?;
        }
        Ok(2)
    }
}

#[tokio::test]
async fn a_shutdown_lets_running_steps_end_and_starts_no_others() {
    let world = World::new();
    let gate = Gate::closed();
    let slow = || Slow { gate: gate.clone(), effects: world.effects.clone() };
    let process = world.boot(|registry| register(registry, slow())).await;
    let id = process.start::<Slow>(()).await;
    gate.reached().await;

    let (engine, store) = (process.engine.clone(), process.store.clone());
    let shutdown = tokio::spawn(async move { engine.shut_down(Duration::from_secs(20)).await });
    tokio::task::yield_now().await;
    gate.open();
    shutdown.await.unwrap();
    store.close().await.unwrap();
    drop((process, store));

    assert_eq!(world.effects.count("slow 1"), 0);
    let process = world.boot(|registry| register(registry, slow())).await;
    assert_eq!(process.output::<u32>(id).await, 2);
    assert_eq!((world.effects.count("slow 0"), world.effects.count("slow 1")), (1, 1));
}
