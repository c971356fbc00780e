//! What can be wrong, as a closed set.

use serde::{Serialize, Serializer};

/// One row a cause, so that none can lack its label or its remedy.
macro_rules! causes {
    ($($name:ident = $label:literal, $meaning:literal, $remedy:literal;)*) => {
        /// What can be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cause {
            $(#[doc = $meaning] $name,)*
        }

        impl Cause {
            /// All of them.
            pub const ALL: &[Cause] = &[$(Cause::$name,)*];

            /// The key in JSON and the heading in the documents; stable.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Cause::$name => $label,)* }
            }

            /// What it means, in a sentence without a full stop.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Cause::$name => $meaning,)* }
            }

            /// What to do where nothing more is known.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Cause::$name => $remedy,)* }
            }
        }
    };
}

// In three parts, by who can find them out.
causes! {
    // Addresses: `pod`, `node` and the CNI's log.
    SubnetEmpty = "subnet_empty",
        "The subnet has no free address",
        "add a subnet to the node group or use custom networking, and give back what is not used: leaked ENIs, warm pools that are too large";

    // Joining: `join` and the logs of kubelet and cloud-init.

    // What only logs tell: kubelet, containerd, Cluster Autoscaler.
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}
