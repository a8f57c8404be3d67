//! The gateway between an engine and the API of a custom connector.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

/// A connector's gateway. It has no socket of its own: URLs below its base are sent on from here.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    /// Under which URL the engine reaches it; `https`, path and all.
    pub(crate) base: String,
    /// Where the API is.
    pub(crate) backend: String,
    /// The connection's key.
    pub(crate) key: String,
    /// The operations that it routes: method and path.
    pub(crate) declared: Vec<(String, String)>,
}

impl Gateway {
    /// A gateway that knows the operations of an OpenAPI document.
    pub(crate) fn new(base: &str, backend: &str, key: &str, document: &Value) -> Self {
        let paths = document["paths"].as_object().expect("a document with paths");
        let operations = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flat_map(|item| item.keys());
            methods.map(|method| (method.to_ascii_uppercase(), path.clone()))
        });
        Self {
            base: base.to_owned(),
            backend: backend.to_owned(),
            key: key.to_owned(),
            declared: operations.collect(),
        }
    }

    /// Whether it is what `url` leads to.
    pub(crate) fn has(&self, url: &str) -> bool {
        url.strip_prefix(&*self.base).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The request that it makes of one for `url`; none if it knows no such operation.
    pub(crate) fn forward(&self, http: &Client, method: &Method, url: &str) -> Option<RequestBuilder> {
        let target = url.strip_prefix(&*self.base)?;
        let path = target.split('?').next().unwrap_or(target);
        // §1.5 reading [I]: the gateway routes only declared operations.
        let declared =
            |(known, template): &(String, String)| known == method.as_str() && fits(template, path);
        if !self.declared.iter().any(declared) {
            return None;
        }
        let request = http
            .request(method.clone(), format!("{}{target}", self.backend))
            // §1.5: the engine holds a token for the gateway only; the API's key is added by the gateway.
            .header("x-api-key", &self.key)
            // §1.5 X-MS-APIM-Referrer-Prefix [U]: reaches the backend with the base to prefix to path and query.
            .header("x-ms-apim-referrer-prefix", &self.base);
        Some(request)
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let alike =
        |(known, given): (&&str, &&str)| known == given || (known.starts_with('{') && !given.is_empty());
    template.len() == path.len() && template.iter().zip(&path).all(alike)
}
