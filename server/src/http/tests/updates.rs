use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use warp::reply::Response;

use super::super::location::Connection;
use super::super::patience::{Patience, Patient};
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A server whose streams are silent for as long as nothing changes, unless a test says otherwise.
async fn world(change: impl FnOnce(&mut HttpSettings)) -> World {
    let mut settings = HttpSettings { heartbeat: HOUR * 1000, ..HttpSettings::default() };
    settings.limits.connection_age = HOUR * 1000;
    change(&mut settings);
    World::with(settings, Limits::default()).await
}

/// The stream of the operation at `location`, opened with its link.
fn stream_of(location: &str) -> String {
    location.replace("?token=", "/events?token=")
}

async fn open(world: &World, url: &str, headers: &[(&str, &str)]) -> Response {
    world.public.answer(request(Method::GET, url, headers, ""), loopback()).await
}

/// The next thing that a stream says; `None` at its end.
async fn next(stream: &mut Response) -> Option<String> {
    let frame = tokio::time::timeout(Duration::from_secs(20), stream.body_mut().frame());
    let frame = frame.await.expect("it says something")?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
}

fn field<'a>(event: &'a str, name: &str) -> &'a str {
    let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("{name}: {event}"))
}

fn view(event: &str) -> Value {
    assert_eq!(field(event, "event"), "status");
    assert!(event.ends_with("\n\n"), "{event}");
    serde_json::from_str(field(event, "data")).unwrap()
}

