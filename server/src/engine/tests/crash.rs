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

/// Does something, then waits to be told to go.
struct Ready(Effects);

impl Action for Ready {
    const NAME: &'static str = "ready";
    type Input = ();
    type Output = ();
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Ready").event(crate::EventSettings::new::<()>("go"))
    }

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<(), Failure> {
        cx.step("prepare", async |_| {
            self.0.happen("prepare");
            Ok::<_, Failure>(())
        })
        .await?;
        cx.event::<()>("go", None).await?;
        Ok(())
    }
}

#[tokio::test]
async fn a_run_that_follows_a_failed_read_knows_what_was_being_written() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Ready(world.effects.clone()))).await;
    let append = process.halting.halt(Place::BeforeAppend);
    let id = process.start::<Ready>(()).await;
    append.reached().await;
    process.halting.fail(Place::BeforeHistory);
    process.operations.send_event(id, "go", Json::of(&()).unwrap(), None).await.unwrap();

    // Long enough for a run that would not wait.
    for _ in 0..1_000 {
        process.advance(Duration::from_millis(200));
        tokio::task::yield_now().await;
    }
    append.open();
    let ends = async {
        while !process.read(id).await.state.is_terminal() {
            process.advance(Duration::from_millis(200));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ends).await.unwrap();

    let journal = process.journal(id).await;
    assert_eq!(journal.iter().filter(|entry| matches!(entry, Entry::Step { .. })).count(), 1, "{journal:#?}");
    assert_eq!(world.effects.count("prepare"), 1);
}

#[tokio::test]
async fn what_is_accepted_while_the_process_goes_down_starts_no_step() {
    let world = World::new();
    let gate = Gate::closed();
    let slow = || Slow { gate: gate.clone(), effects: world.effects.clone() };
    let process = world.boot(|registry| register(registry, slow())).await;
    let first = process.start::<Slow>(()).await;
    gate.reached().await;
    let accept = process.halting.halt(Place::BeforeAccept);
    let operations = Arc::clone(&process.operations);
    let late = tokio::spawn(async move {
        let action = operations.registry().find(Slow::NAME).unwrap().clone();
        let (caller, input) = ("tester".into(), Json::of(&()).unwrap());
        let start =
            Start { caller, input, idempotency: None, tracking_id: None, traceparent: None, callback: None };
        operations.start(&action, start).await
    });
    accept.reached().await;

    let engine = process.engine.clone();
    let shutdown = tokio::spawn(async move { engine.shut_down(Duration::from_secs(20)).await });
    let run = process.engine.inner.runs().get(&first).and_then(|running| running.run.clone()).unwrap();
    while !run.core().draining {
        tokio::task::yield_now().await;
    }
    accept.open();
    let Ok(Ok(Started::New(late))) = late.await else { panic!("it was accepted") };
    gate.open();
    shutdown.await.unwrap();

    assert_eq!(world.effects.count("slow 0"), 1);
    process.store.close().await.unwrap();
    drop((process, run));
    let process = world.boot(|registry| register(registry, slow())).await;
    assert_eq!(process.output::<u32>(late.id).await, 2);
}
