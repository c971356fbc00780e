//! Closed sets of label values.

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
