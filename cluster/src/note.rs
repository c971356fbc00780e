//! A text that outlives its process: one key of a ConfigMap.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use serde_json::json;
use thiserror::Error;

use crate::connect::Client;

/// Where a text is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Namespace of the ConfigMap.
    pub namespace: String,
    /// Its name; it is made where there is none.
    pub name: String,
    /// The key in it.
    pub key: &'static str,
}

/// The API server refused or did not answer.
#[derive(Debug, Error)]
#[error("failed to {what} ConfigMap {namespace}/{name}; RBAC must allow get, create and patch on configmaps there")]
pub struct NoteError {
    what: &'static str,
    namespace: String,
    name: String,
    source: Box<kube::Error>,
}

impl Note {
    /// The text; `None` where there is none yet.
    ///
    /// # Errors
    /// What the client reports.
    pub async fn read(&self, client: &Client) -> Result<Option<String>, NoteError> {
        let map = self.api(client).get_opt(&self.name).await.map_err(|error| self.failed("read", error))?;
        Ok(map.and_then(|map| map.data).and_then(|mut data| data.remove(self.key)))
    }

    /// Replaces the text, and leaves other keys as they are.
    ///
    /// # Errors
    /// What the client reports.
    pub async fn write(&self, client: &Client, text: &str) -> Result<(), NoteError> {
        let api = self.api(client);
        let data = json!({"data": {self.key: text}});
        match api.patch(&self.name, &PatchParams::default(), &Patch::Merge(data)).await {
            Ok(_) => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(self.failed("patch", error)),
        }
        let map = ConfigMap {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            data: Some([(self.key.to_owned(), text.to_owned())].into()),
            ..ConfigMap::default()
        };
        api.create(&PostParams::default(), &map).await.map(drop).map_err(|error| self.failed("create", error))
    }

    fn api(&self, client: &Client) -> Api<ConfigMap> {
        Api::namespaced(client.clone(), &self.namespace)
    }

    fn failed(&self, what: &'static str, source: kube::Error) -> NoteError {
        NoteError { what, namespace: self.namespace.clone(), name: self.name.clone(), source: Box::new(source) }
    }
}