/// Starts a countdown of two steps, an hour each, and waits until it sleeps. Its status URL.
async fn two_hours(world: &World) -> String {
    let answer = world.post("/v1/actions/countdown", &[], r#"{"seconds":7200,"steps":2}"#).await;
    let location = answer.header("location").to_owned();
    world.until(&location, |view| view["customStatus"] == "1 left").await;
    location
}

#[tokio::test]
async fn a_stream_shows_the_view_on_each_change_until_the_end() {
    let world = world(|_| {}).await;
    let location = two_hours(&world).await;

    let mut stream = open(&world, &stream_of(&location), &[]).await;

    assert_eq!(stream.status(), 200);
    for (name, value) in [
        ("content-type", "text/event-stream"),
        ("cache-control", "no-store"),
        ("x-accel-buffering", "no"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(stream.headers()[name], value);
    }
    let first = next(&mut stream).await.unwrap();
    assert!((1_000..3_000).contains(&field(&first, "retry").parse().unwrap()), "{first}");
    assert_eq!(view(&first), world.get(&location).await.json());
    world.clock.advance(HOUR);
    let second = next(&mut stream).await.unwrap();
    assert_eq!(view(&second)["customStatus"], "0 left");
    let monitor = world.get(&location.replace("?token", "/status?token")).await;
    assert_eq!(monitor.header("etag"), format!("W/\"{}\"", field(&second, "id")));
    world.clock.advance(HOUR);
    let last = next(&mut stream).await.unwrap();
    assert_eq!((&view(&last)["status"], &view(&last)["output"]["steps"]), (&"Succeeded".into(), &2.into()));
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn who_comes_back_with_the_current_view_gets_nothing_old() {
    let world = world(|_| {}).await;
    let location = two_hours(&world).await;
    let mut stream = open(&world, &stream_of(&location), &[]).await;
    let first = next(&mut stream).await.unwrap();
    drop(stream);

    let known = [("last-event-id", field(&first, "id"))];
    let mut stream = open(&world, &stream_of(&location), &known).await;
    let again = next(&mut stream).await.unwrap();

    assert!(again.starts_with("retry: ") && !again.contains("data"), "{again}");
    world.clock.advance(HOUR);
    assert_eq!(view(&next(&mut stream).await.unwrap())["customStatus"], "0 left");
    // What happened while nobody listened is in the first event.
    let mut stream = open(&world, &stream_of(&location), &known).await;
    assert_eq!(view(&next(&mut stream).await.unwrap())["customStatus"], "0 left");
}

#[tokio::test]
async fn an_operation_that_has_ended_is_told_once_and_then_204() {
    let world = world(|_| {}).await;
    for input in [r#"{"seconds":0,"steps":1}"#, r#"{"seconds":0,"steps":1,"fail":"gone-wrong"}"#] {
        let url = stream_of(&world.countdown(input).await);

        let told = world.get(&url).await;
        let over =
            world.send(request(Method::GET, &url, &[("last-event-id", field(&told.text, "id"))], "")).await;
        let other = world.send(request(Method::GET, &url, &[("last-event-id", "x")], "")).await;

        assert_eq!(told.status, 200);
        assert!(["Succeeded", "Failed"].contains(&view(&told.text)["status"].as_str().unwrap()));
        assert_eq!((over.status.as_u16(), &*over.text), (204, ""));
        assert_eq!(other.text, told.text);
    }
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_is_alive() {
    let world = world(|settings| settings.heartbeat = Duration::from_secs(15)).await;
    let location = world.approval().await;
    world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;
    let mut stream = open(&world, &stream_of(&location), &[]).await;
    next(&mut stream).await.unwrap();

    for _ in 0..2 {
        let silent = next(&mut stream);
        let pass = async { world.clock.advance(Duration::from_secs(15)) };
        assert_eq!(tokio::join!(silent, pass).0.unwrap(), ":\n\n");
    }
}

#[tokio::test]
async fn a_stream_is_for_whoever_may_see_the_status() {
    let world = world(|_| {}).await;
    let location = world.approval().await;
    let (url, token) = parts(&location);
    let other = world.key_with(&["start"], "other").await;
    let observer = world.key_with(&["observe"], "observer").await;
    let events = format!("{url}/events");

    for (target, headers, status) in [
        (events.clone(), vec![], 401),
        (format!("{events}?token={}", token.chars().rev().collect::<String>()), vec![], 401),
        (events.clone(), vec![("x-api-key", &*other)], 404),
        (events.replace("request-approval", "countdown"), vec![("x-api-key", &*world.key)], 404),
        (events.clone(), vec![("x-api-key", &*observer)], 200),
        (events.clone(), vec![("x-api-key", &*world.key)], 200),
    ] {
        let answer = open(&world, &target, &headers).await;
        assert_eq!(answer.status(), status, "{target} {headers:?}");
    }
    let links = world.post("/v1/actions/request-approval?links=cancel", &[], r#"{"subject":"x"}"#).await;
    let cancel = links.json()["links"]["cancel"].as_str().unwrap().replace('?', "/events?");
    assert_eq!(world.get(&cancel).await.status, 401);
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_it() {
    let world = world(|_| {}).await;
    let location = two_hours(&world).await;
    let observer = world.key_with(&["observe"], "observer").await;
    let url = format!("{}/events", parts(&location).0);
    let mut by_key = open(&world, &url, &[("x-api-key", &observer)]).await;
    let mut by_link = open(&world, &stream_of(&location), &[]).await;
    next(&mut by_key).await.unwrap();
    next(&mut by_link).await.unwrap();

    world.store.revoke_keys("observer", world.clock.now()).await.unwrap();
    world.clock.advance(HOUR);
    assert_eq!(next(&mut by_key).await, None);
    assert_eq!(view(&next(&mut by_link).await.unwrap())["customStatus"], "0 left");

    // Far beyond the last day of its link.
    world.clock.advance(HOUR * 24 * 365);
    assert_eq!(next(&mut by_link).await, None);
}

#[tokio::test]
async fn a_drain_says_good_bye_and_takes_no_more() {
    let world = world(|_| {}).await;
    let url = stream_of(&two_hours(&world).await);
    let mut stream = open(&world, &url, &[]).await;
    next(&mut stream).await.unwrap();

    world.app.operations.drain();

    assert!(next(&mut stream).await.unwrap().starts_with(": "));
    assert_eq!(next(&mut stream).await, None);
    let late = world.get(&url).await;
    assert_eq!((late.status.as_u16(), &*late.code()), (503, "draining"));
}

#[tokio::test]
async fn a_stream_is_no_older_than_a_connection_may_be() {
    let world = world(|settings| settings.limits.connection_age = Duration::from_secs(60)).await;
    let location = world.approval().await;
    world.until(&location, |view| view["customStatus"] == "Waiting for a decision").await;
    let mut stream = open(&world, &stream_of(&location), &[]).await;
    next(&mut stream).await.unwrap();

    let last = next(&mut stream);
    let pass = async { world.clock.advance(Duration::from_secs(60)) };

    assert!(tokio::join!(last, pass).0.unwrap().starts_with(": "));
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn over_the_limit_a_stream_is_refused_and_places_come_back() {
    let world = world(|settings| {
        settings.limits.streams = 2;
        settings.limits.streams_per_caller = 1;
    })
    .await;
    let observer = world.key_with(&["observe"], "observer").await;
    let location = two_hours(&world).await;
    let url = stream_of(&location);
    let by_key = format!("{}/events", parts(&location).0);
    let stream = open(&world, &url, &[]).await;

    let refused = world.get(&url).await;
    let other = open(&world, &by_key, &[("x-api-key", &observer)]).await;

    assert_eq!((refused.status.as_u16(), &*refused.code()), (429, "too-many-streams"));
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(other.status(), 200);
    drop(stream);
    assert_eq!(open(&world, &url, &[]).await.status(), 200);
}

#[tokio::test]
async fn a_head_opens_no_stream() {
    let world = world(|_| {}).await;
    let location = two_hours(&world).await;

    let answer = world.public.answer(request(Method::HEAD, &stream_of(&location), &[], ""), loopback()).await;
    let (parts, body) = answer.into_parts();
    drop(body);

    assert_eq!(
        (parts.status.as_u16(), &parts.headers["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    assert_eq!(world.app.streams.total_held(), 0);
}

/// A connection with room for `room` bytes between the two sides, served as `listen` does.
fn served(world: &World, patience: Patience, room: usize) -> DuplexStream {
    let (theirs, ours) = tokio::io::duplex(room);
    let connection = loopback();
    let ours = TokioIo::new(Patient::new(ours, patience, connection.busy.clone()));
    let (front, connection): (Front, Arc<Connection>) = (world.public.clone(), connection);
    let service = service_fn(move |request| {
        let (front, connection) = (front.clone(), Arc::clone(&connection));
        connection.busy.begin();
        async move { Ok::<_, std::convert::Infallible>(front.answer(request, connection).await) }
    });
    tokio::spawn(async move {
        let _ = http1::Builder::new().header_read_timeout(None).serve_connection(ours, service).await;
    });
    theirs
}

async fn ask(connection: &mut DuplexStream, url: &str) {
    let target = url.strip_prefix("http://127.0.0.1:8080").unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_reader_that_does_not_read_has_the_newest_view_waiting_and_no_other() {
    let world = world(|_| {}).await;
    let answer = world.post("/v1/actions/countdown", &[], r#"{"seconds":36000,"steps":10}"#).await;
    let location = answer.header("location").to_owned();
    world.until(&location, |view| view["customStatus"] == "9 left").await;
    let patience = Patience { head: HOUR, idle: HOUR };
    // The head of the answer fills it, so nothing of the first event leaves.
    let mut connection = served(&world, patience, 64);
    ask(&mut connection, &stream_of(&location)).await;
    let mut text = vec![0; 64];
    connection.read_exact(&mut text).await.unwrap();

    for left in (0..9).rev() {
        world.clock.advance(HOUR);
        world.until(&location, |view| view["customStatus"] == format!("{left} left")).await;
    }
    world.clock.advance(HOUR);
    world.until(&location, |view| view["status"] == "Succeeded").await;

    while !text.ends_with(b"\r\n0\r\n\r\n") {
        let mut more = [0; 64];
        let read = connection.read(&mut more).await.unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&more[..read]);
    }
    let text = String::from_utf8(text).unwrap();
    let statuses: Vec<_> = text.split("\ndata: ").skip(1).collect();
    assert_eq!(statuses.len(), 2, "{text}");
    assert!(statuses[0].contains("9 left") && statuses[1].contains("Succeeded"), "{text}");
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut() {
    let world = world(|_| {}).await;
    let location = two_hours(&world).await;
    let patience = Patience { head: HOUR, idle: Duration::from_millis(50) };
    let mut connection = served(&world, patience, 64);

    ask(&mut connection, &stream_of(&location)).await;

    let has = async |places: usize| {
        while world.app.streams.total_held() != places {
            tokio::task::yield_now().await;
        }
    };
    let cut = async {
        has(1).await;
        has(0).await;
    };
    tokio::time::timeout(Duration::from_secs(20), cut).await.expect("its place is free again");
}
