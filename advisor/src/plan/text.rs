//! A plan as people read it.

use std::fmt;

use super::{Cause, ScalingPlan};

impl fmt::Display for ScalingPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.made_at.since(self.books_at).as_secs();
        writeln!(f, "plan {} ({}), from books {age} s old", self.generation, self.mode.label())?;
        self.write_shortage(f)?;
        for step in &self.scale_out {
            let nodes = step.to - step.from;
            write!(f, "scale out {} by {nodes}: {} -> {}", step.group, step.from, step.to)?;
            if let Some(subnet) = &step.subnet {
                write!(f, " in {subnet}")?;
            }
            let why = match step.cause {
                Cause::Waiting => "that lack an address",
                Cause::Forecast => "that are expected",
            };
            writeln!(f, ", for {} pods {why}", step.pods)?;
        }
        if let Some(one) = &self.scale_in {
            let spare = self.made_at.since(one.since).as_secs();
            writeln!(
                f,
                "scale in {} from {} ({}): {} pods move, {} addresses come back; used {:.0} %, spare for {spare} s",
                one.node,
                one.desired,
                one.group,
                one.pods,
                one.frees,
                one.utilisation * 100.0,
            )?;
        }
        for pod in &self.evictions {
            writeln!(f, "evict {} from {}: no address for {} s", pod.name, pod.node, pod.waiting.as_secs())?;
        }
        for refused in &self.refused {
            let of = if refused.of.is_empty() { String::new() } else { format!(" {}", refused.of) };
            writeln!(f, "no {}{of}: {} ({})", refused.what.label(), refused.why, refused.why.refusal.label())?;
        }
        if self.is_empty() && self.refused.is_empty() {
            writeln!(f, "nothing to do")?;
        }
        Ok(())
    }
}

impl ScalingPlan {
    fn write_shortage(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shortage = &self.shortage;
        let waiting: u32 = shortage.waiting.values().sum();
        write!(f, "{waiting} pods wait for addresses, {} are stuck", shortage.stuck)?;
        write!(f, "; room for {}, {} with nodes that come", shortage.room, shortage.coming)?;
        write!(f, "; {} need nodes", shortage.need)?;
        if shortage.nowhere > 0 {
            write!(f, ", which no group has for {}", shortage.nowhere)?;
        }
        writeln!(f)
    }
}
