use rand_chacha::rand_core::Rng as _;

use super::*;
use crate::{Context, Failure, Settings};

/// Tells what time it was and what the dice showed, before and after a crash.
struct Dated {
    gate: Gate,
}

impl Action for Dated {
    const NAME: &'static str = "dated";
    type Input = ();
    type Output = Vec<String>;
    type Status = String;

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<Self::Output, Failure> {
        let seen = vec![cx.now().await?.to_string(), cx.random().next_u64().to_string()];
        let noted = cx
            .step("note", async |_| {
                let noted = seen.clone();
                self.gate.pass().await;
                Ok::<_, Failure>(noted)
            })
            .await?;
        Ok([seen, noted].concat())
    }
}

#[tokio::test]
async fn time_and_dice_are_the_same_in_every_run() {
    let world = World::new();
    let gate = Gate::closed();
    let process = world.boot(|registry| register(registry, Dated { gate: gate.clone() })).await;
    let id = process.start::<Dated>(()).await;
    gate.reached().await;
    process.crash().await;

    world.clock.advance(Duration::from_secs(77));
    let process = world.boot(|registry| register(registry, Dated { gate: gate.clone() })).await;
    gate.open();

    let output = process.output::<Vec<String>>(id).await;
    assert_eq!(output[0], "2026-11-24T08:00:00Z");
    assert_eq!(output[..2], output[2..]);
}

/// Sleeps for a day; publishes on the way.
struct Sleeper;

impl Action for Sleeper {
    const NAME: &'static str = "sleeper";
    type Input = ();
    type Output = String;
    type Status = String;

    fn settings(&self) -> Settings {
        Settings::new("Sleep").deadline(Duration::from_secs(3 * 24 * 3600))
    }

    async fn run(&self, cx: &mut Context<String>, (): ()) -> Result<String, Failure> {
        cx.custom_status("evening".to_owned());
        cx.sleep(Duration::from_secs(24 * 3600)).await?;
        cx.custom_status("morning".to_owned());
        cx.sleep(Duration::from_secs(7 * 24 * 3600)).await?;
        Ok("rested".to_owned())
    }
}

fn shows(text: &str) -> impl Fn(&Operation) -> bool {
    let text = format!("\"{text}\"");
    move |operation| operation.custom_status.as_ref().is_some_and(|status| status.get() == text)
}

#[tokio::test]
async fn a_sleep_goes_on_while_no_process_lives_and_the_status_stays_as_it_was() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Sleeper)).await;
    let id = process.start::<Sleeper>(()).await;
    process.until(id, shows("evening")).await;
    process.crash().await;

    let process = world.boot(|registry| register(registry, Sleeper)).await;
    assert!(shows("evening")(&*process.read(id).await));
    world.clock.advance(Duration::from_secs(24 * 3600));

    process.until(id, shows("morning")).await;
}

#[tokio::test]
async fn a_status_is_shown_within_a_second_and_sooner_while_somebody_waits() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Sleeper)).await;
    let id = process.start::<Sleeper>(()).await;
    process.until(id, shows("evening")).await;

    assert_eq!(process.read(id).await.state, State::Running);
}

#[tokio::test]
async fn a_deadline_ends_an_operation_while_it_waits() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Sleeper)).await;
    let id = process.start::<Sleeper>(()).await;
    process.until(id, shows("evening")).await;

    process.advance(Duration::from_secs(3 * 24 * 3600));

    let ended = process.ended(id).await;
    assert_eq!(
        (ended.state, ended.problem.as_ref().unwrap().code.as_str()),
        (State::Failed, "deadline-exceeded")
    );
    process.engine.inner.count.subscribe().wait_for(|count| *count == 0).await.unwrap();
}

#[tokio::test]
async fn a_deadline_that_passed_while_no_process_lived_has_ended_it_before_anything_is_served() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Sleeper)).await;
    let id = process.start::<Sleeper>(()).await;
    process.crash().await;

    world.clock.advance(Duration::from_secs(3 * 24 * 3600));
    let process = world.boot(|registry| register(registry, Sleeper)).await;

    assert_eq!(process.read(id).await.state, State::Failed);
}

#[tokio::test]
async fn an_operation_of_an_unknown_action_waits_and_ends_by_its_deadline() {
    let world = World::new();
    let process = world.boot(|registry| register(registry, Sleeper)).await;
    let id = process.start::<Sleeper>(()).await;
    process.crash().await;

    let process = world.boot(|_| ()).await;
    assert_eq!(process.read(id).await.state, State::Running);
    assert_eq!(process.operations.of_unknown_actions().await.unwrap(), [("sleeper".into(), 1)]);
    process.advance(Duration::from_secs(3 * 24 * 3600));

    assert_eq!(process.ended(id).await.problem.as_ref().unwrap().code, "deadline-exceeded");
}
