//! What explains what.

use crate::cause::Cause::{
    self, ApiCertificate, AutoscalerApi, AutoscalerGroupFailed, AutoscalerSlow, AutoscalerStuck, AwsBlocked,
    AwsCredentials, AwsDenied, AwsDns, AwsRefused, AwsThrottled, AwsTls, BootstrapDenied, BootstrapFailed,
    BootstrapIncomplete, BootstrapNotRun, BootstrapWrongCluster, BranchEniPending, ClockWrong, ClusterDns, CniDown,
    CniStateUnreadable, CniVersionsDiffer, CoolingDown, DiskFull, DnsLoop, Ec2Denied, Ec2Throttled,
    EndpointUnreachable, EniAttachFailed, EniConfigMissing, InstanceLimit, IpamdBackOff, KubeletFlagRefused,
    KubeletSetup, LeakedEnis, MaxPods, MetadataUnreachable, NetworkPolicyAgentDown, NoFreeAddress, NoSubnetForPods,
    NodeNotRegistered, PauseImage, PodEniOff, PodNetworkFailed, RoleMappingIncomplete, RuntimeDown, SandboxStuck,
    ServiceUnreachable, SettingNotTaken, SubnetEmpty, SubnetFragmented, UnauthorizedNode, UnknownInstanceType,
};

/// What a log can show. What comes earlier can bring about what comes later, and not the other way round.
pub(super) const ORDER: &[Cause] = &[
    // The machine, and the way to others.
    ClockWrong,
    DiskFull,
    MetadataUnreachable,
    DnsLoop,
    ClusterDns,
    AwsDns,
    AwsBlocked,
    AwsRefused,
    AwsTls,
    AwsCredentials,
    AwsDenied,
    AwsThrottled,
    // Joining.
    BootstrapNotRun,
    BootstrapWrongCluster,
    BootstrapIncomplete,
    BootstrapDenied,
    BootstrapFailed,
    KubeletFlagRefused,
    KubeletSetup,
    RuntimeDown,
    EndpointUnreachable,
    ApiCertificate,
    UnauthorizedNode,
    RoleMappingIncomplete,
    NodeNotRegistered,
    ServiceUnreachable,
    // Addresses.
    SettingNotTaken,
    UnknownInstanceType,
    Ec2Denied,
    Ec2Throttled,
    EniConfigMissing,
    NoSubnetForPods,
    SubnetEmpty,
    SubnetFragmented,
    InstanceLimit,
    LeakedEnis,
    EniAttachFailed,
    IpamdBackOff,
    CoolingDown,
    PodEniOff,
    BranchEniPending,
    CniVersionsDiffer,
    CniStateUnreadable,
    CniDown,
    NetworkPolicyAgentDown,
    PodNetworkFailed,
    NoFreeAddress,
    MaxPods,
    PauseImage,
    SandboxStuck,
    // Scaling.
    AutoscalerGroupFailed,
    AutoscalerApi,
    AutoscalerStuck,
    AutoscalerSlow,
];

/// Why a program does not get an answer of AWS.
const AWS: &[Cause] = &[ClockWrong, AwsDns, AwsBlocked, AwsRefused, AwsTls, AwsCredentials, AwsDenied, AwsThrottled];

/// What can be behind `cause`, all of it before it in [`ORDER`].
pub(super) fn explained_by(cause: Cause) -> &'static [Cause] {
    match cause {
        AwsDns => &[DnsLoop, ClusterDns],
        AwsCredentials => &[ClockWrong, MetadataUnreachable, AwsDns, AwsBlocked, AwsRefused, AwsTls],
        AutoscalerStuck | PauseImage => AWS,
        AutoscalerSlow => &[AwsDns, AwsBlocked, AwsRefused, AwsTls, AwsThrottled, AutoscalerStuck],
        AutoscalerGroupFailed => &[SubnetEmpty],
        AutoscalerApi => &[ServiceUnreachable],
        BootstrapFailed => &[
            ClockWrong,
            MetadataUnreachable,
            AwsDns,
            AwsBlocked,
            AwsRefused,
            BootstrapNotRun,
            BootstrapWrongCluster,
            BootstrapIncomplete,
            BootstrapDenied,
        ],
        NodeNotRegistered => {
            &[ClockWrong, RuntimeDown, EndpointUnreachable, ApiCertificate, UnauthorizedNode, RoleMappingIncomplete]
        }
        IpamdBackOff => &[SubnetEmpty, SubnetFragmented],
        CniDown => &[
            MetadataUnreachable,
            AwsCredentials,
            ServiceUnreachable,
            SettingNotTaken,
            UnknownInstanceType,
            Ec2Denied,
            CniStateUnreadable,
        ],
        NoFreeAddress => &[
            AwsDns,
            AwsBlocked,
            UnknownInstanceType,
            Ec2Denied,
            Ec2Throttled,
            EniConfigMissing,
            NoSubnetForPods,
            SubnetEmpty,
            SubnetFragmented,
            InstanceLimit,
            EniAttachFailed,
            IpamdBackOff,
            CoolingDown,
            PodEniOff,
        ],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_of_a_row_has_its_place() {
        let ordered: BTreeSet<Cause> = ORDER.iter().copied().collect();
        assert_eq!(ordered.len(), ORDER.len(), "none twice");
        let of_rows: BTreeSet<Cause> = crate::log::rows().map(|row| row.cause).chain([CoolingDown]).collect();
        assert_eq!(ordered, of_rows);
    }

    #[test]
    fn what_explains_comes_before() {
        for (at, cause) in ORDER.iter().enumerate() {
            for behind in explained_by(*cause) {
                let before = ORDER.iter().position(|known| known == behind).expect("it can be shown");
                assert!(before < at, "{} is behind {}", behind.label(), cause.label());
            }
        }
    }
}
