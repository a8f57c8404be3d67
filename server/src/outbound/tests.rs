//! The client against real sockets, with names that lead where a test wants them to.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Names that lead somewhere else with every question; without any answer left, nowhere.
#[derive(Default)]
struct Stub(Mutex<VecDeque<Vec<IpAddr>>>);

impl Stub {
    fn answering(answers: &[&[&str]]) -> Arc<Self> {
        let addresses =
            |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        Arc::new(Self(Mutex::new(answers.iter().map(addresses).collect())))
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Names for Stub {
    fn addresses(&self, _name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let next = self.0.lock().unwrap().pop_front();
        async move { next.ok_or_else(|| io::Error::other("no such name")) }.boxed()
    }
}

fn config(allow: &[&str]) -> OutboundConfig {
    let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
    OutboundConfig { allow, allow_plain_http: true, ..OutboundConfig::default() }
}

async fn ask(outbound: &Outbound, url: &str) -> Result<Answer, SendError> {
    outbound.send(Call::get(outbound.target(url)?)).await
}

/// Answers one connection with these bytes, then closes it if `ends`, else holds it open.
async fn serve(bytes: Vec<u8>, ends: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert_ne!(stream.read(&mut request).await.unwrap(), 0);
        stream.write_all(&bytes).await.unwrap();
        if !ends {
            // Until the other side has had enough.
            while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
        }
    });
    address
}

fn of_loopback(config: OutboundConfig) -> Outbound {
    Outbound::new(config).unwrap()
}

#[tokio::test]
async fn a_name_that_leads_to_no_public_address_is_refused() {
    for (address, special) in [
        ("127.0.0.1", Special::Loopback),
        ("::1", Special::Loopback),
        ("10.0.0.1", Special::Private),
        ("fd00::1", Special::Private),
        ("169.254.169.254", Special::LinkLocal),
        ("100.64.0.1", Special::Shared),
        ("224.0.0.1", Special::Multicast),
        ("0.0.0.0", Special::Unspecified),
        ("203.0.113.1", Special::Documentation),
        ("::ffff:10.0.0.1", Special::Translated),
        ("64:ff9b::a00:1", Special::Translated),
        ("168.63.129.16", Special::Platform),
        ("255.255.255.255", Special::Reserved),
    ] {
        let names = Stub::answering(&[&[address]]);
        let outbound = Outbound::with_names(OutboundConfig::default(), names).unwrap();

        let refused = ask(&outbound, "https://innocent.example/").await.unwrap_err();

        let name = Some("innocent.example".to_owned());
        let expected = Refused::Address { name, address: address.parse().unwrap(), special };
        assert!(matches!(&refused, SendError::Refused(refused) if *refused == expected), "{refused:?}");
        assert!(refused.is_unsent());
    }
}

#[tokio::test]
async fn what_is_connected_to_is_what_was_checked() {
    let good = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = good.local_addr().unwrap().port();
    let bad = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let names = Stub::answering(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let outbound = Outbound::with_names(config(&["127.0.0.2"]), Arc::clone(&names) as _).unwrap();
    let url = format!("https://turncoat.example:{port}/");

    // No TLS there, so this fails; where it arrives is what counts.
    let (accepted, failed) = tokio::join!(async { good.accept().await.map(drop) }, ask(&outbound, &url));
    assert!(accepted.is_ok());
    assert!(matches!(failed, Err(SendError::Connect { .. })), "{failed:?}");
    assert_eq!(names.left(), 1, "one question for one connection");
    let refused = ask(&outbound, &url).await;

    assert!(matches!(refused, Err(SendError::Refused(Refused::Address { .. }))), "{refused:?}");
    assert!(bad.accept().now_or_never().is_none());
}

#[tokio::test]
async fn of_several_addresses_the_good_ones_are_connected_to() {
    let good = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = good.local_addr().unwrap().port();
    let bad = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let names = Stub::answering(&[&["127.0.0.1", "127.0.0.2"]]);
    let outbound = Outbound::with_names(config(&["127.0.0.2"]), names).unwrap();

    let url = format!("https://both.example:{port}/");
    let (accepted, _) = tokio::join!(async { good.accept().await.map(drop) }, ask(&outbound, &url));

    assert!(accepted.is_ok());
    assert!(bad.accept().now_or_never().is_none());
}

#[tokio::test]
async fn a_host_that_an_operator_has_named_may_be_anywhere() {
    let address = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec(), true).await;
    let names = Stub::answering(&[&["127.0.0.1"]]);
    let outbound = Outbound::with_names(config(&["internal.example"]), names).unwrap();

    let answer = ask(&outbound, &format!("http://internal.example:{}/", address.port())).await.unwrap();

    assert_eq!(answer.read().await.unwrap(), "ok");
}

