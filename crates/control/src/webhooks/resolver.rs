//! [`Resolver`]: the addresses of a name, of which each must be allowed.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::address::is_public;

/// How long a name is looked up.
const LOOKUP: Duration = Duration::from_secs(5);

/// Who looks names of webhooks up.
#[derive(Debug, Clone, Default)]
pub enum Resolver {
    /// The system.
    #[default]
    System,
    /// A table.
    Table(Arc<BTreeMap<String, Vec<IpAddr>>>),
}

/// Why a webhook is not connected to.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unresolved {
    #[error("{name} is not found")]
    NotFound {
        name: String,
        #[source]
        source: io::Error,
    },
    #[error("{name} is {address}, which is not on the public internet")]
    NotPublic { name: String, address: IpAddr },
}

impl Resolver {
    async fn look_up(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        match self {
            Self::System => {
                let found = timeout(LOOKUP, lookup_host((name, 0))).await??;
                Ok(found.map(|address| address.ip()).collect())
            }
            Self::Table(table) => table.get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }
}

/// Looks names up for connections. What it finds is what is connected to, so that nothing can answer otherwise between
/// the look and the connection.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    pub(super) resolver: Resolver,
    pub(super) allow_private: bool,
}

impl Guard {
    /// The addresses of a name; none, when one of them is not allowed.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let not_found = |source| Unresolved::NotFound { name: name.to_owned(), source };
        let found = self.resolver.look_up(name).await.map_err(not_found)?;
        if found.is_empty() {
            return Err(not_found(io::ErrorKind::NotFound.into()));
        }
        match found.iter().find(|address| !self.allow_private && !is_public(**address)) {
            Some(address) => Err(Unresolved::NotPublic { name: name.to_owned(), address: *address }),
            None => Ok(found),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            // Port 0 stands for that of the URL.
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_refused_when_one_of_its_addresses_is_not_public() {
        for (addresses, refused) in [
            (vec!["1.1.1.1", "2606:4700::1111"], None),
            (vec!["127.0.0.1"], Some("hook.test is 127.0.0.1, which is not on the public internet")),
            (vec!["1.1.1.1", "10.0.0.1"], Some("hook.test is 10.0.0.1, which is not on the public internet")),
            (
                vec!["::ffff:169.254.169.254"],
                Some("hook.test is ::ffff:169.254.169.254, which is not on the public internet"),
            ),
            (vec!["fd00::1"], Some("hook.test is fd00::1, which is not on the public internet")),
            (vec![], Some("hook.test is not found")),
        ] {
            let addresses: Vec<IpAddr> = addresses.into_iter().map(|address| address.parse().unwrap()).collect();
            let table = BTreeMap::from([("hook.test".to_owned(), addresses.clone())]);
            let guard = |allow_private| Guard { resolver: Resolver::Table(Arc::new(table.clone())), allow_private };
            let found = guard(false).addresses("hook.test").await;
            assert_eq!(found.err().map(|error| error.to_string()).as_deref(), refused);
            assert_eq!(guard(true).addresses("hook.test").await.unwrap_or_default(), addresses);
            assert!(guard(true).addresses("other.test").await.is_err());
        }
    }
}
