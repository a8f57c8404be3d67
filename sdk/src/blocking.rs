//! The same client for programs without an async runtime (feature `blocking`).
//!
//! ```no_run
//! # fn run() -> Result<(), raincheck::Error> {
//! use raincheck::blocking;
//!
//! let client = raincheck::Client::builder("https://talks.example").api_key("rck_…").build()?;
//! let client = blocking::Client::new(client)?;
//!
//! let mut operation: blocking::Operation<String> = client.start("countdown", &[3])?;
//! for view in operation.updates() {
//!     println!("{}", view?.status);
//! }
//! println!("{}", operation.wait()?);
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//! Beside those of the async client, every call gives [`Error::is_usage`] inside of an async runtime, which
//! it would block.

use std::collections::BTreeMap;
use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use raincheck_openapi::{Status, StatusView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::{Error, Finished, ResumeToken, TriggerState, Triggered, View};

/// A client whose calls block the thread that makes them. Cheap to clone, and may be used by many threads.
#[derive(Clone)]
pub struct Client {
    client: crate::Client,
    thread: Arc<Thread>,
}

/// The thread that serves connections and timers, while callers wait or do other things.
struct Thread(Option<Runtime>);

impl Client {
    /// Makes a blocking client of an async one.
    ///
    /// # Errors
    /// [`Error::is_usage`] if the system gives no thread.
    pub fn new(client: crate::Client) -> Result<Self, Error> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("raincheck").enable_all().build();
        let runtime = runtime.map_err(|cause| Error::usage("no thread can be started").because(cause))?;
        Ok(Self { client, thread: Arc::new(Thread(Some(runtime))) })
    }

    /// Starts an action with an input, and waits until the server has accepted it.
    ///
    /// # Errors
    /// Those of [`Start`](crate::Start), and [the module's](self).
    pub fn start<T: Send + 'static>(
        &self,
        action: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<Operation<T>, Error> {
        self.begin(self.client.start(action, input))
    }

    /// Sends a [`Start`](crate::Start) or an [`OperationRequest`](crate::OperationRequest) with all its
    /// options, and waits until the server has accepted it.
    ///
    /// ```no_run
    /// # fn run(client: raincheck::Client) -> Result<(), raincheck::Error> {
    /// let start = client.start::<String>("request-approval", &()).links(["event:decision"]);
    /// let operation = raincheck::blocking::Client::new(client)?.begin(start)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of what is sent, and [the module's](self).
    pub fn begin<T>(
        &self,
        start: impl IntoFuture<Output = Result<crate::Operation<T>, Error>>,
    ) -> Result<Operation<T>, Error> {
        let operation = self.thread.wait(start.into_future())??;
        Ok(Operation { operation, thread: self.thread.clone() })
    }

    /// Follows an operation again that was started before, perhaps by another process. Nothing is sent yet.
    pub fn attach<T>(&self, token: ResumeToken) -> Operation<T> {
        Operation { operation: self.client.attach(token), thread: self.thread.clone() }
    }

    /// Follows the operation with this status URL. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::is_usage`] if it is not an absolute http or https URL.
    pub fn attach_url<T>(&self, url: &str) -> Result<Operation<T>, Error> {
        Ok(self.attach(ResumeToken::from_url(url)?))
    }

    /// Follows what ends of an action, and waits until the server has said from where on.
    ///
    /// ```no_run
    /// # fn run(client: raincheck::Client) -> Result<(), raincheck::Error> {
    /// let wish = client.finished::<String>("submit-talk").of_everybody();
    /// for finish in raincheck::blocking::Client::new(client)?.finished(wish)? {
    ///     println!("{:?}", finish?.read()?.output);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Finished`], and [the module's](self).
    pub fn finished<T: Send + 'static>(
        &self,
        wish: Finished<T>,
    ) -> Result<Trigger<StatusView<Value, T>>, Error> {
        Ok(self.trigger(self.thread.wait(wish.into_future())??))
    }

    /// Goes on with a trigger where somebody was, perhaps another process. Nothing is sent yet.
    pub fn attach_trigger<T>(&self, state: TriggerState) -> Trigger<T> {
        self.trigger(self.client.attach_trigger(state))
    }

    /// Waits for what an async trigger tells, such as one of [another API](crate::Client::trigger).
    pub fn trigger<T>(&self, trigger: crate::Trigger<T>) -> Trigger<T> {
        Trigger { trigger, thread: self.thread.clone() }
    }
}

