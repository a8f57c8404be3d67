//! A Durable Functions app, as its management API is documented and written (routes, statuses, headers, bodies), and
//! what of it callers may not see.

use serde_json::{Value, json};
use warp::http::{Method, Response};

use super::common::Orchestrated;
use super::suite::Worker as _;
use super::target::{Job, Seen, Target, json_answer, retry_after};
use super::world::{SECRET, World, order, until};
use crate::harness::{Answer, Launch};

/// The app's task hub: nobody's business.
pub(super) const TASK_HUB: &str = "SecretTaskHub";

const API: &str = "/runtime/webhooks/durabletask";

/// Answers a request to the management API.
pub(super) async fn answer(app: &Target, seen: Seen) -> Response<String> {
    let parameters: Vec<(String, String)> = url_pairs(&seen.query);
    let parameter = |name: &str| {
        parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    };
    if parameter("code") != SECRET {
        return json_answer(401, &json!({}));
    }
    assert_eq!((parameter("taskHub"), parameter("connection")), (TASK_HUB, "Storage"), "{seen:?}");
    let rest: Vec<&str> = seen.path.strip_prefix(API).expect("its path").split('/').skip(1).collect();
    match (&seen.method, &rest[..]) {
        (&Method::POST, ["orchestrators", function, id]) => {
            app.tell(format!("began {id}"));
            let attempts = app.told().iter().filter(|line| line.ends_with(id)).count();
            match seen.body["do"].as_str() {
                Some("flaky") if attempts < 3 => return retry_after(json_answer(503, &json!({})), "0"),
                Some("stall") => app.held().await,
                _ => {}
            }
            if *function != "Work" && *function != "Isolated" {
                let text = format!("The orchestrator function '{function}' doesn't exist.");
                return json_answer(400, &json!({"Message": text}));
            }
            app.jobs(|jobs| {
                let job = Job { order: seen.body.clone(), polls: 0, ended: None, events: Vec::new() };
                assert!(jobs.insert((*id).to_owned(), job).is_none(), "an instance is started once");
            });
            started(app, function, id)
        }
        (&Method::GET, ["instances", id]) => {
            let shows_input = parameter("showInput") != "false";
            instance(app, &seen, id, shows_input)
        }
        (&Method::POST, ["instances", id, action, name @ ..]) => {
            change(app, &seen, id, action, name.first().copied())
        }
        // Any other method is not found, rather than not allowed.
        _ => json_answer(404, &json!({})),
    }
}

/// The payload of a check-status response: every URL in it has the key.
fn started(app: &Target, function: &str, id: &str) -> Response<String> {
    let suffix = format!("taskHub={TASK_HUB}&connection=Storage&code={SECRET}");
    let instance = format!("{}{API}/instances/{id}", app.url);
    let body = json!({
        "id": id,
        "statusQueryGetUri": format!("{instance}?{suffix}"),
        "sendEventPostUri": format!("{instance}/raiseEvent/{{eventName}}?{suffix}"),
        "terminatePostUri": format!("{instance}/terminate?reason={{text}}&{suffix}"),
        "purgeHistoryDeleteUri": format!("{instance}?{suffix}"),
    });
    if function == "Isolated" {
        // An early isolated worker says 201, and gives no pace.
        return json_answer(201, &body);
    }
    let mut answer = retry_after(json_answer(202, &body), "10");
    answer.headers_mut().insert("location", format!("{instance}?{suffix}").parse().expect("a header"));
    answer
}

fn instance(app: &Target, seen: &Seen, id: &str, shows_input: bool) -> Response<String> {
    let open = app.is_open();
    let shown = app.jobs(|jobs| {
        let job = jobs.get_mut(id)?;
        job.polls += 1;
        let what = job.order["do"].as_str().unwrap_or_default();
        let done = match what {
            "hang" => open,
            "await" => !job.events.is_empty(),
            _ => job.polls > 3,
        };
        let (state, output) = match (job.ended, what) {
            (Some(state), _) => (state, json!(null)),
            _ if job.polls == 1 => ("Pending", json!(null)),
            _ if !done && what == "suspended" => ("Suspended", json!(null)),
            _ if !done => ("Running", json!(null)),
            (None, "fail") => {
                let text = format!("Orchestrator function 'Work' failed: {SECRET} is a word for operators");
                ("Failed", json!(text))
            }
            (None, "big") => ("Completed", json!("x".repeat(4096))),
            (None, "await") => ("Completed", json!({"events": job.events})),
            (None, _) => ("Completed", json!({"echo": job.order["echo"]})),
        };
        if !matches!(state, "Pending" | "Running" | "Suspended") {
            job.ended = Some(state);
        }
        let status = if job.polls > 1 { json!("at work") } else { json!(null) };
        let input = if shows_input { job.order.clone() } else { json!(null) };
        Some((state, json!({
            "name": "Work", "instanceId": id, "runtimeStatus": state, "input": input, "customStatus": status,
            "output": output, "createdTime": "2026-11-24T08:00:00Z", "lastUpdatedTime": "2026-11-24T08:00:00Z"
        })))
    });
    let Some((state, body)) = shown else { return json_answer(404, &json!({})) };
    if matches!(state, "Pending" | "Running" | "Suspended") {
        let mut answer = retry_after(json_answer(202, &body), "5");
        let location = format!("{}{}?{}", app.url, seen.path, seen.query);
        answer.headers_mut().insert("location", location.parse().expect("a header"));
        return answer;
    }
    // Failed as well, since version 2.
    json_answer(200, &body)
}