#[tokio::test]
async fn the_system_knows_names_and_they_are_checked() {
    let outbound = Outbound::new(OutboundConfig::default()).unwrap();

    let refused = ask(&outbound, "https://localhost:9/").await.unwrap_err();

    assert!(refused.to_string().contains("localhost leads to "), "{refused}");
    assert!(refused.to_string().contains("is a loopback address"), "{refused}");
    assert!(refused.to_string().contains("add \"localhost\" to `outbound.allow`"), "{refused}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = elsewhere.local_addr().unwrap();
    let head = format!("HTTP/1.1 307 X\r\nlocation: http://{location}/\r\ncontent-length: 0\r\n\r\n");
    let address = serve(head.into_bytes(), true).await;
    let outbound = of_loopback(config(&["127.0.0.0/8"]));

    let answer = ask(&outbound, &format!("http://{address}/")).await.unwrap();

    assert_eq!(answer.status(), 307);
    assert!(elsewhere.accept().now_or_never().is_none());
}

#[tokio::test]
async fn no_more_of_an_answer_is_read_than_is_allowed() {
    let outbound = of_loopback(OutboundConfig { answer: 1024, ..config(&["127.0.0.0/8"]) });
    let body = |bytes: usize| {
        [format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n").into_bytes(), vec![b'x'; bytes]]
            .concat()
    };
    let chunked =
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n401\r\n".to_vec(), vec![b'x'; 1025]].concat();

    let fits = ask(&outbound, &format!("http://{}/", serve(body(1024), true).await)).await.unwrap();
    let too_large = ask(&outbound, &format!("http://{}/", serve(body(1025), false).await)).await.unwrap();
    let endless = ask(&outbound, &format!("http://{}/", serve(chunked, false).await)).await.unwrap();

    assert_eq!(fits.read().await.unwrap().len(), 1024);
    assert!(matches!(too_large.read().await, Err(SendError::TooLarge { limit: 1024, .. })));
    assert!(matches!(endless.read().await, Err(SendError::TooLarge { limit: 1024, .. })));
}

#[tokio::test]
async fn an_answer_that_does_not_come_or_does_not_end_is_given_up() {
    let total_time = Duration::from_secs(1);
    let outbound = of_loopback(OutboundConfig { total_time, ..config(&["127.0.0.0/8"]) });
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec();

    let silent = ask(&outbound, &format!("http://{}/", serve(Vec::new(), false).await)).await;
    let slow = ask(&outbound, &format!("http://{}/", serve(half.clone(), false).await)).await.unwrap();
    // On a busy machine, the connection may break off later than that.
    let patient = of_loopback(config(&["127.0.0.0/8"]));
    let broken = ask(&patient, &format!("http://{}/", serve(half, true).await)).await.unwrap();

    assert!(matches!(&silent, Err(error @ SendError::TimedOut { .. }) if !error.is_unsent()), "{silent:?}");
    assert!(matches!(slow.read().await, Err(SendError::TimedOut { .. })));
    assert!(matches!(broken.read().await, Err(SendError::Broken { .. })));
}

#[tokio::test]
async fn no_error_shows_more_of_a_url_than_its_host() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let broken = serve(b"no HTTP at all\r\n\r\n".to_vec(), true).await;
    let outbound = Outbound::with_names(config(&["127.0.0.0/8"]), Stub::answering(&[])).unwrap();

    for origin in [format!("http://{closed}"), format!("http://{broken}"), "https://no.example".to_owned()] {
        let target = outbound.target(&format!("{origin}/tell-nobody?sig=tell-nobody")).unwrap();
        let call = Call::post(target, "body");
        assert!(!format!("{call:?}").contains("tell-nobody"));

        let error = outbound.send(call).await.unwrap_err();

        let mut shown = format!("{error:?} {error}");
        let mut next = error.source();
        while let Some(error) = next {
            shown += &error.to_string();
            next = error.source();
        }
        assert!(!shown.contains("tell-nobody"), "{shown}");
    }
}
