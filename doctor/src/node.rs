//! What a node can give, and whether it is set up to.
