//! Closed sets of label values.

use headroom_capacity::time::Time;

use crate::inventory::ReadAt;

/// An enum whose members are label values.
macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident = $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$member_doc])* $member,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$member),+];

            /// As it is written.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $($name::$member => $label,)+
                }
            }
        }
    };
}
pub(crate) use labels;

labels! {
    /// The calls of AWS that the advisor makes.
    AwsOperation {
        /// EC2.
        DescribeSubnets = "DescribeSubnets",
        /// EC2.
        GetSubnetCidrReservations = "GetSubnetCidrReservations",
        /// EC2.
        DescribeNetworkInterfaces = "DescribeNetworkInterfaces",
        /// EC2.
        DescribeInstances = "DescribeInstances",
        /// EC2.
        DescribeInstanceTypes = "DescribeInstanceTypes",
        /// EC2.
        DescribeVpcs = "DescribeVpcs",
        /// EC2.
        DescribeVpcEndpoints = "DescribeVpcEndpoints",
        /// EC2.
        DescribeSecurityGroups = "DescribeSecurityGroups",
        /// EC2.
        DeleteNetworkInterface = "DeleteNetworkInterface",
        /// Auto Scaling.
        DescribeAutoScalingGroups = "DescribeAutoScalingGroups",
        /// CloudWatch.
        PutMetricData = "PutMetricData",
    }
}

labels! {
    /// How a call of AWS ended.
    AwsOutcome {
        /// It was answered.
        Ok = "ok",
        /// The account calls too often.
        Throttled = "throttled",
        /// The credentials do not allow it, or are no good.
        Denied = "denied",
        /// AWS does not accept what was asked.
        Invalid = "invalid",
        /// AWS could not answer: a status of 500 or above.
        Unavailable = "unavailable",
        /// There was no answer in time.
        Timeout = "timeout",
        /// There was no connection.
        Unreachable = "unreachable",
        /// Anything else.
        Other = "other",
    }
}

labels! {
    /// A part of AWS that is read on its own.
    Part {
        /// Subnets.
        Subnets = "subnets",
        /// ENIs.
        Enis = "enis",
        /// Instances.
        Instances = "instances",
        /// Auto Scaling groups.
        Groups = "groups",
        /// VPC blocks, endpoints and CIDR reservations.
        Topology = "topology",
    }
}

impl Part {
    pub(super) const fn read_at(self, read_at: &ReadAt) -> Option<Time> {
        match self {
            Part::Subnets => read_at.subnets,
            Part::Enis => read_at.enis,
            Part::Instances => read_at.instances,
            Part::Groups => read_at.groups,
            Part::Topology => read_at.endpoints,
        }
    }
}
