//! The scenarios that the binary carries.

use super::{Scenario, ScenarioError};

macro_rules! bundled {
    ($($name:literal),* $(,)?) => {
        /// Names and texts of the bundled scenarios.
        pub const BUNDLED: &[(&str, &str)] = &[$(($name, include_str!(concat!("../../scenarios/", $name, ".yaml")))),*];
    };
}

bundled![
    "r1-instance-limit",
    "r1-subnet-empty",
    "r1-unknown-type",
    "r2-cooldown",
    "r4-t2-large",
    "r4-c5-large",
    "r4-c5-xlarge",
    "r4-m5-large",
    "r4-m5-xlarge",
    "custom-networking",
    "prefix-fragmented",
];

impl Scenario {
    /// The bundled scenario of that name; `None` when there is none.
    ///
    /// # Errors
    /// Never for the scenarios of this crate: its tests read them all.
    #[must_use]
    pub fn bundled(name: &str) -> Option<Result<Scenario, ScenarioError>> {
        let (_, text) = BUNDLED.iter().find(|(known, _)| *known == name)?;
        Some(Scenario::parse(&format!("{name}.yaml"), text))
    }
}
