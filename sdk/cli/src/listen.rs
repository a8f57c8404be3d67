//! `raincheck listen`: passes what ends on to a receiver that the server cannot reach, as a webhook.

use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use raincheck::Client;
use raincheck::webhook::{Delivery, Secret};
use serde_json::{Value, json};

use crate::args::{Listen, Server};
use crate::ends::{interruptible, line};
use crate::exit::{Failure, with_causes};
use crate::feed::{End, Feed};
use crate::{show, table};

/// How long a receiver may take: it should answer first and work then.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pauses, in seconds, after answers that say "not now". After the last one, the delivery is given up.
const PAUSES: [u64; 4] = [1, 2, 5, 10];
/// No receiver is left alone for longer, whatever it asks for: somebody sits in front of it.
const LONGEST_PAUSE: u64 = 60;

pub(crate) async fn run(server: &Server, command: &Listen, json: bool) -> Result<ExitCode, Failure> {
    interruptible(json, listen(server, command, json)).await
}

async fn listen(server: &Server, command: &Listen, json: bool) -> Result<ExitCode, Failure> {
    let forwarder = Forwarder {
        // Without the key: it is not for the receiver.
        client: Client::builder(&command.forward).build()?,
        url: &command.forward,
        secret: secret(command)?,
    };
    let mut feed = Feed::open(server, &command.ends).await?;
    let mut all_taken = true;
    while let Some(end) = feed.next().await? {
        let outcome = match end.read() {
            Ok(view) => {
                let id = format!("msg_{}", view.id);
                let delivery = Delivery::new(&id, &server.url, &view, command.format.into());
                forwarder.deliver(&delivery).await?
            }
            Err(_) => Outcome::given_up("it is no status of an operation", 0),
        };
        feed.done(&end)?;
        all_taken &= outcome.taken;
        if show::checked(&outcome.line(&end, json)).is_err() {
            break;
        }
    }
    Ok(if all_taken { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The secret that was given, or a fresh one, which is told.
fn secret(command: &Listen) -> Result<Secret, Failure> {
    let unusable = |error| Failure::Usage(format!("--secret or RAINCHECK_WEBHOOK_SECRET: {error}"));
    match command.secret.as_ref().filter(|given| !given.0.is_empty()) {
        Some(given) => given.0.parse().map_err(unusable),
        None => {
            let mut random = [0; 32];
            getrandom::fill(&mut random).expect("the operating system gives random numbers");
            let text = format!("whsec_{}", BASE64_STANDARD.encode(random));
            eprintln!("signed with {text}");
            text.parse().map_err(unusable)
        }
    }
}

/// Sends to one receiver, one delivery after the other, so that they come in the order of the ends.
struct Forwarder<'a> {
    client: Client,
    url: &'a str,
    secret: Secret,
}

/// What came of a delivery.
struct Outcome {
    taken: bool,
    /// The last answer, or why there is none to wait for.
    word: String,
    answers: usize,
}

/// What a receiver says to one attempt.
struct Said {
    status: u16,
    retry_after: Option<u64>,
    body: String,
}

impl Forwarder<'_> {
    async fn deliver(&self, delivery: &Delivery) -> Result<Outcome, Failure> {
        let mut answers = 0;
        let mut is_awaited = false;
        loop {
            let said = match self.attempt(delivery).await? {
                Ok(said) => said,
                Err(why) => {
                    if !is_awaited {
                        eprintln!(
                            "no answer from the receiver ({why}); it is tried again until there is one"
                        );
                    }
                    is_awaited = true;
                    tokio::time::sleep(Duration::from_secs(PAUSES[0])).await;
                    continue;
                }
            };
            answers += 1;
            match said.status {
                200..=299 => return Ok(Outcome { taken: true, word: said.status.to_string(), answers }),
                408 | 429 | 500..=599 if answers <= PAUSES.len() => {
                    let pause = said.retry_after.unwrap_or(PAUSES[answers - 1]).min(LONGEST_PAUSE);
                    eprintln!("the receiver answered {}; again in {pause} s", said.told());
                    tokio::time::sleep(Duration::from_secs(pause)).await;
                }
                _ => return Ok(Outcome::given_up(&said.told(), answers)),
            }
        }
    }

    /// One attempt, signed anew; or why there was no answer.
    async fn attempt(&self, delivery: &Delivery) -> Result<Result<Said, String>, Failure> {
        let mut request = self.client.request("POST", self.url)?.timeout(PATIENCE);
        for (name, value) in delivery.headers(&self.secret, SystemTime::now()) {
            request = request.header(name, value);
        }
        let answer = match request.body(delivery.body().to_vec()).send().await {
            Ok(answer) => answer,
            // The URL may hold a secret.
            Err(error) => return Ok(Err(with_causes(&error.without_url()))),
        };
        let status = answer.status().as_u16();
        let header = answer.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|text| text.trim().parse().ok());
        let body = answer.text().await.unwrap_or_default();
        Ok(Ok(Said { status, retry_after, body }))
    }
}

impl Said {
    fn told(&self) -> String {
        let body = table::short(self.body.trim(), 200);
        if body.is_empty() { self.status.to_string() } else { format!("{}: {body}", self.status) }
    }
}

impl Outcome {
    fn given_up(word: &str, answers: usize) -> Self {
        Self { taken: false, word: word.to_owned(), answers }
    }

    fn line(&self, end: &End, json: bool) -> String {
        let Self { taken, word, answers } = self;
        if json {
            let end: Value = serde_json::from_str(end.body()).unwrap_or_default();
            let (operation, status) = (&end["id"], &end["status"]);
            return json!({
                "operation": operation, "status": status, "taken": taken, "answer": word, "answers": answers,
            })
            .to_string();
        }
        let verdict = if *taken { "taken" } else { "given up" };
        format!("{}  -> {verdict}, {}", line(end, false), show::clean(word))
    }
}
