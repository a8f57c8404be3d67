//! A receiver of deliveries: it keeps what it is sent, and answers by a script.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::PATIENCE;

/// What a receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reaction {
    /// Answers with that status and that header line, if there is one.
    Answers(u16, &'static str),
    /// Takes the request and says nothing, for as long as the sender stays.
    Hangs,
    /// Takes the request and breaks the connection off.
    Resets,
}

/// What a receiver was sent.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A receiver on loopback.
pub(crate) struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    script: Mutex<VecDeque<Reaction>>,
    otherwise: Mutex<Reaction>,
    received: watch::Sender<Vec<Received>>,
}

impl Receiver {
    /// One that does what the script says, and answers 200 after it.
    pub(crate) async fn with(script: impl IntoIterator<Item = Reaction>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State {
            script: Mutex::new(script.into_iter().collect()),
            otherwise: Mutex::new(Reaction::Answers(200, "")),
            received: watch::Sender::default(),
        });
        let task = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let state = Arc::clone(&state);
                    tokio::spawn(async move { drop(serve(stream, &state).await) });
                }
            }
        });
        Self { address, state, task }
    }

    /// One that answers 200.
    pub(crate) async fn start() -> Self {
        Self::with([]).await
    }

    /// From now on, it does this whenever its script is at its end.
    pub(crate) fn otherwise(&self, reaction: Reaction) {
        *self.state.otherwise.lock().expect("not poisoned") = reaction;
    }

    /// A URL of it, with a secret in its path and its query.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/tell-nobody-path?sig=tell-nobody-query", self.address)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// What it was sent so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.borrow().clone()
    }

    /// Waits until what it was sent is enough.
    pub(crate) async fn until(&self, enough: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        let mut changes = self.state.received.subscribe();
        let waiting = changes.wait_for(|received| enough(received));
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(received) => received.expect("the receiver lives").clone(),
            Err(_) => panic!("it was sent {:#?}", self.received()),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Received {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible ASCII"))
    }
}

async fn serve(stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let (mut headers, mut length) = (HeaderMap::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
        let name: reqwest::header::HeaderName = name.parse().expect("a header's name");
        headers.append(name, value.trim().parse().expect("a header's value"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let body = String::from_utf8(body).expect("UTF-8");
    let scripted = state.script.lock().expect("not poisoned").pop_front();
    let reaction = scripted.unwrap_or_else(|| state.otherwise.lock().expect("not poisoned").clone());
    state.received.send_modify(|all| all.push(Received { method, path, headers, body }));
    match reaction {
        Reaction::Answers(status, line) => {
            let line = if line.is_empty() { String::new() } else { format!("{line}\r\n") };
            let answer =
                format!("HTTP/1.1 {status} X\r\n{line}content-length: 0\r\nconnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).await
        }
        Reaction::Hangs => stream.read_to_end(&mut Vec::new()).await.map(drop),
        Reaction::Resets => stream.get_ref().set_zero_linger(),
    }
}
