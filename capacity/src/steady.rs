//! Closed forms of the warm pool's steady state. Owned by "capacity-ipamd".
