//! A raincheck server's stream of an operation's updates: server-sent events (HTML standard, §9.2) in place of polls.
//!
//! Each event has the view that the monitor would give, and is read as an answer of the monitor. Only servers that have
//! shown themselves to be raincheck are asked; one that does not know the stream says so by a 404 or a 405.

use std::collections::VecDeque;
use std::time::Duration;

use raincheck_openapi::headers::LAST_EVENT_ID;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::answer::{Answer, Observed, names};
use crate::dialect::Dialect;
use crate::pace::{Deadline, after};
use crate::step::{Moment, Step, next_step};
use crate::transport::{HeaderMap, MAX_BODY, Method, Response, header_value, set_header};
use crate::{Client, Error, Operation};

/// A server says something at once when a stream is opened. One that is silent is behind something that collects.
const FIRST_WORD: Duration = Duration::from_secs(5);

/// A stream that is silent for longer has lost its server, which shows every few seconds that it is there.
const SILENCE: Duration = Duration::from_secs(90);

/// What came of the wish for a stream.
pub(crate) enum Opening {
    Opened(Box<Stream>),
    /// Places are scarce, at this client.
    NotNow,
    /// The server has none, or none that can be used.
    Never,
}

/// An open stream.
pub(crate) struct Stream {
    response: Response,
    events: Events,
    /// How long the server wants to be left alone when it breaks off.
    pub(crate) retry: Duration,
    /// Whether it has given anything.
    pub(crate) is_useful: bool,
    _turn: Turn,
}

/// A place of the limit on requests, for as long as the stream is open.
struct Turn(Client);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.transport.limiter.give_back();
    }
}

impl<T> Operation<T> {
    /// Asks for the stream of updates, if the operation is at a server that may have one.
    pub(crate) async fn open_stream(&self) -> Opening {
        let Some(url) = self.stream_url() else { return Opening::Never };
        let transport = &self.client.0.transport;
        if transport.limiter.is_busy() {
            return Opening::NotNow;
        }
        let Some(permit) = self.client.enter(&url, self.deadline).await else { return Opening::NotNow };
        permit.forget();
        let turn = Turn(self.client.clone());
        let carried = self.carried.as_deref();
        let mut request = transport.request(Method::GET, &url, carried);
        set_header(&mut request, "accept", "text/event-stream");
        if let Some(id) = self.etag.as_deref().and_then(id_of) {
            set_header(&mut request, LAST_EVENT_ID, id);
        }
        let Ok(Ok(response)) = timeout(FIRST_WORD, transport.open(request, carried)).await else {
            return Opening::Never;
        };
        let media_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        if response.status() != 200
            || !media_type.is_some_and(|media_type| media_type.starts_with("text/event-stream"))
        {
            return Opening::Never;
        }
        let events = Events::default();
        let mut stream = Stream { response, events, retry: Duration::ZERO, is_useful: false, _turn: turn };
        match timeout(FIRST_WORD, stream.read()).await {
            Ok(Some(())) => Opening::Opened(Box::new(stream)),
            _ => Opening::Never,
        }
    }

    fn stream_url(&self) -> Option<Url> {
        // Only a raincheck server has both a monitor and a home.
        let home =
            self.course.home.as_deref().filter(|_| self.course.dialect == Some(Dialect::StatusMonitor))?;
        let mut url = home.clone();
        url.path_segments_mut().ok()?.pop_if_empty().push("events");
        Some(url)
    }

    /// Takes over what an event shows.
    pub(crate) async fn take_event(&mut self, event: Event) -> Result<(), Error> {
        let mut headers = HeaderMap::new();
        if let Some(tag) = header_value(&format!("W/\"{}\"", event.id)) {
            headers.insert(names::ETAG, tag);
        }
        let asked = self.course.at.clone();
        let answer = Answer { asked, status: 200, headers, body: event.data.into() };
        let seen = Observed::Answer(Box::new(answer));
        let step = next_step(&seen, &self.course, &self.client.0.policy, &Moment::now(0, 0));
        let (step, seen) = match step {
            Step::Again(_) => (step, seen),
            // The end is asked for, as after every other poll: the answer has the reason too, if it failed.
            _ => Box::pin(self.look(false)).await,
        };
        self.take(step, seen).map(drop)
    }
}

