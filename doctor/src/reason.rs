//! From the model's reasons to causes.

use headroom_capacity::verdict::Reason;

use crate::cause::Cause;

/// The cause of which the extender, or the model, gives this reason. `None` where the reason says only that somebody else knows.
pub(crate) const fn cause(reason: Reason) -> Option<Cause> {
    Some(match reason {
        Reason::InstanceIpLimit => Cause::InstanceLimit,
        Reason::CoolingDown => Cause::CoolingDown,
        Reason::SubnetExhausted => Cause::SubnetEmpty,
        Reason::SubnetFragmented => Cause::SubnetFragmented,
        Reason::IpamdBackOff => Cause::IpamdBackOff,
        Reason::Cordoned => Cause::NodeCordoned,
        Reason::MaxPods => Cause::MaxPods,
        Reason::Claimed => Cause::AddressesClaimed,
        Reason::PoolGrowing => Cause::PoolGrowing,
        Reason::PoolNotGrowing => Cause::PoolNotGrowing,
        Reason::ProvisioningDisabled => Cause::ProvisioningDisabled,
        Reason::BranchEniLimit => Cause::BranchEniLimit,
        Reason::WindowsIpLimit => Cause::WindowsIpLimit,
        Reason::UnknownInstanceType => Cause::UnknownInstanceType,
        Reason::UnknownNode | Reason::StaleState | Reason::UnknownSubnet => Cause::ExtenderUnsure,
        Reason::AssignFailed | Reason::Several => return None,
    })
}
