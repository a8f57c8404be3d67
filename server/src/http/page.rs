//! Pages for people who have a link: complete in themselves, without scripts, and closed to everything from elsewhere.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use warp::reply::Response;

/// What a page says. None of it is markup: every text is escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
    /// What became of it, or what to know about it.
    pub(crate) notice: &'a str,
    /// The buttons of its form: the value of `choice`, and what the button says. The first is the one that is expected.
    pub(crate) buttons: &'a [(&'a str, &'a str)],
}

impl Page<'_> {
    /// The page as an answer.
    pub(crate) fn answer(&self, status: StatusCode) -> Response {
        let mut answer = Response::new(self.html().into());
        *answer.status_mut() = status;
        protect(answer.headers_mut());
        answer
    }

    /// The page as a document.
    pub(crate) fn html(&self) -> String {
        let Page { title, text, notice, buttons } = *self;
        let title = Escaped(title);
        let mut html = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1 dir=\"auto\">{title}</h1>\n"
        );
        if !text.is_empty() {
            let _ = writeln!(html, "<p class=\"text\" dir=\"auto\">{}</p>", Escaped(text));
        }
        if !buttons.is_empty() {
            // To where the page is, whatever stands before this server; with the link's token, and nothing else.
            html.push_str("<form method=\"post\">\n");
            for (value, label) in buttons {
                let (value, label) = (Escaped(value), Escaped(label));
                let _ = writeln!(html, "<button name=\"choice\" value=\"{value}\">{label}</button>");
            }
            html.push_str("</form>\n");
        }
        if !notice.is_empty() {
            let _ = writeln!(html, "<p class=\"notice\" role=\"status\">{}</p>", Escaped(notice));
        }
        html.push_str("</main>\n</body>\n</html>\n");
        html
    }
}

/// Says that an answer is such a page, and what a browser may do with it: show it, and send its form back.
pub(crate) fn protect(headers: &mut HeaderMap) {
    static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        HeaderValue::try_from(policy).expect("a policy is visible ASCII")
    });
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // For browsers that do not know `frame-ancestors`: nobody shall press a button that another page has put a veil on.
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
}

const STYLE: &str = ":root{color-scheme:light dark;--paper:#fff;--ground:#eef2f4;--ink:#1c2b33;--soft:#4c5f69;\
--line:#8496a0;--main:#1f5166;--on-main:#fff}\
@media (prefers-color-scheme:dark){:root{--paper:#1c272d;--ground:#11181c;--ink:#e9f0f3;--soft:#b3c3cb;\
--line:#70838d;--main:#8fcbe3;--on-main:#0b1d25}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--ground);color:var(--ink);\
font:1.0625rem/1.5 system-ui,sans-serif}\
main{width:100%;max-width:34rem;padding:2rem;background:var(--paper);border-radius:.75rem}\
h1{margin:0 0 1rem;font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere}\
.text{margin:0 0 1.5rem;white-space:pre-line;overflow-wrap:anywhere}\
form{display:flex;flex-wrap:wrap;gap:.75rem;margin:0 0 1.5rem}\
button{flex:1 1 8rem;min-height:3rem;padding:.5rem 1.25rem;border:2px solid var(--line);border-radius:.5rem;\
background:transparent;color:var(--ink);font:inherit;font-weight:600;cursor:pointer}\
button:first-child{border-color:var(--main);background:var(--main);color:var(--on-main)}\
button:focus-visible{outline:3px solid var(--main);outline-offset:3px}\
.notice{margin:0;color:var(--soft)}";

/// A text that is only text, between tags and in quoted attributes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let evil = "</title><script>alert('x')</script>&\"><b";
        let page = Page { title: evil, text: evil, notice: evil, buttons: &[(evil, evil)] }.html();

        assert_eq!(page.matches("&lt;/title&gt;&lt;script&gt;alert(&#39;x&#39;)").count(), 6);
        assert_eq!(
            page.matches('<').count(),
            Page { title: "", text: "x", notice: "x", buttons: &[("", "")] }.html().matches('<').count()
        );
    }

    #[test]
    fn the_style_that_the_policy_allows_is_the_one_on_the_page() {
        let mut headers = HeaderMap::new();
        protect(&mut headers);
        let page = Page { title: "t", text: "", notice: "", buttons: &[] }.html();

        let (_, rest) = page.split_once("<style>").unwrap();
        let digest = STANDARD.encode(Sha256::digest(rest.split_once("</style>").unwrap().0));

        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.contains(&format!("style-src 'sha256-{digest}'"))
                && policy.contains("frame-ancestors 'none'")
        );
    }
}
