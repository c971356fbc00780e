//! Pods with a branch ENI of their own (security groups for pods).

use headroom_capacity::verdict;

use super::sandbox::Said;
use super::{Place, of_reason, with_event};
use crate::bundle::{Bundle, Node, Pod};
use crate::cause::Cause;
use crate::report::{Finding, Level, Report};
use crate::room;
use crate::view::View;

/// Bound, and its branch ENI is not there, or not ready: the VPC resource controller makes it once the pod is bound, and writes the
/// annotation `vpc.amazonaws.com/pod-eni` (resource controller `pkg/provider/branch`).
pub(super) fn look(bundle: &Bundle, pod: &Pod, node: &Node, said: &Said<'_>, report: &mut Report) {
    let view = match View::of(bundle, node) {
        Ok(view) => view,
        Err(missing) => return report.findings.extend(missing),
    };
    let finding = if !view.settings.pod_eni {
        let says = "it needs a branch ENI, and ENABLE_POD_ENI is not set on aws-node".to_owned();
        Finding::new(Cause::PodEniOff, Level::Fault, says)
    } else if !view.pool.trunk {
        let says = format!("it needs a branch ENI, and node {} has no trunk ENI to carry one", node.name);
        let finding = Finding::new(Cause::PodEniOff, Level::Fault, says);
        finding.remedy("use an instance type that takes a trunk ENI; a node that has none yet needs a free ENI slot for it: see doctor node")
    } else if let (false, Some(reason)) = (pod.branch_eni, limit(&view)) {
        of_reason(bundle, &view, reason, Level::Fault, Place::Bound)
    } else {
        let subnet = view.new_eni_subnet().or_else(|| bundle.subnet(view.pool.primary_subnet.as_deref()?));
        match subnet {
            Some(subnet) if subnet.free == 0 && !pod.branch_eni => {
                let says = format!("its branch ENI finds no address: {}", room::of_subnet(subnet, false));
                Finding::new(Cause::SubnetEmpty, Level::Fault, says).remedy(room::remedy(bundle, &view, Place::Bound))
            }
            _ => {
                let says = if pod.branch_eni {
                    "its branch ENI is made and not ready yet"
                } else {
                    "its branch ENI is not made yet"
                };
                Finding::new(Cause::BranchEniPending, Level::Fault, says)
            }
        }
    };
    let told = pod.events.iter().find(|event| event.reason == "BranchAllocationFailed").or_else(|| said.event());
    report.findings.push(with_event(finding, told));
}

fn limit(view: &View<'_>) -> Option<verdict::Reason> {
    view.verdict(0, 0, verdict::Demand::BranchEni).reason()
}
