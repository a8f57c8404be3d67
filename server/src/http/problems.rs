//! `GET /problems/{code}`: what a problem's `type` leads to.

use std::sync::Arc;

use http::{HeaderValue, header};
use raincheck_openapi::ProblemCode;
use warp::reply::{Reply, Response};

use super::App;
use super::call::Call;
use super::problem::Problem;

/// A short page about a problem code: HTML for browsers, else plain text.
pub(crate) async fn page(code: String, call: Arc<Call>, _: Arc<App>) -> Result<Response, Problem> {
    let code = ProblemCode::from_word(&code)
        .ok_or_else(|| Problem::new(ProblemCode::NotFound, "this server has no problem of that code"))?;
    let (media_type, text) = if call.accepts_html() {
        ("text/html; charset=utf-8", html(code))
    } else {
        ("text/plain; charset=utf-8", plain(code))
    };
    let mut answer = text.into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // One URL has two forms; and neither needs anything from anywhere.
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    Ok(answer)
}

fn plain(code: ProblemCode) -> String {
    format!("{} ({}, HTTP {})\n\n{}\n", code.title(), code.as_str(), code.status(), code.explanation())
}

// The texts are constants of the contract without markup; there is nothing to escape.
fn html(code: ProblemCode) -> String {
    let (title, word, status, explanation) = (code.title(), code.as_str(), code.status(), code.explanation());
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{word}</title>\
         <h1>{title}</h1><p><code>{word}</code>, HTTP {status}</p><p>{explanation}</p></html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_page_has_markup() {
        for code in ProblemCode::ALL {
            assert!(!plain(code).contains(['<', '>', '&']), "{}", code.as_str());
        }
    }
}
