//! The trunks of this program: how they stand now, and in the journal what becomes of their registrations.

use crate::calls::Calls;
use crate::trunk::{self, Trunk};

/// The configured trunks, in their order.
pub(crate) async fn all(calls: &Calls) -> Vec<Trunk> {
    let standing = calls.runner().trunks().await;
    let known = calls.config().trunks.iter();
    known.filter_map(|info| Some(Trunk::of(info, standing.iter().find(|status| status.name == info.name)?))).collect()
}

/// Tells of each change of a registration until the gateway stops.
pub(crate) async fn tell(calls: &Calls) {
    while let Some(change) = calls.runner().registration_changed().await {
        let info = calls.config().trunks.iter().find(|info| info.name == change.trunk);
        let host = info.map_or("", |info| &info.host);
        let Some((kind, data)) = trunk::tell(&change, host) else { continue };
        if let Err(error) = calls.journal().tell(kind, &data).await {
            tracing::error!(trunk = change.trunk, kind, %error, "an event could not be written");
        }
    }
}
