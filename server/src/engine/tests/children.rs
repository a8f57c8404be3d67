use super::*;
use crate::{Context, Failure};

struct Parent;
struct Child(Effects);

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

async fn child_of(process: &Process, id: OperationId) -> OperationId {
    let child = |entry: &Entry| match entry {
        Entry::Child { operation, .. } => Some(*operation),
        _ => None,
    };
    process.until_journal(id, |journal| journal.iter().any(|entry| child(entry).is_some())).await;
    process.journal(id).await.iter().find_map(child).unwrap()
}

async fn sleeping(process: &Process, id: OperationId) {
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
