//! A connection that costs little, so that the load does not starve the server: HTTP/1.1 on a socket.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A kept-alive connection.
pub(crate) struct Client {
    stream: TcpStream,
    key: String,
    buffer: Vec<u8>,
}

/// What a measurement needs of an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) body: String,
}

impl Client {
    pub(crate) async fn connect(address: &str, key: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, key: key.to_owned(), buffer: Vec::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        self.exchange(&request).await
    }

    pub(crate) async fn admin(&mut self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n", self.key);
        self.exchange(&request).await
    }

    /// Sends an event, as an operator.
    pub(crate) async fn send(&mut self, path: &str, body: &str) {
        let (key, length) = (&self.key, body.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let answer = self.exchange(&request).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
    }

    pub(crate) async fn start(&mut self, action: &str, input: &str) -> Answer {
        self.post(action, input, "").await
    }

    pub(crate) async fn start_with(&mut self, action: &str, input: &str, idempotency_key: &str) -> Answer {
        self.post(action, input, &format!("idempotency-key: {idempotency_key}\r\n")).await
    }

    /// Starts an operation and is held until it ends.
    pub(crate) async fn start_held(&mut self, action: &str, input: &str) -> Answer {
        let request = self.start_request(action, input, "prefer: wait=20\r\n");
        self.exchange(&request).await
    }

    async fn post(&mut self, action: &str, input: &str, more: &str) -> Answer {
        let request = self.start_request(action, input, more);
        let answer = self.exchange(&request).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer
    }

    fn start_request(&self, action: &str, input: &str, more: &str) -> String {
        let (key, length) = (&self.key, input.len());
        format!(
            "POST /v1/actions/{action} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n{input}"
        )
    }

    async fn exchange(&mut self, request: &str) -> Answer {
        self.stream.write_all(request.as_bytes()).await.expect("the server reads");
        self.buffer.clear();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            self.read().await;
        };
        let text = String::from_utf8_lossy(&self.buffer[..head]).into_owned();
        let header = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.split_once(": ").map(|(_, value)| value.to_owned())
        };
        let length: usize = header("content-length").map_or(0, |length| length.parse().expect("a length"));
        while self.buffer.len() < head + 4 + length {
            self.read().await;
        }
        Answer {
            status: text[9..12].parse().expect("a status"),
            location: header("location").unwrap_or_default(),
            body: String::from_utf8_lossy(&self.buffer[head + 4..]).into_owned(),
        }
    }

    async fn read(&mut self) {
        let read = self.stream.read_buf(&mut self.buffer).await.expect("the server answers");
        assert_ne!(read, 0, "the server closed the connection");
    }
}