/// An operation that is waited for by blocking. Dropping it leaves the operation as it is.
#[must_use = "an operation is followed only when it is waited for or polled; keep its token to do that later"]
pub struct Operation<T> {
    operation: crate::Operation<T>,
    thread: Arc<Thread>,
}

impl<T> Operation<T> {
    /// Bounds the time that following this operation may take, from now on.
    pub fn timeout(mut self, patience: Duration) -> Self {
        self.operation = self.operation.timeout(patience);
        self
    }

    /// The operation's id, once an answer has shown it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.operation.id()
    }

    /// The last status that an answer has shown, in full.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.operation.view()
    }

    /// The status that the last answer has shown.
    #[must_use]
    pub fn status(&self) -> Status {
        self.operation.status()
    }

    /// The links that the start asked for, by right. Each URL is a secret.
    #[must_use]
    pub fn links(&self) -> &BTreeMap<String, String> {
        self.operation.links()
    }

    /// What to keep in order to follow the operation again later, with [`Client::attach`].
    #[must_use]
    pub fn token(&self) -> ResumeToken {
        self.operation.token()
    }

    /// Asks once, at once.
    ///
    /// # Errors
    /// Those of [`Operation::poll`](crate::Operation::poll), and [the module's](self).
    pub fn poll(&mut self) -> Result<Status, Error> {
        self.thread.wait(self.operation.poll())?
    }

    /// Asks the server to cancel the operation.
    ///
    /// # Errors
    /// Those of [`Operation::cancel`](crate::Operation::cancel), and [the module's](self).
    pub fn cancel(&mut self) -> Result<Status, Error> {
        self.thread.wait(self.operation.cancel())?
    }

    /// The status after each poll, as an iterator that blocks between them.
    pub fn updates(&mut self) -> Updates<'_, T> {
        Updates { updates: self.operation.updates(), thread: &self.thread }
    }
}

impl<T: DeserializeOwned + Send + 'static> Operation<T> {
    /// Polls at the server's pace until the operation ends, and gives its output.
    ///
    /// # Errors
    /// Those of awaiting an [`Operation`](crate::Operation), and [the module's](self).
    pub fn wait(self) -> Result<T, Error> {
        self.thread.wait(self.operation.into_future())?
    }
}

/// The statuses of an operation, from [`Operation::updates`].
#[must_use = "nothing is asked until `next` is called"]
pub struct Updates<'a, T> {
    updates: crate::Updates<'a, T>,
    thread: &'a Thread,
}

impl<T> Iterator for Updates<'_, T> {
    type Item = Result<View, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.thread.wait(self.updates.next()) {
            Ok(next) => next,
            Err(error) => Some(Err(error)),
        }
    }
}

/// What a trigger tells, as an iterator without an end that blocks until there is something. After an error
/// it may be asked again.
#[must_use = "nothing is asked until `next` is called"]
pub struct Trigger<T> {
    trigger: crate::Trigger<T>,
    thread: Arc<Thread>,
}

impl<T> Trigger<T> {
    /// The next item if there is one already. Asks at once, and once at most.
    ///
    /// # Errors
    /// Those of [`Trigger::poll`](crate::Trigger::poll), and [the module's](self).
    pub fn poll(&mut self) -> Result<Option<Triggered<T>>, Error> {
        self.thread.wait(self.trigger.poll())?
    }

    /// Where this is: after the last item that was given out, or at the beginning.
    #[must_use]
    pub fn state(&self) -> &TriggerState {
        self.trigger.state()
    }
}

impl<T> Iterator for Trigger<T> {
    type Item = Result<Triggered<T>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.thread.wait(self.trigger.next()).flatten())
    }
}

impl Thread {
    fn wait<F: Future>(&self, future: F) -> Result<F::Output, Error> {
        if Handle::try_current().is_ok() {
            let why = "a blocking call inside of an async runtime; use the async client there";
            return Err(Error::usage(why));
        }
        let runtime = self.0.as_ref().expect("it is taken only when this is dropped");
        Ok(runtime.block_on(future))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        // A runtime must not be waited for where nothing may block, and nothing in it is worth waiting for.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Client").field(&self.client).finish()
    }
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Operation").field(&self.operation).finish()
    }
}

impl<T> fmt::Debug for Updates<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Updates").field(&self.updates).finish()
    }
}

impl<T> fmt::Debug for Trigger<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Trigger").field(&self.trigger).finish()
    }
}
