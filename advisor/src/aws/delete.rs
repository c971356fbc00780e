//! The one thing that is ever changed: an ENI is deleted.

use headroom_capacity::ids::EniId;

use super::api::Api;
use super::error::AwsError;
use super::operation::Operation;
use super::query::Form;

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// EC2 has deleted it.
    Deleted,
    /// EC2 would delete it, were this no dry run.
    WouldSucceed,
    /// Somebody else was first.
    Gone,
}

impl Api<'_> {
    /// Deletes an ENI, or asks whether EC2 would. EC2 refuses for one that is attached. A dry run checks permission and form only
    /// (EC2 API reference, "Common query parameters", `DryRun`).
    ///
    /// # Errors
    /// When EC2 refuses or does not answer. An ENI that is gone is no error.
    pub async fn delete_network_interface(&self, id: &EniId, dry_run: bool) -> Result<Deletion, AwsError> {
        let operation = Operation::DeleteNetworkInterface;
        let form = Form::new(operation).with("NetworkInterfaceId", id).with("DryRun", dry_run);
        self.recorded(operation, async {
            let error = match self.connection.ec2.ask(form).await {
                Ok(_) => return Ok(Deletion::Deleted),
                Err(error) => AwsError::of(operation, &error, std::time::SystemTime::now()),
            };
            match error.code.as_deref() {
                Some("DryRunOperation") => Ok(Deletion::WouldSucceed),
                Some("InvalidNetworkInterfaceID.NotFound") => Ok(Deletion::Gone),
                _ => Err(error),
            }
        })
        .await
    }
}