impl Stream {
    /// The next view; `None` if the stream has broken off, or the deadline is near.
    pub(crate) async fn next(&mut self, deadline: Option<Deadline>) -> Option<Event> {
        loop {
            if let Some(event) = self.events.ready.pop_front() {
                if event.name == "status" {
                    self.is_useful = true;
                    return Some(event);
                }
                continue;
            }
            let silent_at = after(Instant::now(), SILENCE);
            let until = deadline.map_or(silent_at, |deadline| silent_at.min(deadline.last_look()));
            timeout_at(until, self.read()).await.ok()??;
        }
    }

    async fn read(&mut self) -> Option<()> {
        let chunk = self.response.chunk().await.ok()??;
        self.events.push(&chunk);
        if let Some(retry) = self.events.retry.take() {
            self.retry = retry;
        }
        // No event is larger than any answer may be.
        (self.events.size() <= MAX_BODY).then_some(())
    }
}

/// What is in the quotes of a tag.
fn id_of(etag: &str) -> Option<&str> {
    etag.strip_prefix("W/").unwrap_or(etag).strip_prefix('"')?.strip_suffix('"')
}

/// An event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
    pub(crate) id: String,
}

/// Reads events out of bytes, however those are cut.
#[derive(Debug, Default)]
struct Events {
    line: Vec<u8>,
    /// The last line ended with a CR; a LF right after it belongs to it.
    after_cr: bool,
    event: Event,
    has_data: bool,
    retry: Option<Duration>,
    ready: VecDeque<Event>,
}

impl Events {
    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    let line = std::mem::take(&mut self.line);
                    self.end_line(&String::from_utf8_lossy(&line));
                }
                other => self.line.push(other),
            }
        }
    }

    fn size(&self) -> usize {
        self.line.len() + self.event.data.len()
    }

    fn end_line(&mut self, line: &str) {
        if line.is_empty() {
            // An id without data counts for what comes later; an event without data is none.
            let id = self.event.id.clone();
            let event = std::mem::replace(&mut self.event, Event { id, ..Event::default() });
            if std::mem::take(&mut self.has_data) {
                self.ready.push_back(event);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "id" if !value.contains('\0') => value.clone_into(&mut self.event.id),
            "retry" => self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // A comment, or a field of the future.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&str]) -> Vec<(String, String, String)> {
        let mut events = Events::default();
        parts.iter().for_each(|part| events.push(part.as_bytes()));
        events.ready.into_iter().map(|Event { name, data, id }| (name, data, id)).collect()
    }

    fn event(name: &str, data: &str, id: &str) -> (String, String, String) {
        (name.to_owned(), data.to_owned(), id.to_owned())
    }

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let text = "retry: 1500\nevent: status\nid: a\ndata: {\"x\":\ndata: 1}\n\n: alive\n\nevent:status\r\ndata:2\r\n\r\ndata: 3\r\r";
        let whole = read(&[text]);

        assert_eq!(
            whole,
            [event("status", "{\"x\":\n1}", "a"), event("status", "2", "a"), event("", "3", "a")]
        );
        let pieces: Vec<_> = (0..text.len()).map(|place| &text[place..=place]).collect();
        assert_eq!(read(&pieces), whole);
    }

    #[test]
    fn what_has_no_data_is_no_event() {
        assert_eq!(read(&[":\n\n", "event: status\n\n", "id: 7\n\n"]), []);
    }

    #[test]
    fn the_id_of_a_view_is_what_its_tag_has_in_quotes() {
        assert_eq!(id_of("W/\"abc\""), Some("abc"));
        assert_eq!(id_of("\"abc\""), Some("abc"));
        assert_eq!(id_of("abc"), None);
    }
}
