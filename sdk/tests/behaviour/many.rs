//! Many operations at once: limits on the way, fairness, and what is left of the ones that are dropped.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{FutureExt, join_all, pending};
use raincheck::{Client, Operation};
use tokio::runtime::Handle;
use tokio::sync::{Barrier, Notify};

use crate::crowd::{Crowd, reply};
use crate::support::*;

fn attached(client: &Client, crowd: &Crowd, path: &str) -> Operation<u32> {
    client.attach_url(&format!("{}{path}", crowd.url)).unwrap()
}

#[tokio::test]
async fn no_more_requests_are_in_flight_than_the_limit_and_not_fewer_either() {
    let full = Arc::new(Barrier::new(4));
    // Answers only when four are there.
    let crowd = Crowd::start(move |_| {
        let full = Arc::clone(&full);
        async move {
            full.wait().await;
            reply(200, "", "7")
        }
        .boxed()
    });
    let client = builder(crowd.url.clone()).max_in_flight(4).build().unwrap();

    let outputs = join_all((0..40).map(|_| attached(&client, &crowd, "/op").into_future())).await;

    assert!(outputs.iter().all(|output| *output.as_ref().unwrap() == 7));
    assert_eq!((crowd.counts.most(), crowd.counts.all()), (4, 40));
}

#[tokio::test]
async fn two_thousand_operations_are_followed_at_once() {
    let crowd = Crowd::start(|head| {
        let again = head.contains("?again");
        let running = "location: ?again\r\nretry-after: 0\r\n";
        let text = if again { reply(200, "", "7") } else { reply(202, running, "") };
        async { text }.boxed()
    });
    let client = builder(crowd.url.clone()).build().unwrap();

    let operations = (0..2_000).map(|n| attached(&client, &crowd, &format!("/op/{n}")).into_future());
    let outputs = join_all(operations).await;

    assert!(outputs.iter().all(|output| *output.as_ref().unwrap() == 7));
    assert_eq!(crowd.counts.all(), 4_000);
    assert!(crowd.counts.most() <= 64);
}

#[tokio::test]
async fn a_future_that_is_dropped_in_the_middle_of_a_request_frees_its_place() {
    let arrived = Arc::new(Notify::new());
    let notify = Arc::clone(&arrived);
    let crowd = Crowd::start(move |head| {
        if head.starts_with("GET /quick") {
            return async { reply(200, "", "7") }.boxed();
        }
        notify.notify_one();
        pending().boxed()
    });
    let client = builder(crowd.url.clone()).max_in_flight(1).build().unwrap();

    for _ in 0..3 {
        let mut stuck = attached(&client, &crowd, "/stuck");
        tokio::select! {
            _ = stuck.poll() => panic!("nobody answers"),
            () = arrived.notified() => {}
        }
    }

    assert_eq!(attached(&client, &crowd, "/quick").await.unwrap(), 7);
}

#[tokio::test]
async fn dropped_futures_leave_no_task_behind() {
    let crowd = Crowd::start(|_| pending().boxed());
    let before = Handle::current().metrics().num_alive_tasks();
    let client = builder(crowd.url.clone()).build().unwrap();

    let mut waiting = join_all((0..32).map(|_| attached(&client, &crowd, "/op").into_future()));
    while crowd.counts.all() < 32 {
        assert!((&mut waiting).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop((waiting, client));

    // The connections notice that nobody waits for them any more, and end.
    let ended = async {
        while Handle::current().metrics().num_alive_tasks() > before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("tasks are left");
}

/// A server that never answers a poll which it may hold, and the others at once: `/quick` with a result.
fn holding(held: &Arc<AtomicUsize>) -> Crowd {
    let held = Arc::clone(held);
    Crowd::start(move |head| {
        if head.starts_with("GET /quick") {
            return async { reply(200, "", "7") }.boxed();
        }
        if head.contains("prefer: wait") {
            held.fetch_add(1, Ordering::SeqCst);
            return pending().boxed();
        }
        async { reply(202, "preference-applied: wait=0\r\nretry-after: 1\r\n", "") }.boxed()
    })
}

#[tokio::test]
async fn held_polls_take_no_more_than_half_of_the_places() {
    for (places, at_most) in [(1, 0), (2, 1), (5, 2), (8, 4)] {
        let held = Arc::default();
        let crowd = holding(&held);
        let client = builder(crowd.url.clone()).max_in_flight(places).build().unwrap();
        let mut slow = join_all((0..20).map(|_| attached(&client, &crowd, "/slow").into_future()));
        // The held ones stay, and the others have been answered once.
        while crowd.counts.all() < 20 {
            assert!((&mut slow).now_or_never().is_none());
            tokio::task::yield_now().await;
        }

        let quick = attached(&client, &crowd, "/quick").into_future();

        tokio::select! {
            _ = slow => panic!("those never end"),
            output = quick => assert_eq!(output.unwrap(), 7),
        }
        assert_eq!(held.load(Ordering::SeqCst), at_most, "of {places}");
    }
}

#[tokio::test]
async fn a_start_that_waits_to_be_repeated_keeps_nobody_waiting() {
    let arrived = Arc::new(Notify::new());
    let notify = Arc::clone(&arrived);
    let crowd = Crowd::start(move |head| {
        if head.starts_with("GET /quick") {
            return async { reply(200, "", "7") }.boxed();
        }
        notify.notify_one();
        async { reply(503, "retry-after: 600\r\n", "") }.boxed()
    });
    let client = builder(crowd.url.clone()).max_in_flight(1).build().unwrap();
    let busy = reqwest::Client::new().put(format!("{}/start", crowd.url));
    let mut start = client.operation::<u32>(busy).into_future();
    tokio::select! {
        _ = &mut start => panic!("it has five minutes to wait"),
        () = arrived.notified() => {}
    }

    let quick = attached(&client, &crowd, "/quick").into_future();

    tokio::select! {
        _ = start => panic!("it has ten minutes to wait"),
        output = quick => assert_eq!(output.unwrap(), 7),
    }
}
