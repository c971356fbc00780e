//! `headroom-advisor iam`: the policy for the advisor's role.

use anyhow::Result;
use clap::Args;
use headroom_shell::config::ConfigFile as _;

use super::ConfigArg;
use crate::aws::Policy;
use crate::config::Config;

/// For which configuration.
#[derive(Debug, Args)]
pub(super) struct Iam {
    #[command(flatten)]
    config: ConfigArg,
    /// Only what one purpose takes, instead of what the configuration does: observe, cloudwatch, backfill, leaks, act or doctor. May be
    /// given several times.
    #[arg(long = "policy", value_name = "NAME", value_parser = named)]
    policies: Vec<Policy>,
}

fn named(name: &str) -> Result<Policy, String> {
    let found = Policy::ALL.iter().copied().find(|policy| policy.label() == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = Policy::ALL.iter().map(|policy| policy.label()).collect();
        format!("there is no policy of this name; there are {}", names.join(", "))
    })
}

/// Prints it.
pub(super) fn iam(args: Iam) -> Result<()> {
    let config = Config::load(args.config.config.as_deref())?;
    let policies = if args.policies.is_empty() { Policy::of(&config) } else { args.policies };
    println!("{:#}", Policy::document(&policies, &config));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_named_as_its_file_is() {
        assert_eq!(named("act"), Ok(Policy::Act));
        assert!(named("scale").unwrap_err().contains("observe, cloudwatch, backfill, leaks, act, doctor"));
    }
}
