//! `GET /openapi.json` and `/docs`: this server's API, for programs and for people, without a network.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use raincheck_openapi::ProblemCode;
use utoipa_swagger_ui::Config;
use warp::path::Tail;
use warp::reply::{Reply, Response};

use super::App;
use super::call::Call;
use super::problem::Problem;
use super::status;

/// The OpenAPI document.
pub(crate) async fn json(_: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    switched_on(&app)?;
    Ok(status::json(StatusCode::OK, Bytes::clone(&app.document.load())))
}

/// A file of Swagger UI, which shows the document.
pub(crate) async fn docs(file: Tail, call: Arc<Call>, app: Arc<App>) -> Result<Response, Problem> {
    // Relative, so that it is right behind a proxy that adds a prefix.
    static SWAGGER: LazyLock<Arc<Config<'static>>> =
        LazyLock::new(|| Arc::new(Config::from("../openapi.json")));
    switched_on(&app)?;
    if file.as_str().is_empty() && !call.path().ends_with('/') {
        // Its files are relative to it.
        let mut answer = StatusCode::PERMANENT_REDIRECT.into_response();
        answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static("docs/"));
        return Ok(answer);
    }
    let file = utoipa_swagger_ui::serve(file.as_str(), Arc::clone(&SWAGGER))
        .map_err(|_| Problem::internal())?
        .ok_or_else(missing)?;
    let media_type = HeaderValue::try_from(file.content_type).map_err(|_| Problem::internal())?;
    let mut answer = file.bytes.into_owned().into_response();
    answer.headers_mut().insert(header::CONTENT_TYPE, media_type);
    Ok(answer)
}

fn switched_on(app: &App) -> Result<(), Problem> {
    if app.settings.docs { Ok(()) } else { Err(missing()) }
}

fn missing() -> Problem {
    Problem::new(ProblemCode::NotFound, "there is nothing at this path")
}
