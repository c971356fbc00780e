//! Credentials that are kept until AWS says that they have expired.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use thiserror::Error;

/// There were no credentials to sign a call with.
#[derive(Debug, Error)]
#[error("no credentials")]
pub(super) struct Unavailable(#[source] BoxError);

/// The SDK's cache, which knows when credentials say that they expire, and which can be emptied when AWS says so first: a role
/// whose sessions were revoked, a laptop that slept. Every client of a connection shares it.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    current: Arc<RwLock<SharedIdentityCache>>,
    /// When those that were handed out last expire.
    expire_at: Arc<RwLock<Option<SystemTime>>>,
}

impl Cache {
    pub(super) fn new() -> Cache {
        Cache { current: Arc::new(RwLock::new(IdentityCache::lazy().build())), expire_at: Arc::default() }
    }

    /// When those that were used last expire; `None` where they do not, or none were used yet.
    pub(super) fn expire_at(&self) -> Option<SystemTime> {
        *self.expire_at.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next call asks for new credentials.
    pub(super) fn empty(&self) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = IdentityCache::lazy().build();
    }
}

impl ResolveCachedIdentity for Cache {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        runtime_components: &'a RuntimeComponents,
        config_bag: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        let cache = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        IdentityFuture::new(async move {
            let identity = cache.resolve_cached_identity(resolver, runtime_components, config_bag).await;
            let identity = identity.map_err(|error| BoxError::from(Unavailable(error)))?;
            *self.expire_at.write().unwrap_or_else(PoisonError::into_inner) = identity.expiration();
            Ok(identity)
        })
    }
}
