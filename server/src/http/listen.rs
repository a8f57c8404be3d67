//! Connections: how many, how old, and how they end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::front::Front;
use super::location::Connection;
use super::patience::{Patience, Patient};
use super::settings::{HttpLimits, LONGEST_WAIT};

/// How long to wait after the system could not give a connection: it has no files left, and some must end first.
const OUT_OF_FILES: Duration = Duration::from_millis(50);

/// hyper's parser takes 100 header lines without a buffer of its own for each request.
const PLAIN_HEADERS: usize = 100;

/// Serves connections of `listener` until `shutdown`. Then it takes no more, lets those finish what they are
/// answering, and returns once they are gone, or after the drain time.
pub(crate) async fn serve(
    listener: TcpListener,
    front: Front,
    limits: &HttpLimits,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let (stop, stopping) = watch::channel(());
    // Dropping it ends every connection: none outlives this function.
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            next = next => next,
            () = &mut shutdown => break,
            Some(ended) = connections.join_next() => {
                report(ended);
                continue;
            }
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve_connection(stream, front.clone(), limits.clone(), stopping.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                sleep(OUT_OF_FILES).await;
            }
        }
    }
    drop(listener);
    drop(stopping);
    let _ = stop.send(());
    let drained = timeout(limits.drain_time, async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    });
    if drained.await.is_err() {
        warn!(connections = connections.len(), "connections were cut after the drain time");
    }
}

async fn serve_connection(
    stream: TcpStream,
    front: Front,
    limits: HttpLimits,
    mut stop: watch::Receiver<()>,
) {
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else {
        return; // It is gone already.
    };
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let patience = Patience { head: limits.header_time, idle: limits.idle_time };
    let connection = Arc::new(Connection::plain(local, peer));
    let stream = TokioIo::new(Patient::new(stream, patience, connection.busy.clone()));
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (front, connection) = (front.clone(), Arc::clone(&connection));
        connection.busy.begin();
        let has_body = !request.body().is_end_stream();
        async move {
            let answer = front.answer(request, Arc::clone(&connection)).await;
            // What has no length yet is still being answered; whoever writes it says when that ends.
            if answer.body().size_hint().exact().is_some() {
                let refused = answer.status().is_client_error() || answer.status().is_server_error();
                connection.busy.end(has_body && refused);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = pin!(builder(&limits).serve_connection(stream, service));
    let aged = pin!(sleep(limits.connection_age));
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => Some(ended),
        _ = stop.changed() => None,
        () = aged => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            // Long enough for any answer that is held, and for a reader that is slow; not for one that never ends.
            match timeout(LONGEST_WAIT + limits.idle_time, connection).await {
                Ok(ended) => ended,
                Err(_) => {
                    debug!("a connection was cut: it did not end");
                    return;
                }
            }
        }
    };
    if let Err(error) = ended {
        // A peer that went away, was too slow, or does not speak HTTP: its business, not an error of ours.
        debug!(%error, "a connection ended early");
    }
}

fn builder(limits: &HttpLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The stream under it has its own patience, and with no timer hyper sets none for each request.
    builder.header_read_timeout(None);
    // A head that is a little over our limits still gets a proper answer.
    builder.max_buf_size((limits.header_bytes + limits.uri).saturating_mul(2).max(64 << 10));
    if limits.headers > PLAIN_HEADERS {
        builder.max_headers(limits.headers);
    }
    builder
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        warn!(%error, "a connection's task ended by a panic");
    }
}
