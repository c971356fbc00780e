//! A list, page by page.

use std::fmt::Debug;

use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;

/// Objects on a page.
const PAGE: u32 = 500;

/// Pages of a list at most, for whoever asks for them all: far more than Kubernetes carries.
pub(crate) const MOST_PAGES: usize = 200;

/// What is left of a list.
pub(crate) struct Pages<K> {
    api: Api<K>,
    params: ListParams,
    more: bool,
}

impl<K: Clone + Debug + DeserializeOwned> Pages<K> {
    /// Of what `params` selects.
    pub(crate) fn of(api: Api<K>, params: ListParams) -> Pages<K> {
        Pages { api, params: params.limit(PAGE), more: true }
    }

    /// Asks for the next page; after the last one, which [`Pages::more`] tells, for that one again.
    pub(crate) async fn next(&mut self) -> kube::Result<Vec<K>> {
        let page = self.api.list(&self.params).await?;
        let token = page.metadata.continue_.filter(|token| !token.is_empty());
        self.more = token.is_some();
        if let Some(token) = token {
            self.params = self.params.clone().continue_token(&token);
        }
        Ok(page.items)
    }

    /// Whether the last page said that another follows.
    pub(crate) const fn more(&self) -> bool {
        self.more
    }
}
