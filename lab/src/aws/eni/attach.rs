//! ENIs on instances.

use headroom_capacity::ids::EniId;
use headroom_capacity::instance::InstanceLimits;
use headroom_capacity::time::Time;

use super::{Attachment, AttachmentStatus, Eni, EniStatus, no_prefixes, private_ip_limit};
use crate::aws::timer::Timer;
use crate::aws::{ApiError, InstanceId, InstanceState, Vpc};

impl Vpc {
    /// AttachNetworkInterface: the attachment's id. It is `attached` after
    /// [`Config::eni_attach`](crate::aws::Config::eni_attach).
    ///
    /// # Errors
    /// `InvalidNetworkInterfaceID.NotFound`, `InvalidInstanceID.NotFound`, `InvalidNetworkInterface.InUse`,
    /// `AttachmentLimitExceeded`, `PrivateIpAddressLimitExceeded`, `IncorrectState`; `InvalidParameterCombination` across zones;
    /// `InvalidParameterValue` when the device index is taken.
    pub fn attach_eni(
        &mut self,
        id: &EniId,
        instance: &InstanceId,
        device_index: u32,
        now: Time,
    ) -> Result<String, ApiError> {
        self.settle(now);
        self.check_attach(self.eni(id)?, instance, device_index)?;
        let attachment = self.attachment(instance.clone(), device_index, AttachmentStatus::Attaching, now);
        let attachment_id = attachment.id.clone();
        if let Some(eni) = self.enis.get_mut(id) {
            eni.attachment = Some(attachment);
        }
        self.timers.push(now + self.config.eni_attach, Timer::EniAttached(id.clone()));
        Ok(attachment_id)
    }

    fn check_attach(&self, eni: &Eni, instance_id: &InstanceId, device_index: u32) -> Result<(), ApiError> {
        let instance = self.instance(instance_id)?;
        if eni.status() != EniStatus::Available {
            let message = format!("Interface: [{}] in use.", eni.id);
            return Err(ApiError::new("InvalidNetworkInterface.InUse", message));
        }
        if !matches!(instance.state, InstanceState::Running | InstanceState::Stopped) {
            let message = format!("Instance '{instance_id}' is not 'running' or 'stopped'.");
            return Err(ApiError::new("IncorrectState", message));
        }
        if eni.az != instance.az {
            let message =
                "You may not attach a network interface to an instance if they are not in the same availability zone";
            return Err(ApiError::new("InvalidParameterCombination", message));
        }
        let attached: Vec<&Eni> = self.enis_of(instance_id).collect();
        if attached.iter().any(|other| other.attachment.as_ref().is_some_and(|at| at.device_index == device_index)) {
            return Err(ApiError::invalid(format!(
                "Instance '{instance_id}' already has an interface attached at device index '{device_index}'."
            )));
        }
        let Some(limits) = self.limits(&instance.instance_type) else { return Ok(()) };
        check_limits(eni, attached.len(), limits, &instance.instance_type)
    }

    pub(in crate::aws) fn attachment(
        &mut self,
        instance: InstanceId,
        device_index: u32,
        status: AttachmentStatus,
        now: Time,
    ) -> Attachment {
        let id = self.rng.id("eni-attach");
        Attachment { id, instance, device_index, delete_on_termination: device_index == 0, status, attached_at: now }
    }

    /// ModifyNetworkInterfaceAttribute of `DeleteOnTermination`. Attaching leaves it false, except on primary ENIs: an ENI whose
    /// owner dies before this call is one that leaks.
    ///
    /// # Errors
    /// `InvalidNetworkInterfaceID.NotFound`, `InvalidAttachmentID.NotFound`.
    pub fn set_delete_on_termination(&mut self, id: &EniId, delete: bool) -> Result<(), ApiError> {
        let eni = self.eni_mut(id)?;
        let attachment = eni.attachment.as_mut().ok_or_else(|| unknown_attachment(id.as_str()))?;
        attachment.delete_on_termination = delete;
        Ok(())
    }

    /// DetachNetworkInterface, by the ENI: it is `available`, with all its addresses, after
    /// [`Config::eni_detach`](crate::aws::Config::eni_detach).
    ///
    /// # Errors
    /// `InvalidNetworkInterfaceID.NotFound`; `InvalidAttachmentID.NotFound` when it is not attached; `OperationNotPermitted` for
    /// a primary ENI.
    pub fn detach_eni(&mut self, id: &EniId, now: Time) -> Result<(), ApiError> {
        self.settle(now);
        let eni = self.eni_mut(id)?;
        let attachment = eni.attachment.as_mut().ok_or_else(|| unknown_attachment(id.as_str()))?;
        if attachment.device_index == 0 {
            let message = "The network interface at device index 0 cannot be detached.";
            return Err(ApiError::new("OperationNotPermitted", message));
        }
        attachment.status = AttachmentStatus::Detaching;
        self.timers.push(now + self.config.eni_detach, Timer::EniDetached(id.clone()));
        Ok(())
    }

    /// The ENI with this attachment id.
    ///
    /// # Errors
    /// `InvalidAttachmentID.NotFound`.
    pub fn eni_of_attachment(&self, attachment: &str) -> Result<EniId, ApiError> {
        let here = |eni: &&Eni| eni.attachment.as_ref().is_some_and(|at| at.id == attachment);
        self.enis.values().find(here).map(|eni| eni.id.clone()).ok_or_else(|| unknown_attachment(attachment))
    }

    /// The ENIs on an instance, the primary one not necessarily first.
    pub fn enis_of<'a>(&'a self, instance: &'a InstanceId) -> impl Iterator<Item = &'a Eni> {
        self.enis.values().filter(move |eni| eni.attachment.as_ref().is_some_and(|at| at.instance == *instance))
    }

    pub(in crate::aws) fn eni_attached(&mut self, id: &EniId) {
        let attachment = self.enis.get_mut(id).and_then(|eni| eni.attachment.as_mut());
        if let Some(attachment) = attachment.filter(|at| at.status == AttachmentStatus::Attaching) {
            attachment.status = AttachmentStatus::Attached;
        }
    }

    pub(in crate::aws) fn eni_detached(&mut self, id: &EniId) {
        if let Some(eni) = self.enis.get_mut(id) {
            eni.attachment.take_if(|at| at.status == AttachmentStatus::Detaching);
        }
    }
}

fn check_limits(eni: &Eni, attached: usize, limits: &InstanceLimits, instance_type: &str) -> Result<(), ApiError> {
    if attached >= limits.enis.get() as usize {
        let message = format!("Interface count {} exceeds the limit for {instance_type}", attached + 1);
        return Err(ApiError::new("AttachmentLimitExceeded", message));
    }
    if !eni.prefixes.is_empty() && !limits.supports_prefixes() {
        return Err(no_prefixes());
    }
    if eni.slots() > limits.ipv4_per_eni as usize { Err(private_ip_limit()) } else { Ok(()) }
}

fn unknown_attachment(id: &str) -> ApiError {
    ApiError::new("InvalidAttachmentID.NotFound", format!("The attachment '{id}' does not exist"))
}
