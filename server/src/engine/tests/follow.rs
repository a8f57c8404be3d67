use super::limits::{Limited, limited};
use super::*;

async fn follow(process: &Process, action: impl Action) -> usize {
    let mut registry = Registry::default();
    register(&mut registry, action);
    process.engine.follow(registry).await.unwrap()
}

async fn running(world: &World, number: u32) {
    while world.effects.count("running") < number {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_limit_that_is_raised_or_gone_lets_those_who_queue_go_on() {
    for limit in [Some(3), None] {
        let world = World::new();
        let gate = Gate::closed();
        let process = world.boot(|registry| register(registry, limited(&world, &gate, Some(1)))).await;
        let mut ids = Vec::new();
        for number in 0..3 {
            ids.push(process.start::<Limited>(number).await);
        }
        running(&world, 1).await;

        follow(&process, limited(&world, &gate, limit)).await;
        running(&world, 3).await;

        gate.open();
        for (number, id) in (0..).zip(ids) {
            assert_eq!(process.output::<u32>(id).await, number);
        }
    }
}

#[tokio::test]
async fn a_limit_that_is_lowered_holds_for_those_who_come_after() {
    let world = World::new();
    let (first, then) = (Gate::closed(), Gate::closed());
    let process = world.boot(|registry| register(registry, limited(&world, &first, Some(3)))).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(process.start::<Limited>(number).await);
    }
    running(&world, 3).await;

    follow(&process, limited(&world, &then, Some(1))).await;
    for number in 3..6 {
        ids.push(process.start::<Limited>(number).await);
    }
    first.open();
    for (number, id) in (0..3).zip(&ids) {
        assert_eq!(process.output::<u32>(*id).await, number, "nobody is dropped");
    }
    running(&world, 4).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.effects.count("running"), 4);

    then.open();
    for (number, id) in (3..).zip(&ids[3..]) {
        assert_eq!(process.output::<u32>(*id).await, number);
    }
}

#[tokio::test]
async fn what_waited_for_an_action_is_taken_up_when_there_is_one() {
    let world = World::new();
    let gate = Gate::closed();
    let process = world.boot(|registry| register(registry, limited(&world, &gate, None))).await;
    let id = process.start::<Limited>(7).await;
    running(&world, 1).await;
    process.crash().await;
    let process = world.boot(|_| {}).await;
    assert_eq!(process.read(id).await.state, State::Running, "it waits");

    gate.open();
    assert_eq!(follow(&process, limited(&world, &gate, None)).await, 1);

    assert_eq!(process.output::<u32>(id).await, 7);
}
