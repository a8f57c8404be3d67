//! The client that openapi-generator makes for Rust, against a server: `with-openapi-generator BASE_URL`, with the key in
//! `RAINCHECK_KEY`. It starts one operation for each end and prints what it saw of each as a line of JSON.

use futures::future::try_join_all;
use serde_json::{Value, json};

// docs: begin rust-openapi-generator
use std::time::Duration;

use raincheck_api::apis::Error;
use raincheck_api::apis::configuration::Configuration;
use raincheck_api::apis::countdown_api::{GetCountdownError, cancel_countdown, get_countdown, start_countdown};
use raincheck_api::models::{CountdownInput, CountdownStatus, Problem, Status};

/// There is no `Retry-After` to see. Instead the server holds its answer, for at most so long, until there is news.
const HELD: Option<&str> = Some("wait=20");

async fn result(
    api: &Configuration,
    id: &str,
    mut show: impl FnMut(&CountdownStatus),
) -> Result<CountdownStatus, Error<GetCountdownError>> {
    loop {
        let view = get_countdown(api, id, HELD, None).await?;
        if view.status == Status::Succeeded {
            return Ok(view);
        }
        show(&view);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The problem in an answer, if it is an error of the server.
fn problem<T>(error: &Error<T>) -> Option<Problem> {
    match error {
        Error::ResponseError(answer) => serde_json::from_str(&answer.content).ok(),
        _ => None,
    }
}
// docs: end rust-openapi-generator

async fn seen(base: &str, end: &str, work: CountdownInput) -> Result<Value, Box<dyn std::error::Error>> {
    let key = std::env::var("RAINCHECK_KEY")?;
    // docs: begin rust-openapi-generator-start
    let api = Configuration {
        base_path: base.to_owned(),
        // Not `api_key`: that would be sent as the token of a link, too: in the URL, where logs keep it.
        bearer_access_token: Some(key),
        ..Configuration::new()
    };
    let accepted = start_countdown(&api, work, None, None, None, None).await?;
    let id = accepted.id.to_string();
    // docs: end rust-openapi-generator-start
    if end == "is-canceled" {
        // docs: begin rust-openapi-generator-cancel
        cancel_countdown(&api, &id).await?;
        // docs: end rust-openapi-generator-cancel
    }
    let mut shown = Vec::new();
    let ended = result(&api, &id, |view| shown.push(view.custom_status.clone())).await;
    let mut seen = match ended {
        Ok(view) => json!({
            "http": 200, "status": view.status.to_string(), "steps": view.output.map(|output| output.steps),
        }),
        Err(error) => {
            let problem = problem(&error).ok_or(error)?;
            let status = problem.operation.map(|operation| operation.status.to_string());
            json!({ "http": problem.status, "status": status, "code": problem.code })
        }
    };
    seen["end"] = json!(end);
    seen["id"] = json!(id);
    seen["shown"] = json!(shown);
    Ok(seen)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::args().nth(1).ok_or("usage: with-openapi-generator BASE_URL")?;
    let works = [
        ("succeeds", CountdownInput::new(4.0, 3)),
        ("fails", CountdownInput { fail: Some("out-of-paper".into()), ..CountdownInput::new(4.0, 3) }),
        ("is-canceled", CountdownInput::new(60.0, 3)),
    ];
    for line in try_join_all(works.map(|(end, work)| seen(&base, end, work))).await? {
        println!("{line}");
    }
    Ok(())
}
