//! A server that counts: how many requests are with it at once, on a runtime of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// What is answered to a request, whose head it gets.
type Answering = Box<dyn Fn(String) -> BoxFuture<'static, String> + Send + Sync>;

pub(crate) struct Crowd {
    pub(crate) url: String,
    pub(crate) counts: Arc<Counts>,
    // Its own, so that the tasks of the test's runtime are those of the client.
    runtime: Option<Runtime>,
}

#[derive(Default)]
pub(crate) struct Counts {
    now: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

impl Counts {
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    pub(crate) fn all(&self) -> usize {
        self.all.load(Ordering::SeqCst)
    }
}

impl Crowd {
    pub(crate) fn start(
        answer: impl Fn(String) -> BoxFuture<'static, String> + Send + Sync + 'static,
    ) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let counts = Arc::new(Counts::default());
        let (counting, answer): (_, Arc<Answering>) = (Arc::clone(&counts), Arc::new(Box::new(answer)));
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&counting), Arc::clone(&answer)));
            }
        });
        Self { url, counts, runtime: Some(runtime) }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One connection, with a request after the other. No request has a body.
async fn serve(mut stream: TcpStream, counts: Arc<Counts>, answer: Arc<Answering>) {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let Ok(length @ 1..) = stream.read(&mut chunk).await else { return };
        read.extend_from_slice(&chunk[..length]);
        if !read.ends_with(b"\r\n\r\n") {
            continue;
        }
        let head = String::from_utf8(std::mem::take(&mut read)).unwrap();
        counts.all.fetch_add(1, Ordering::SeqCst);
        let now = counts.now.fetch_add(1, Ordering::SeqCst) + 1;
        counts.most.fetch_max(now, Ordering::SeqCst);
        let text = answer(head).await;
        counts.now.fetch_sub(1, Ordering::SeqCst);
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// An answer that keeps the connection.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}
