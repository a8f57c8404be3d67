//! The page of an event link, for people: `GET` asks and decides nothing, and the form that it sends is the event.
//!
//! Mail scanners and chat previews open every link that they see; so only the button decides.

use std::sync::Arc;

use http::{StatusCode, header};
use raincheck_openapi::{InvalidField, ProblemCode};
use url::form_urlencoded;
use warp::reply::Response;

use super::App;
use super::access::admit;
use super::body::Input;
use super::call::Call;
use super::page::Page;
use super::problem::Problem;
use crate::Json;
use crate::action::{Choice, EventSettings, Question};
use crate::capability::Right;
use crate::content::{Content, ContentSecret};
use crate::journal::Entry;
use crate::operation::Operation;
use crate::store::{EventKey, Signaled};

/// The page of an event link.
pub(crate) async fn show(
    action: String,
    id: String,
    name: String,
    call: Arc<Call>,
    app: Arc<App>,
) -> Result<Response, Problem> {
    ask(&app, &call, &action, &id, name).await.map_err(|problem| problem.for_reader(&call))
}

async fn ask(app: &App, call: &Call, action: &str, id: &str, name: String) -> Result<Response, Problem> {
    let registered = app.operations.action(action);
    let event = registered.as_ref().and_then(|action| action.settings().find_event(&name));
    if event.is_some_and(|event| event.choices.is_empty()) {
        let detail = "the event has no page; its link takes POST";
        return Err(
            Problem::new(ProblemCode::MethodNotAllowed, detail).with_allow(super::routes::EVENT_METHODS)
        );
    }
    // The page is for whoever has the link. Who has a key has no use for it.
    let admitted = admit(app, call, action, id, &Right::Event(name), |_, _| false).await?;
    let event = event.ok_or_else(Problem::unknown_event)?;
    let token = admitted.token.as_deref().unwrap_or_default();
    let link = Link { operation: &admitted.operation, event, token };
    link.page(app, call, link.standing(app).await?, StatusCode::OK).await
}

/// Whether a request is the form of such a page.
pub(crate) fn is_form(call: &Call, event: &EventSettings) -> bool {
    let media_type = call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    !event.choices.is_empty() && essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The choice that a form makes: one that is declared, and only one.
pub(crate) fn chosen<'a>(event: &'a EventSettings, body: &[u8]) -> Option<&'a Choice> {
    let mut fields = form_urlencoded::parse(body).filter(|(name, _)| name == "choice");
    match (fields.next(), fields.next()) {
        (Some((_, word)), None) => event.choices.iter().find(|choice| choice.name == word),
        _ => None,
    }
}

/// The event that a form sends.
pub(crate) fn input(event: &EventSettings, choice: Option<&Choice>, secret: &ContentSecret) -> Input {
    let Some(choice) = choice else {
        let words: Vec<_> = event.choices.iter().map(|choice| choice.name.as_str()).collect();
        let expected = format!("expected one of {}", words.join(", "));
        let refusal = Problem::invalid(vec![InvalidField::member("/choice", expected)]);
        return Input { content: Some(secret.nothing()), value: Err(refusal) };
    };
    let value = Json::of(&choice.body).map_err(|error| Problem::internal().caused_by(error));
    Input { content: Some(content(choice, secret)), value }
}

fn content(choice: &Choice, secret: &ContentSecret) -> [u8; 32] {
    let text = choice.body.to_string();
    Content::parse(&text).map_or_else(|_| secret.nothing(), |content| secret.content(&content))
}

/// The page that answers a form.
pub(crate) async fn told(
    app: &App,
    call: &Call,
    link: Link<'_>,
    choice: Option<&Choice>,
    signaled: Signaled,
) -> Result<Response, Problem> {
    let (standing, status) = match (signaled, choice) {
        (Signaled::Done(_) | Signaled::Repeated(_), Some(choice)) => {
            (Standing::Chosen(choice), StatusCode::ACCEPTED)
        }
        (Signaled::TooManyEvents, _) => return Err(Problem::too_many_events(app, link.operation)),
        (Signaled::NotFound, _) => return Err(Problem::not_found()),
        _ => (link.standing(app).await?, StatusCode::CONFLICT),
    };
    link.page(app, call, standing, status).await
}

/// An event link that was opened.
#[derive(Clone, Copy)]
pub(crate) struct Link<'a> {
    pub(crate) operation: &'a Operation,
    pub(crate) event: &'a EventSettings,
    pub(crate) token: &'a str,
}

/// How a link stands.
#[derive(Debug, Clone, Copy)]
enum Standing<'a> {
    /// It can be answered.
    Open,
    /// It was answered by this choice.
    Chosen(&'a Choice),
    /// It was answered by an event that is none of the choices.
    Answered,
    /// The operation ended first.
    Closed,
}

impl<'a> Link<'a> {
    async fn standing(self, app: &App) -> Result<Standing<'a>, Problem> {
        let Self { operation, event, token } = self;
        let secret = &app.content_secret;
        let key = secret.event_link(operation.id, &event.name, token);
        for choice in &event.choices {
            let once = (!event.many).then(|| EventKey { key, content: content(choice, secret) });
            match app.operations.foresee_event(operation.id, once).await? {
                Some(Signaled::Repeated(_)) => return Ok(Standing::Chosen(choice)),
                // By another body: perhaps that of the next choice.
                Some(Signaled::KeyReused) => {}
                Some(Signaled::AlreadyFinished(_)) => return Ok(Standing::Closed),
                Some(Signaled::NotFound) => return Err(Problem::not_found()),
                Some(Signaled::Done(_) | Signaled::TooManyEvents) | None => return Ok(Standing::Open),
            }
        }
        Ok(Standing::Answered)
    }

    async fn page(
        self,
        app: &App,
        call: &Call,
        standing: Standing<'_>,
        status: StatusCode,
    ) -> Result<Response, Problem> {
        let Question { title, text } = self.question(app).await?;
        let notice = match standing {
            Standing::Open => "Nothing is decided until you choose.".to_owned(),
            Standing::Chosen(choice) => format!("Recorded: {}. You can close this page.", choice.label),
            Standing::Answered => "This has been answered already. You can close this page.".to_owned(),
            Standing::Closed => {
                "This ended before it was answered here. There is nothing left to decide.".to_owned()
            }
        };
        let mut buttons: Vec<_> = match standing {
            Standing::Open => self.event.choices.as_slice(),
            _ => &[],
        }
        .iter()
        .map(|choice| (&*choice.name, &*choice.label))
        .collect();
        // The one that the link leads to comes first.
        let wanted = call.parameter("choice");
        buttons.sort_by_key(|(name, _)| wanted.as_deref() != Some(*name));
        Ok(Page { title: &title, text: &text, notice: &notice, buttons: &buttons }.answer(status))
    }

    async fn question(self, app: &App) -> Result<Question, Problem> {
        let first = app.operations.journal(self.operation.id, None, 1).await?.into_iter().next();
        let asked = match first.map(|record| record.entry) {
            Some(Entry::Accepted { input }) => self.event.question(&input),
            _ => None,
        };
        Ok(asked.unwrap_or_else(|| {
            let action = app.operations.action(&self.operation.action);
            let summary = action.map(|action| action.settings().summary.clone());
            let title = summary.filter(|summary| !summary.is_empty());
            Question {
                title: title.unwrap_or_else(|| self.operation.action.to_string()),
                text: String::new(),
            }
        }))
    }
}
