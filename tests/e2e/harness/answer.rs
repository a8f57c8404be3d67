//! An HTTP answer, read to its end.

use raincheck_openapi::StatusView;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// An HTTP answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Sends a request and reads the answer. Panics if there is none.
    pub(crate) async fn to(request: reqwest::RequestBuilder) -> Self {
        Self::try_to(request).await.expect("an answer")
    }

    /// Sends a request and reads the answer, if there is one.
    pub(crate) async fn try_to(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    /// A header as text; empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible ASCII"))
    }

    /// The `Location`, which must be there.
    pub(crate) fn location(&self) -> String {
        let location = self.header("location");
        assert!(!location.is_empty(), "no Location in {self:?}");
        location.to_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body as a status view.
    pub(crate) fn view(&self) -> StatusView {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The `code` of a problem.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// How long the ended operation of a status view took, in seconds.
    pub(crate) fn lasted(&self) -> f64 {
        let view = self.json();
        let time = |member: &str| view[member].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let (begin, end) = (time("createdAt").expect("a time"), time("finishedAt").expect("a time"));
        end.duration_since(begin).as_secs_f64()
    }
}