fn change(app: &Target, seen: &Seen, id: &str, action: &str, name: Option<&str>) -> Response<String> {
    let is_json = seen.headers.get("content-type").is_some_and(|kind| kind == "application/json");
    let status = app.jobs(|jobs| match (jobs.get_mut(id), action) {
        (None, _) => 404,
        (Some(job), _) if job.ended.is_some() => 410,
        (Some(_), "raiseEvent") if !is_json => 400,
        (Some(job), "raiseEvent") => {
            job.events.push(json!({"name": name, "body": seen.body}));
            202
        }
        (Some(job), "terminate") => {
            job.ended = Some("Terminated");
            202
        }
        _ => 404,
    });
    if action == "terminate" && status == 202 {
        app.tell("canceled");
    }
    json_answer(status, &json!({}))
}

fn url_pairs(query: &str) -> Vec<(String, String)> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.to_owned(), value.to_owned())
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// A server in front of an app.
async fn front(more: &str) -> (World, Orchestrated) {
    let launch = Launch::new();
    let app = Orchestrated::new(&launch).await;
    let actions = format!("[[action]]\nname = \"work\"\n{}\n{more}", app.keys());
    (World::start(launch, &actions).await, app)
}

#[tokio::test]
async fn an_isolated_worker_is_fronted_as_well() {
    let launch = Launch::new();
    let app = Orchestrated::new(&launch).await;
    let keys = app.keys().replace("\"Work\"", "\"Isolated\"");
    let world = World::start(launch, &format!("[[action]]\nname = \"work\"\n{keys}")).await;

    let answer = world.run("work", json!({"do": "succeed", "echo": 1})).await;

    assert_eq!(answer.json()["output"], json!({"echo": 1}), "{answer:?}");
}

#[tokio::test]
async fn events_reach_the_orchestration_by_a_link_of_ours() {
    let more =
        "links = [\"event:approval\"]\nevents = [{ name = \"approval\", schema = { type = \"boolean\" } }]";
    let (world, app) = front(more).await;
    let started = world.post("work?links=event:approval", order("await")).await;
    let link = started.json()["links"]["event:approval"].as_str().expect("a link").to_owned();
    let send = |body: Value| Answer::to(world.server.http.post(&link).json(&body));

    assert_eq!(send(json!("yes")).await.code(), "invalid-input");
    assert_eq!(send(json!(true)).await.status, 202);
    let answer = world.ended(&started.location()).await;

    assert_eq!(
        answer.json()["output"],
        json!({"events": [{"name": "approval", "body": true}]}),
        "{answer:?}"
    );
    assert!(!started.text.contains(SECRET) && !link.contains(&app.0.url), "{started:?}");
}

#[tokio::test]
async fn who_is_terminated_or_suspended_elsewhere_is_shown_so() {
    let (world, app) = front("").await;

    // Suspended goes on, and in the end it is done.
    let answer = world.run("work", order("suspended")).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let location = world.begin("work", order("hang")).await;
    until("it begins", || app.told().iter().any(|line| line.contains(&super::world::id(&location)))).await;
    until("it is there", || app.0.jobs(|jobs| jobs.contains_key(&super::world::id(&location)))).await;
    app.0.jobs(|jobs| {
        jobs.get_mut(&super::world::id(&location)).expect("an instance").ended = Some("Terminated");
    });
    let answer = world.ended(&location).await;
    assert_eq!((answer.status, &*answer.code()), (422, "orchestration-terminated"), "{answer:?}");
}

#[tokio::test]
async fn an_orchestrator_that_does_not_exist_is_the_operators_business() {
    let launch = Launch::new();
    let app = Orchestrated::new(&launch).await;
    let keys = app.keys().replace("\"Work\"", "\"Wrok\"");
    let world = World::start(launch, &format!("[[action]]\nname = \"work\"\n{keys}")).await;

    let location = world.begin("work", order("succeed")).await;
    let answer = world.ended(&location).await;

    assert_eq!(&*answer.code(), "target-refused", "{answer:?}");
    assert!(!answer.text.contains("Wrok"), "{answer:?}");
    assert!(world.operator(&location).await.to_string().contains("'Wrok' doesn't exist"));
}

/// Whatever is asked, by whomever, in whatever state the orchestration is.
#[tokio::test]
async fn no_answer_has_the_key_the_hub_or_an_address_of_the_app() {
    let more = "links = [\"cancel\", \"event:approval\"]\nevents = [{ name = \"approval\" }]\ncallers_may_cancel = true";
    let (world, app) = front(more).await;
    let mut answers = Vec::new();
    for what in ["succeed", "fail", "hang", "big", "flaky"] {
        let started = world.post("work?links=cancel,event:approval", order(what)).await;
        let location = started.location();
        let http = &world.server.http;
        answers.push(started.clone());
        answers.push(Answer::to(http.get(&location)).await);
        answers.push(Answer::to(http.get(location.replace('?', "/status?"))).await);
        if what == "hang" {
            let link = started.json()["links"]["event:approval"].as_str().expect("a link").to_owned();
            answers.push(Answer::to(http.post(link).json(&json!(1))).await);
            let link = started.json()["links"]["cancel"].as_str().expect("a link").to_owned();
            answers.push(Answer::to(http.delete(link)).await);
        }
        answers.push(world.ended(&location).await);
        answers.push(Answer::to(http.get(location.replace('?', "/status?"))).await);
        world.has_kept_its_secret(&location).await;
    }
    answers.push(Answer::to(world.server.http.get(world.server.url("/openapi.json"))).await);

    let forbidden = [SECRET, TASK_HUB, "runtime/webhooks", app.0.url.as_str(), "Orchestrator function"];
    for answer in &answers {
        let all = format!("{:?} {}", answer.headers, answer.text);
        assert!(forbidden.iter().all(|word| !all.contains(word)), "{answer:?}");
    }
}
