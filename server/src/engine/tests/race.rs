use super::*;
use crate::{Context, EventSettings, Failure, Settings};

/// An event against a sleep; then a step that depends on the winner.
struct Race {
    effects: Effects,
    gate: Gate,
}

impl Action for Race {
    const NAME: &'static str = "race";
    type Input = ();
    type Output = String;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Race").event(EventSettings::new::<String>("answer"))
    }

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<String, Failure> {
        let answer = cx.branch("answer", |mut cx: Context<String>| async move {
            Ok(cx.event::<String>("answer", None).await?.unwrap_or_default())
        });
        let patience = cx.branch("patience", |mut cx: Context<String>| async move {
            cx.sleep(Duration::from_secs(60)).await?;
            Ok("too late".to_owned())
        });
        let (_, winner) = cx.race(vec![answer, patience]).await?;
        cx.step("act", async |_| {
            self.effects.happen(winner.clone());
            self.gate.pass().await;
            Ok::<_, Failure>(())
        })
        .await?;
        Ok(winner)
    }
}

async fn send(process: &Process, id: OperationId, body: &str) {
    process.operations.send_event(id, "answer", Json::of(body).unwrap(), None).await.unwrap();
}

#[tokio::test]
async fn race_won_by_the_sleep_stays_won_when_the_event_comes_before_the_second_run() {
    let world = World::new();
    let gate = Gate::closed();
    let race = || Race { effects: world.effects.clone(), gate: gate.clone() };
    let process = world.boot(|registry| register(registry, race())).await;
    let id = process.start::<Race>(()).await;
    process
        .until_journal(id, |journal| journal.iter().any(|entry| matches!(entry, Entry::Timer { .. })))
        .await;
    process.advance(Duration::from_secs(60));
    gate.reached().await;

    send(&process, id, "here I am").await;
    process.crash().await;
    let process = world.boot(|registry| register(registry, race())).await;
    gate.open();

    assert_eq!(process.output::<String>(id).await, "too late");
    assert_eq!(world.effects.count("here I am"), 0);
}

#[tokio::test]
async fn race_won_by_the_event_stays_won_when_the_sleep_is_over_before_the_second_run() {
    let world = World::new();
    let gate = Gate::closed();
    let race = || Race { effects: world.effects.clone(), gate: gate.clone() };
    let process = world.boot(|registry| register(registry, race())).await;
    let id = process.start::<Race>(()).await;
    send(&process, id, "here I am").await;
    gate.reached().await;

    process.crash().await;
    world.clock.advance(Duration::from_secs(3600));
    let process = world.boot(|registry| register(registry, race())).await;
    gate.open();

    assert_eq!(process.output::<String>(id).await, "here I am");
    assert_eq!(world.effects.count("too late"), 0);
}

#[tokio::test]
async fn race_killed_before_it_is_decided_is_decided_by_what_the_journal_has() {
    let world = World::new();
    let gate = Gate::closed();
    gate.open();
    let race = || Race { effects: world.effects.clone(), gate: gate.clone() };
    let process = world.boot(|registry| register(registry, race())).await;
    let id = process.start::<Race>(()).await;
    process
        .until_journal(id, |journal| journal.iter().any(|entry| matches!(entry, Entry::Timer { .. })))
        .await;
    process.crash().await;

    // The sleep keeps its time: half of it passed while no process lived.
    world.clock.advance(Duration::from_secs(59));
    let process = world.boot(|registry| register(registry, race())).await;
    send(&process, id, "just in time").await;

    assert_eq!(process.output::<String>(id).await, "just in time");
}

/// Takes the answer if it is there, else goes on without.
struct Impatient {
    ready: Gate,
    gate: Gate,
}

impl Action for Impatient {
    const NAME: &'static str = "impatient";
    type Input = ();
    type Output = String;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Impatient").event(EventSettings::new::<String>("answer"))
    }

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<String, Failure> {
        cx.step("ready", async |_| {
            self.ready.pass().await;
            Ok::<_, Failure>(())
        })
        .await?;
        let answer = cx.branch("answer", |mut cx: Context<String>| async move {
            Ok(cx.event::<String>("answer", None).await?.unwrap_or_default())
        });
        let default = cx.branch("default", |_: Context<String>| async { Ok("none".to_owned()) });
        let (_, winner) = cx.race(vec![answer, default]).await?;
        cx.step("act", async |_| {
            self.gate.pass().await;
            Ok::<_, Failure>(())
        })
        .await?;
        Ok(winner)
    }
}

#[tokio::test]
async fn race_against_what_is_there_at_once_ends_the_same_way_in_the_second_run() {
    let world = World::new();
    let (ready, gate) = (Gate::closed(), Gate::closed());
    let impatient = || Impatient { ready: ready.clone(), gate: gate.clone() };
    let process = world.boot(|registry| register(registry, impatient())).await;
    let id = process.start::<Impatient>(()).await;
    ready.reached().await;
    send(&process, id, "here I am").await;
    // The store tells its listener of one write before it takes up the next.
    process.store.active().await.unwrap();
    ready.open();
    gate.reached().await;

    process.crash().await;
    let process = world.boot(|registry| register(registry, impatient())).await;
    gate.open();

    // What needs no command wins: it is done before anybody looks for events.
    assert_eq!(process.output::<String>(id).await, "none");
}
