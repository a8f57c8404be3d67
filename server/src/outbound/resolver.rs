//! Names to addresses, with the check in between: what is connected to is what was checked, so an answer that changes
//! from one question to the next (rebinding) gains nothing.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::OutboundConfig;
use super::address::special;
use super::error::Refused;

/// Asks for the addresses of names. A trait, because tests answer by themselves.
pub(super) trait Names: Send + Sync + 'static {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver.
pub(super) struct SystemNames;

impl Names for SystemNames {
    fn addresses(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name has no address at all.
#[derive(Debug, thiserror::Error)]
#[error("the name is not known")]
pub(super) struct Unresolved(#[source] pub(super) Option<io::Error>);

/// The resolver of the HTTP client. It hands over those addresses of a name that may be connected to.
pub(super) struct CheckedNames {
    pub(super) names: Arc<dyn Names>,
    /// `None` where an operator has named the host: then every address of it may be.
    pub(super) rules: Option<Arc<OutboundConfig>>,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let found = self.names.addresses(name.clone());
        let rules = self.rules.clone();
        Box::pin(async move {
            let found = found.await.map_err(|error| Unresolved(Some(error)))?;
            let checked = match rules {
                Some(rules) => check(&name, found, &rules)?,
                None => found,
            };
            // Port 0 stands for the URL's own.
            Ok(Box::new(checked.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// Those of `found` that may be connected to. One good address among bad ones is enough: networks that translate
/// addresses give both.
fn check(
    name: &str,
    found: Vec<IpAddr>,
    rules: &OutboundConfig,
) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
    let mut refused = None;
    let mut good = Vec::new();
    for address in found {
        match special(address) {
            Some(special) if !rules.allow.iter().any(|allowed| allowed.covers_address(address)) => {
                refused.get_or_insert(Refused::Address { name: Some(name.to_owned()), address, special });
            }
            _ => good.push(address),
        }
    }
    match refused {
        Some(refused) if good.is_empty() => Err(refused.into()),
        None if good.is_empty() => Err(Unresolved(None).into()),
        _ => Ok(good),
    }
}
