//! The thread that starts processes.
//!
//! The kernel kills a command when the *thread* that started it ends, not the process. Threads of a runtime may come and
//! go; this one stays.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Order {
    command: Command,
    runtime: Handle,
    done: oneshot::Sender<io::Result<Child>>,
}

/// Starts a process; its streams belong to the current runtime.
pub(super) async fn spawn(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<io::Result<mpsc::Sender<Order>>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (send, receive) = mpsc::channel();
        std::thread::Builder::new().name("raincheck-commands".to_owned()).spawn(move || work(&receive))?;
        Ok(send)
    });
    let (done, started) = oneshot::channel();
    let order = Order { command, runtime: Handle::current(), done };
    match orders {
        Ok(orders) => orders.send(order).map_err(io::Error::other)?,
        Err(error) => return Err(io::Error::new(error.kind(), "no thread to start processes")),
    }
    started.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn work(orders: &mpsc::Receiver<Order>) {
    while let Ok(Order { mut command, runtime, done }) = orders.recv() {
        let _runtime = runtime.enter();
        // If whoever asked is gone, the process is killed as it is dropped.
        let _ = done.send(command.spawn());
    }
}
