//! One cheap read of each API: it shows that a key is taken and that the endpoint's policy lets calls through. Auto Scaling has no
//! `DryRun` to ask with.

use std::time::SystemTime;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use headroom_reach::Service;

use super::api::Api;
use super::decode;
use super::error::AwsError;
use super::operation::Operation;
use super::query::Form;

/// The fewest that EC2 gives a page of (EC2 API reference, `MaxResults` of `DescribeSubnets`).
const FEWEST: u32 = 5;

/// What is read of `service`; `None` for an API that this program has no client of.
pub(crate) const fn read_of(service: Service) -> Option<Operation> {
    match service {
        Service::AutoScaling => Some(Operation::DescribeAutoScalingGroups),
        Service::Ec2 => Some(Operation::DescribeSubnets),
        Service::Sts => Some(Operation::GetCallerIdentity),
        Service::Monitoring => Some(Operation::ListMetrics),
        Service::EksAuth => None,
    }
}

impl Api<'_> {
    /// Reads next to nothing of `service` with all of a call's attempts; says what was called. `None` where there is nothing to read.
    pub(crate) async fn touch(&self, service: Service) -> Option<Result<Operation, AwsError>> {
        let operation = read_of(service)?;
        let connection = self.connection;
        let done = match service {
            Service::AutoScaling => {
                let request = connection.autoscaling.describe_auto_scaling_groups().max_records(1);
                self.sent(operation, request.send()).await
            }
            Service::Sts => self.sent(operation, connection.sts.get_caller_identity().send()).await,
            Service::Monitoring => {
                // Of a namespace that nobody has: the answer is short.
                let request = connection.cloudwatch.list_metrics().namespace("Headroom/Probe");
                self.sent(operation, request.send()).await
            }
            Service::Ec2 | Service::EksAuth => {
                let form = Form::new(operation).with("MaxResults", FEWEST);
                self.call(form, decode::subnets).await.map(drop)
            }
        };
        Some(done.map(|()| operation))
    }

    async fn sent<T, E>(
        &self,
        operation: Operation,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<(), AwsError>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let call = async {
            let answer = request.await;
            answer.map(drop).map_err(|error| AwsError::of(operation, &error, SystemTime::now()))
        };
        self.recorded(operation, call).await
    }
}
